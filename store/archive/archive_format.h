/* archive_format.h - the fixed header of an archive, its limits and its cipher suites;
 * docs/package-format.md specifies the bytes. No state, any thread. */
#ifndef ARCHIVE_FORMAT_H
#define ARCHIVE_FORMAT_H

#include "modelhost.h"

#include <stdbool.h>

#define ARCHIVE_SUFFIX               ".mhp"
#define ARCHIVE_FORMAT_VERSION       1
#define ARCHIVE_HEADER_BYTES         128
#define ARCHIVE_ALIGNMENT            4096u /* of entries, so that they can be mapped */
#define ARCHIVE_DIGEST_BYTES         32
#define ARCHIVE_DIGEST_OFFSET        88 /* of the whole file's digest: zeros while it is computed */
#define ARCHIVE_MAX_METADATA_BYTES   (64u << 20)
#define ARCHIVE_MAX_ENCRYPTION_BYTES 4096u
#define ARCHIVE_MAX_SIGNATURE_BYTES  65536u

enum archive_flag {
    ARCHIVE_SIGNED = 1,    /* opened by whoever verifies the signature, and nobody else */
    ARCHIVE_ENCRYPTED = 2, /* the entries are; needs a cipher suite */
};

/* A flipped bit looks like a format of the future: which of the two it is cannot be told without the whole
 * file's digest, so the status of the sentence that ends like this is that of damage. */
#define ARCHIVE_NEWER_OR_DAMAGED                                                                   \
    ": it is damaged, or of a newer program; get the file again, and if it stays so, use a newer " \
    "program"

/* The regions follow each other in this order; the first entry begins at the next multiple of
 * ARCHIVE_ALIGNMENT. */
struct archive_header {
    uint32_t flags;
    uint32_t cipher_suite;
    uint64_t file_bytes;
    uint64_t metadata_bytes, encryption_bytes, signature_bytes;
    uint8_t metadata_sha256[ARCHIVE_DIGEST_BYTES];
    uint8_t file_sha256[ARCHIVE_DIGEST_BYTES];
};

void archive_header_write(const struct archive_header *header,
                          uint8_t ret_bytes[ARCHIVE_HEADER_BYTES]);
/* Checks everything that a header says of itself. `what` names the file, file_bytes is its real size;
 * size_bytes may be less than a header. MODEL_UNSUPPORTED: a newer format; MODEL_CORRUPT. */
model_status archive_header_parse(const uint8_t *bytes, size_t size_bytes, uint64_t file_bytes,
                                  const char *what, struct archive_header *ret,
                                  struct model_error *err);

/* The bytes of a SHA-256 in hexadecimal. */
void archive_digest_of_hex(const char *hex, uint8_t ret_digest[ARCHIVE_DIGEST_BYTES]);

/* Where regions begin. */
uint64_t archive_signature_offset(const struct archive_header *header);
uint64_t archive_entries_offset(const struct archive_header *header);

/* The next multiple of ARCHIVE_ALIGNMENT. */
static inline uint64_t archive_align(uint64_t offset)
{
    return (offset + ARCHIVE_ALIGNMENT - 1) / ARCHIVE_ALIGNMENT * ARCHIVE_ALIGNMENT;
}

/* Whether the bytes begin as an archive does. */
bool archive_has_magic(const uint8_t *bytes, size_t size_bytes);

#define ARCHIVE_CIPHER_NONE    0
#define ARCHIVE_CIPHER_XCHACHA 1

/* MODEL_OK for a suite that this build decrypts (and for none). Else MODEL_UNSUPPORTED, with a sentence for
 * each case: not known, deprecated, not compiled in. `what` names the file. */
model_status archive_cipher_check(uint32_t cipher_suite, const char *what, struct model_error *err);

#endif
