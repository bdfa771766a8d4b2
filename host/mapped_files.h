/* mapped_files.h - the files of a backend that its plugin reads by itself (MODEL_BACKEND_FILES): mapped, guarded, and
 * closed with the model.
 *
 * A folder's files are opened as they are, those of an archive (also of a folder that is used as it was signed) as
 * archive_map() has them; what is compressed is unpacked into memory. A link leads to a file of the package or a blob of
 * its store, and nowhere else. */
#ifndef MAPPED_FILES_H
#define MAPPED_FILES_H

#include "archive.h"
#include "model_extensions.h"

#include <stdbool.h>

struct mapped_file;

/* Where the files are. All of it lives longer. */
struct mapped_source {
    const struct archive *archive; /* NULL: a folder */
    const char *package_dir, *backend_dir;
    uint64_t budget_bytes; /* for what is unpacked into memory; 0: no limit */
};

struct mapped_files {
    struct model_backend_files
        table; /* its context is this struct, which must not move; struct_size 0: not offered */
    struct mapped_source source;
    struct mapped_file *newest; /* never changed once is_closed */
    uint64_t unpacked_bytes;
    bool is_closed;
};

void mapped_files_init(struct mapped_files *files, const struct mapped_source *source);
/* Nothing more is mapped: from here on any thread may call what follows. [create-thread] */
void mapped_files_close(struct mapped_files *files);
/* Nobody reads for now: gives the pages back. */
void mapped_files_rest(const struct mapped_files *files);
/* MODEL_CORRUPT, naming the file, once one of them is not what it was: shorter, or written to. */
model_status mapped_files_check(const struct mapped_files *files, struct model_error *err);
/* How large they are, and how much of that is in memory. */
void mapped_files_measure(const struct mapped_files *files, uint64_t *ret_bytes,
                          uint64_t *ret_resident_bytes);
/* One that is all zero does nothing. */
void mapped_files_finish(struct mapped_files *files);

#endif
