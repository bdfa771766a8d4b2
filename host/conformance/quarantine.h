/* quarantine.h - plugins that are not opened any more, by the SHA-256 of their file:
 *
 *   <store>/quarantine/<sha256>.json
 *   {"format_version":1, "sha256":"...", "plugin":"bert 1.0.0", "path":"/.../libmodel.so",
 *    "reason":"failed check 8 (bounds): ...", "since_s":1795276800, "expires_s":1795881600}
 *
 * expires_s 0: never. An entry that cannot be read counts as one: a plugin is not let in by damaging a file.
 * Any thread, any process: entries appear and go by one rename. Times are seconds since 1970, given by the
 * caller. */
#ifndef QUARANTINE_H
#define QUARANTINE_H

#include "digest.h"

#include <stdbool.h>

#define QUARANTINE_FORMAT_VERSION 1
#define QUARANTINE_REASON_BYTES   512
#define QUARANTINE_DEFAULT_DAYS   7

struct quarantine_entry {
    char sha256[SHA256_HEX_BYTES];
    char plugin[80];
    char path[1024]; /* where it was then, for people */
    char reason[QUARANTINE_REASON_BYTES];
    int64_t since_s;
    int64_t expires_s; /* 0: never */
    bool is_broken;    /* the file could not be read: only sha256 and reason are known */
};

/* Adds or replaces one. What does not fit is cut. */
model_status quarantine_add(const char *store_dir, const struct quarantine_entry *entry,
                            struct model_error *err);
/* MODEL_NOT_FOUND: it is not in quarantine, or no more at now_s. MODEL_IO: that cannot be known. */
model_status quarantine_find(const char *store_dir, const char *sha256, int64_t now_s,
                             struct quarantine_entry *ret, struct model_error *err);
/* Whether there is any entry, expired ones included: else nobody needs to know a plugin's digest. */
bool quarantine_is_used(const char *store_dir);

struct quarantine_list {
    struct quarantine_entry *entries; /* (n_entries), ordered by sha256; also expired ones */
    size_t n_entries;
};

/* A store without entries has an empty list. */
model_status quarantine_list(const char *store_dir, struct quarantine_list *ret,
                             struct model_error *err);
void quarantine_list_finish(struct quarantine_list *list);
/* MODEL_NOT_FOUND: there was no such entry. */
model_status quarantine_clear(const char *store_dir, const char *sha256, struct model_error *err);

char *quarantine_print(const struct quarantine_entry *entry);
model_status quarantine_parse(const char *text, size_t size_bytes, const char *what,
                              struct quarantine_entry *ret, struct model_error *err);

#endif
