/* archive_encryption.h - the encryption parameters of an archive as they stand in the file: how its data key is made
 * of a passphrase or a key file. docs/package-format.md has the same table of bytes. No state, any
 * thread; read as hostile. */
#ifndef ARCHIVE_ENCRYPTION_H
#define ARCHIVE_ENCRYPTION_H

#include "cipher_primitives.h"

#define ARCHIVE_ENCRYPTION_VERSION    1
#define ARCHIVE_ENCRYPTION_SIZE_BYTES 128 /* of the region */
#define ARCHIVE_ENCRYPTION_BOUND      64  /* of it are authenticated by the wrapped key */

/* What a reader spends on a passphrase before it knows that it is the right one: two and a half times what
 * a writer chooses. */
#define ARCHIVE_KDF_MIN_MEMORY_KIB 8u
#define ARCHIVE_KDF_MAX_MEMORY_KIB (512u << 10)
#define ARCHIVE_KDF_MAX_PASSES     4u
/* What a writer chooses; RFC 9106 recommends 64 MiB and 3 passes where memory is short. */
#define ARCHIVE_KDF_MEMORY_KIB (256u << 10)
#define ARCHIVE_KDF_PASSES     3u

#define ARCHIVE_MIN_CHUNK_BYTES 4096u
#define ARCHIVE_MAX_CHUNK_BYTES (16u << 20)
#define ARCHIVE_CHUNK_BYTES     (1u << 20) /* what a writer chooses */

enum archive_key_source { ARCHIVE_KEY_OF_PASSPHRASE = 1, ARCHIVE_KEY_OF_FILE = 2 };

struct archive_encryption {
    enum archive_key_source source;
    uint32_t memory_kib, passes; /* of Argon2id; 0 for a key file */
    uint32_t chunk_bytes;        /* of contents that are encrypted together */
    uint8_t salt[CIPHER_SALT_BYTES];
    uint8_t nonce[CIPHER_NONCE_BYTES];                        /* of the wrapped key */
    uint8_t wrapped_key[CIPHER_KEY_BYTES + CIPHER_TAG_BYTES]; /* the data key, encrypted */
    uint8_t metadata_tag[CIPHER_TAG_BYTES];                   /* of the metadata's digest */
};

void archive_encryption_write(const struct archive_encryption *encryption,
                              uint8_t ret_bytes[ARCHIVE_ENCRYPTION_SIZE_BYTES]);
/* `what` names the file. MODEL_UNSUPPORTED: wants more than the limits; MODEL_CORRUPT: damaged, or
 * newer. */
model_status archive_encryption_parse(const uint8_t *bytes, size_t size_bytes, const char *what,
                                      struct archive_encryption *ret, struct model_error *err);
/* For the end of a sentence: "... is encrypted with a " "key file; give it with --key-file". */
const char *archive_key_advice(enum archive_key_source source);

#endif
