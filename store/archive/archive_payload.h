/* archive_payload.h - what is stored of an entry, as it was before it was encrypted: the one place that knows whether
 * it is. Any thread. */
#ifndef ARCHIVE_PAYLOAD_H
#define ARCHIVE_PAYLOAD_H

#include "archive_cipher.h"
#include "archive_index.h"

/* Where payloads are read from. */
struct archive_source_file {
    int fd;
    const char *path;                    /* names the file */
    const struct archive_cipher *cipher; /* NULL: what is encrypted cannot be read */
    enum archive_key_source key_source;  /* and what would open it */
};

/* Reads size_bytes of the payload from `at` on; it is known to have them. MODEL_CORRUPT: a chunk is not what was
 * written; MODELHOST_UNAUTHORIZED: it is encrypted, and no key was given. */
model_status archive_payload_read(const struct archive_source_file *file,
                                  const struct archive_entry *entry, uint64_t at, void *data,
                                  size_t size_bytes, struct model_error *err);
/* The same; chunks are decrypted side by side. */
model_status archive_payload_read_parallel(const struct archive_source_file *file,
                                           const struct archive_entry *entry, uint64_t at,
                                           void *data, size_t size_bytes, struct model_error *err);

#endif
