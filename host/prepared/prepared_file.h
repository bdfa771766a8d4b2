/* prepared_file.h - the form of a file of prepared weights (docs/package-format.md): a header, a table, and the
 * blobs as a plugin packed them, each at a multiple of 4 KiB.
 *
 * Reading takes bytes that are mapped and believes nothing: every number is checked before it is used, and no
 * blob is given out before its checksum was compared. A file is of one machine's store: numbers are in the machine's
 * order. Nothing here owns the bytes. [any-thread] */
#ifndef PREPARED_FILE_H
#define PREPARED_FILE_H

#include "digest.h"

#define PREPARED_FILE_VERSION 1
#define PREPARED_HEADER_BYTES 128
#define PREPARED_ALIGNMENT    4096
#define PREPARED_MAX_BLOBS    65536
#define PREPARED_MAX_TABLE    (16u << 20) /* bytes */
#define PREPARED_MAX_KEY      4096        /* bytes of a blob's key */

struct prepared_blob {
    const char *key; /* terminated */
    const void *data;
    uint64_t size_bytes;
    uint64_t hash;
};

/* The table of a file. Its pointers are into the bytes that were read. */
struct prepared_index {
    struct prepared_blob *blobs; /* (n_blobs) */
    size_t n_blobs;
    size_t next; /* where prepared_index_find() looks first: blobs are asked for in one order */
};

/* How long a file says that it is; 0: that is no beginning of one. */
uint64_t prepared_file_announced(const void *header, size_t size_bytes);

/* The header and the table of a file that is made for `key` (64 digits). MODEL_CORRUPT says what is wrong; that a
 * file is of another version or for another key is MODEL_NOT_FOUND. */
model_status prepared_file_read(const void *bytes, uint64_t size_bytes, const char *key,
                                struct prepared_index *ret, struct model_error *err);
/* Compares the blobs with their checksums, on so many threads; the first that does not fit is MODEL_CORRUPT. Brings
 * the pages into memory. [create-thread] */
model_status prepared_file_check(const struct prepared_index *index, uint32_t threads,
                                 struct model_error *err);
/* The blob of this key and size, or NULL. One thread at a time. */
const struct prepared_blob *prepared_index_find(struct prepared_index *index, const char *key,
                                                uint64_t size_bytes);
void prepared_index_finish(struct prepared_index *index);

/* The bytes that a file of these blobs has; 0: there are too many of them, or their keys are too long. */
uint64_t prepared_file_bytes(const struct prepared_blob *blobs, size_t n_blobs);
/* Makes the checksums of the blobs, and writes a file of them to where fd stands (a file, a pipe); `path` names
 * it in errors. */
model_status prepared_file_write(int fd, const char *path, const char *key,
                                 struct prepared_blob *blobs, size_t n_blobs,
                                 struct model_error *err);

#endif
