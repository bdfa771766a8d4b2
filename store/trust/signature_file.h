/* signature_file.h - signatures in minisign's text form:
 *
 *   untrusted comment: <anything>
 *   base64 of  "Ed" or "ED"  key id (8)  Ed25519 signature (64)
 *   trusted comment: <anything>
 *   base64 of  Ed25519 signature over the one above and the trusted comment (64)
 *
 * "ED" signs the BLAKE2b-512 of the bytes, "Ed" the bytes themselves. Parsed as hostile. No state, any thread. */
#ifndef SIGNATURE_FILE_H
#define SIGNATURE_FILE_H

#include "signing_key.h"

#define SIGNATURE_SUFFIX            ".minisig"
#define SIGNATURE_MAX_BYTES         16384u
#define UNTRUSTED_COMMENT_MAX_BYTES 1000u /* minisign reads 1,024 with what stands before it */
#define TRUSTED_COMMENT_MAX_BYTES   8000u /* and 8,192 */

struct signature_file {
    bool is_prehashed;
    uint8_t key_id[KEY_ID_BYTES];
    uint8_t signature[ED25519_SIGNATURE_BYTES], global_signature[ED25519_SIGNATURE_BYTES];
    char *trusted_comment; /* owned */
};

/* `what` names the file. MODEL_CORRUPT; MODEL_UNSUPPORTED: another algorithm. */
model_status signature_file_parse(const char *text, size_t size_bytes, const char *what,
                                  struct signature_file *ret, struct model_error *err);
void signature_file_finish(struct signature_file *file);

/* How a signature fits bytes and the key that it names. */
enum signature_fit {
    SIGNATURE_FITS,
    SIGNATURE_OF_OTHER_BYTES, /* the key's owner made it, for something else */
    SIGNATURE_DAMAGED         /* the key's owner has not made it so */
};
enum signature_fit signature_file_fit(const struct signature_file *file,
                                      const struct public_key *key, const void *data,
                                      size_t size_bytes);

/* The text of a signature, to be freed. The comment is one line without control characters but tabs. */
model_status signature_file_make(const struct secret_key *key, const void *data, size_t size_bytes,
                                 bool is_prehashed, const char *trusted_comment, char **ret,
                                 struct model_error *err);

#endif
