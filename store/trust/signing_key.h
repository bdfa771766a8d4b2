/* signing_key.h - keys that sign packages, in the files that minisign reads and writes too. A public key is 42 bytes in base64
 * behind a line of comment:
 *
 *   "Ed"  key id (8)  Ed25519 key (32)
 *
 * A secret key is 158 bytes so, of which all behind the scrypt parameters is XORed with what scrypt makes of the
 * password, or is as it is when there is none:
 *
 *   "Ed"  "Sc" or 0 0  "B2"  salt (32)  operations (8)  memory (8)  key id (8)  secret key (64)  checksum (32)
 *
 * with BLAKE2b-256 over "Ed", id and secret key as checksum (all zero: none, in keys without a password). No state,
 * any thread; a secret key lies in locked memory. */
#ifndef SIGNING_KEY_H
#define SIGNING_KEY_H

#include "signature_primitives.h"

#define KEY_ID_BYTES          8
#define KEY_ID_TEXT_BYTES     17 /* 16 digits in hexadecimal, as minisign shows them */
#define PUBLIC_KEY_TEXT_BYTES 57 /* 42 bytes in base64 */
#define KEY_FILE_MAX_BYTES    4096u
#define KEY_COMMENT_MAX_BYTES 1000u

struct public_key {
    uint8_t id[KEY_ID_BYTES];
    uint8_t key[ED25519_PUBLIC_BYTES];
};

void key_id_write(const uint8_t id[KEY_ID_BYTES], char ret_text[KEY_ID_TEXT_BYTES]);
/* 13 to 16 digits in either case: zeros before them may be left out. */
bool key_id_read(const char *text, uint8_t ret_id[KEY_ID_BYTES]);

/* The file's two lines, or the base64 alone. `what` names it. MODEL_CORRUPT; MODEL_UNSUPPORTED: another
 * algorithm. */
model_status public_key_parse(const char *text, size_t size_bytes, const char *what,
                              struct public_key *ret, struct model_error *err);
void public_key_write(const struct public_key *key, char ret_text[PUBLIC_KEY_TEXT_BYTES]);
/* The two lines; comment NULL: minisign's. To be freed; NULL without memory. */
char *public_key_print(const struct public_key *key, const char *comment);
/* BLAKE2b-256 of id and key, in hexadecimal: what people compare. */
#define KEY_FINGERPRINT_BYTES (2 * BLAKE2B_256_BYTES + 1)
bool public_key_fingerprint(const struct public_key *key, char ret_text[KEY_FINGERPRINT_BYTES]);

/* Whether a text is UTF-8 of one line without the control characters of ASCII but tabs: what files of others may hold. */
bool key_line_is_text(const char *text, size_t size_bytes, size_t max_bytes);
/* Whether it may be a comment that is shown as it is: without other control characters and marks of direction, too. */
bool key_comment_is_good(const char *text, size_t size_bytes, size_t max_bytes);

/* ---- secret keys */

struct secret_key;

/* What a password costs whoever guesses it. */
struct key_cost {
    uint64_t operations, memory_bytes;
};
/* minisign's: 1 GiB, seconds. The limits are those for files, too. */
#define KEY_COST_USUAL         ((struct key_cost){33554432, (uint64_t)1 << 30})
#define KEY_COST_LEAST         ((struct key_cost){32768, (uint64_t)1 << 24})
#define KEY_PASSWORD_MAX_BYTES 1024u

model_status secret_key_create(struct secret_key **ret, struct model_error *err);
/* NULL does nothing. */
void secret_key_destroy(struct secret_key *key);
void secret_key_public(const struct secret_key *key, struct public_key *ret);

/* The file's text, to be given to secret_text_free(). password NULL: as it is. Takes the memory of `cost` for
 * seconds. MODEL_OUT_OF_MEMORY: there is too little; nothing cheaper is made of it. */
model_status secret_key_print(const struct secret_key *key, const char *password,
                              const struct key_cost *cost, char **ret, struct model_error *err);
void secret_text_free(char *text);
/* Whether a file's text wants a password; what is no key does not. */
bool secret_key_wants_password(const char *text, size_t size_bytes);
/* MODEL_CORRUPT: damaged. MODELHOST_UNAUTHORIZED: the wrong password, or none where one is wanted. */
model_status secret_key_parse(const char *text, size_t size_bytes, const char *what,
                              const char *password, struct secret_key **ret,
                              struct model_error *err);
/* Ed25519 over bytes. */
model_status secret_key_sign(const struct secret_key *key, const void *data, size_t size_bytes,
                             uint8_t ret_signature[ED25519_SIGNATURE_BYTES],
                             struct model_error *err);

#endif
