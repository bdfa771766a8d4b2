/* file_digests.h - the digests by which a file is known, in one reading. [any-thread] */
#ifndef FILE_DIGESTS_H
#define FILE_DIGESTS_H

#include "archive.h"

/* Which are wanted; each costs its time. */
enum file_digest { FILE_SHA256 = 1u << 0, FILE_SHA1 = 1u << 1, FILE_GIT_BLOB = 1u << 2 };

/* Those that were not asked for are "". */
struct file_digests {
    uint64_t size_bytes;
    char sha256[SHA256_HEX_BYTES];
    char sha1[SHA1_HEX_BYTES];
    char git_blob[SHA1_HEX_BYTES]; /* git's name of it */
};

/* Of an entry of an archive, which is mapped meanwhile. */
model_status file_digests_of_entry(const struct archive *archive, const struct archive_entry *entry,
                                   unsigned wanted, struct file_digests *ret,
                                   struct model_error *err);
/* MODEL_INVALID_ARGUMENT: no regular file; MODEL_IO: also when it changes its size meanwhile. */
model_status file_digests_read(const char *path, unsigned wanted, struct file_digests *ret,
                               struct model_error *err);

#endif
