/* archive_write.h - making an archive out of files. The same files and options give the same bytes (with the
 * same version of libzstd). [any-thread] */
#ifndef ARCHIVE_WRITE_H
#define ARCHIVE_WRITE_H

#include "archive_index.h"
#include "archive_secret.h"

/* A file that becomes an entry. */
struct archive_source {
    const char *path;   /* in the package; path_is_safe() */
    const char *file;   /* on disk: a regular file, behind links */
    const char *sha256; /* what it must have; NULL: anything */
};

struct archive_options {
    int level; /* of zstd, 1 to 19; 0: nothing is compressed */
    bool
        compress_weights; /* *.safetensors and Core ML models, too: smaller, but unpacked into memory when they are opened */
    bool (*is_cancelled)(void *context); /* may be NULL */
    /* A source was read, and compressed if it is to be; may be NULL. */
    void (*source_done)(void *context, const char *path, uint64_t size_bytes);
    void *context;
    const char *signature; /* of metadata.json, which lists all sources; NULL: not signed */
    const struct archive_secret
        *secret; /* NULL: not encrypted. With one no two archives have the same bytes */
    uint32_t kdf_memory_kib, kdf_passes, chunk_bytes; /* then; 0: as archive_encryption.h says */
};

struct archive_summary {
    size_t n_entries;
    uint64_t content_bytes, file_bytes;
};

/* Writes beside `target` and renames: it is whole or not there. A link is followed and stays. MODEL_INVALID_ARGUMENT:
 * what is there is no regular file. Sources may come in any order; twice the
 * same path is MODEL_INVALID_ARGUMENT. MODEL_CORRUPT: a source has another digest than it must have, or
 * was written to meanwhile. MODEL_CANCELLED. */
model_status archive_write(const char *target, const struct archive_source *sources,
                           size_t n_sources, const struct archive_options *options,
                           struct archive_summary *ret, struct model_error *err);

#endif
