/* partial_claim.h - who works on a partial download. <store>/partial/<key> is anyone's; whoever works on
 * it gives its folder a name of his own, <key>.<host>.<boot>.<pid>.<random>, by one rename, which one
 * process alone can win on any disk. When he ends he gives the name back. What a dead process left is taken
 * over after evidence: it ran here and is gone, or nothing was heard from it for PARTIAL_SILENT_S. That
 * evidence may be wrong (a process that slept), so a folder that was taken by age gets its data copied, and
 * the digest of the whole file decides in the end. [any-thread, any process] */
#ifndef PARTIAL_CLAIM_H
#define PARTIAL_CLAIM_H

#include "modelhost.h"

#include <stdbool.h>

#define PARTIAL_OWNER_BYTES 64
#define PARTIAL_BOOT_BYTES  40
#define PARTIAL_SILENT_S    120
#define PARTIAL_BEAT_S      10 /* how often an owner is to be heard from */

struct partial_owner {
    char name[PARTIAL_OWNER_BYTES]; /* <host>.<boot>.<pid>.<random> */
    char boot[PARTIAL_BOOT_BYTES];  /* "" when not known */
};

/* This process. Each call gives another random part. */
void partial_owner_init(struct partial_owner *owner);

enum partial_state { PARTIAL_ALIVE, PARTIAL_DEAD, PARTIAL_SILENT };

/* What is known of the owner with this name, last heard from at heard_s, seen by `self`. A name that is
 * none of ours counts by age alone. */
enum partial_state partial_owner_state(const char *name, const struct partial_owner *self,
                                       int64_t heard_s, int64_t now_s);

enum partial_origin {
    PARTIAL_NEW,  /* an empty folder */
    PARTIAL_KEPT, /* with what others left, of which nobody else knows any more */
    PARTIAL_SPLIT /* the same, but somebody may still write to its files: they must be copied */
};

/* Makes the partial of a key (letters, digits and '-') this owner's; *ret_dir is to be freed. MODEL_BUSY:
 * somebody alive works on it. */
model_status partial_claim(const char *store_dir, const char *key,
                           const struct partial_owner *owner, int64_t now_s, char **ret_dir,
                           enum partial_origin *ret_origin, struct model_error *err);
/* Says that the owner of the folder lives. */
void partial_beat(const char *dir);
/* Leaves the folder to anyone; frees the string. NULL does nothing. */
void partial_release(const char *store_dir, const char *key, char *dir);
/* Removes it with all that is in it; frees the string. NULL does nothing. */
void partial_remove(char *dir);

/* Removes what dead processes left of a key: the file is in the store already. */
void partial_tidy(const char *store_dir, const char *key, const struct partial_owner *self,
                  int64_t now_s);

/* The bytes on disk of all partials of a key; NULL: of all keys. */
uint64_t partial_disk_bytes(const char *store_dir, const char *key);

#endif
