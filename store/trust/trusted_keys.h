/* trusted_keys.h - whose signatures count: one small file of public keys, trusted or revoked, with dates and comments.
 *
 *   {"format_version":1, "keys":[
 *     {"id":"ADB7817BDA039948", "key":"RWRImQ...", "fingerprint":"<BLAKE2b-256>", "comment":"Ada",
 *      "trusted":"2026-11-21T09:00:00Z", "revoked":"2026-12-01T10:00:00Z", "reason":"laptop stolen"}]}
 *
 * Whoever may write to it says what is trusted: a file that others may write to is refused. The fingerprint tells a
 * key that was changed by accident. Comments and reasons are lines of text that show as they are (key_comment_is_good()). No two keys have one id. One thread at a time. */
#ifndef TRUSTED_KEYS_H
#define TRUSTED_KEYS_H

#include "signing_key.h"

#include <time.h>

#define TRUSTED_KEYS_NAME      "trusted-keys.json"
#define TRUSTED_KEYS_MAX_BYTES (1u << 20)
#define TRUSTED_KEYS_MAX       1000
#define TRUST_TIME_BYTES       21 /* "2026-11-21T09:00:00Z" */

struct trusted_key {
    struct public_key key;
    char *comment;                  /* "" without one */
    char trusted[TRUST_TIME_BYTES]; /* when it was taken on */
    char revoked[TRUST_TIME_BYTES]; /* ""; when it was revoked */
    char *reason;                   /* of that; "" without one */
};

struct trusted_keys {
    struct trusted_key *keys; /* (n_keys) */
    size_t n_keys;
};

model_status trusted_keys_parse(const char *text, size_t size_bytes, const char *what,
                                struct trusted_keys *ret, struct model_error *err);
/* A file that is not there has no keys. MODELHOST_UNTRUSTED: others may write to it, to its folder, or to that of a link
 * on the way to it. */
model_status trusted_keys_read(const char *path, struct trusted_keys *ret, struct model_error *err);
/* Reads, has `change` do its work, and writes; others who do the same wait. Makes the folder, for its owner only. */
model_status trusted_keys_change(const char *path,
                                 model_status (*change)(void *context, struct trusted_keys *keys,
                                                        struct model_error *err),
                                 void *context, struct model_error *err);
/* To be freed; NULL without memory. */
char *trusted_keys_print(const struct trusted_keys *keys);
void trusted_keys_finish(struct trusted_keys *keys);

/* NULL: there is none. */
const struct trusted_key *trusted_keys_find(const struct trusted_keys *keys,
                                            const uint8_t id[KEY_ID_BYTES]);
/* A key that is there gets the new comment. MODEL_INVALID_ARGUMENT: another key has its id, or it is revoked. */
model_status trusted_keys_add(struct trusted_keys *keys, const struct public_key *key,
                              const char *comment, time_t now, struct model_error *err);
/* MODEL_NOT_FOUND: trusted_keys_add() it before. MODEL_INVALID_ARGUMENT: another key has its id. Once revoked, the
 * first date stays. */
model_status trusted_keys_revoke(struct trusted_keys *keys, const struct public_key *revoked,
                                 const char *reason, time_t now, struct model_error *err);

#endif
