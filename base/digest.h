/* digest.h - SHA-256 of files, and the SHA-1 by which git names blobs; OpenSSL's libcrypto lives behind
 * this header. A digest belongs to one thread at a time. */
#ifndef DIGEST_H
#define DIGEST_H

#include "modelhost.h"

#define SHA256_HEX_BYTES 65 /* 64 digits and the terminator */
#define SHA1_HEX_BYTES   41

struct digest;

/* SHA-256. */
model_status digest_create_sha256(struct digest **ret, struct model_error *err);
/* SHA-1, which some lists of files ask for beside SHA-256; no proof of anything. */
model_status digest_create_sha1(struct digest **ret, struct model_error *err);
/* git's name of a blob of this size: SHA-1 over "blob <size>\0" and the data. */
model_status digest_create_git_blob(uint64_t size_bytes, struct digest **ret,
                                    struct model_error *err);
void digest_update(struct digest *digest, const void *data, size_t size_bytes);
/* Ends it: writes lower-case hex, terminated, into ret_hex (SHA256_HEX_BYTES or SHA1_HEX_BYTES), and
 * frees the digest. */
void digest_finish_hex(struct digest *digest, char *ret_hex);
/* Frees without a result; NULL does nothing. */
void digest_destroy(struct digest *digest);

/* SHA-256 of a regular file's content, and its size; MODEL_INVALID_ARGUMENT for anything else. */
model_status digest_file_sha256(const char *path, char ret_hex[SHA256_HEX_BYTES],
                                uint64_t *ret_size_bytes, struct model_error *err);
/* SHA-256 of bytes in memory. */
model_status digest_bytes_sha256(const void *data, size_t size_bytes,
                                 char ret_hex[SHA256_HEX_BYTES], struct model_error *err);

/* Which OpenSSL computes them: "3.0.17". */
const char *digest_library_version(void);

#endif
