/* package_unpack.h - an archive into a folder. [any-thread] */
#ifndef PACKAGE_UNPACK_H
#define PACKAGE_UNPACK_H

#include "archive.h"

struct unpack_options {
    const char *const *filters; /* (n_filters): patterns of hub_glob.h; without any, all entries */
    size_t n_filters;
    bool (*is_cancelled)(void *context);                                     /* may be NULL */
    void (*file_done)(void *context, const char *path, uint64_t size_bytes); /* may be NULL */
    void *context;
};

struct unpack_summary {
    size_t n_files;
    uint64_t size_bytes;
};

/* Unpacks beside `target` and renames: the folder is there with everything in it, or not. It must not exist,
 * or be empty. The whole file's digest is compared first, each entry's while it is written.
 * MODEL_CORRUPT; MODEL_NOT_FOUND: no entry matches; MODEL_CANCELLED. */
model_status package_unpack(const struct archive *archive, const char *target,
                            const struct unpack_options *options, struct unpack_summary *ret,
                            struct model_error *err);

#endif
