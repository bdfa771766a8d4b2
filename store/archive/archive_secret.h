/* archive_secret.h - what opens an encrypted archive: a passphrase, or 32 bytes out of a file. Lies in memory for
 * secrets (cipher_primitives.h); never said in an error. Immutable, any thread; whoever creates one destroys it. */
#ifndef ARCHIVE_SECRET_H
#define ARCHIVE_SECRET_H

#include "archive_encryption.h"

#define ARCHIVE_MAX_PASSPHRASE_BYTES 1024

struct archive_secret {
    enum archive_key_source source;
    size_t size_bytes;
    uint8_t bytes[ARCHIVE_MAX_PASSPHRASE_BYTES];
};

/* A copy of the bytes. MODEL_INVALID_ARGUMENT: an empty or too long passphrase, or one with a NUL byte, a key that has not 32 bytes. */
model_status archive_secret_create(enum archive_key_source source, const void *bytes,
                                   size_t size_bytes, struct archive_secret **ret,
                                   struct model_error *err);
/* Of a passphrase the first line, without its end; of a key file all of it. `name` is for errors. The descriptor
 * stays open. MODELHOST_UNAUTHORIZED: what was read is no passphrase or key. */
model_status archive_secret_read(enum archive_key_source source, int fd, const char *name,
                                 struct archive_secret **ret, struct model_error *err);
model_status archive_secret_read_file(enum archive_key_source source, const char *path,
                                      struct archive_secret **ret, struct model_error *err);
/* NULL does nothing. */
void archive_secret_destroy(struct archive_secret *secret);

#endif
