/* store_history.h - what a ref led to before: versions of a model, and the way back.
 *
 *   <store>/history/<key>/<revision>   lines "2026-11-21T20:00:00Z set|back <key>/<digest>", oldest first
 *
 * Branches and tags have a history, commits need none. It is written behind the ref and helps people: one
 * that is lost costs the way back by itself, nothing else. [any-thread], any process. */
#ifndef STORE_HISTORY_H
#define STORE_HISTORY_H

#include "store.h"

#include <stdbool.h>

#define STORE_HISTORY_MAX 200 /* entries that are kept, the newest */

struct store_history_entry {
    char *target;  /* "<key>/<digest>" */
    char time[24]; /* UTC, "YYYY-MM-DDTHH:MM:SSZ" */
    bool is_back;  /* a rollback, not a new version */
};

struct store_history {
    struct store_history_entry *entries; /* (n_entries), oldest first */
    size_t n_entries;
};

/* What is known of a ref; nothing is no error. Lines that break the form are left out. */
model_status store_history_read(const struct store *store, const char *key, const char *revision,
                                struct store_history *ret, struct model_error *err);
void store_history_finish(struct store_history *history);

/* Adds that the ref led to `before` (NULL: to nothing), if that is not known yet, and leads to `target`
 * now. */
model_status store_history_add(const struct store *store, const char *key, const char *revision,
                               const char *before, const char *target, bool is_back,
                               struct model_error *err);

/* The entry that leads back from `current`: rollbacks undo what came before them, so that one after the
 * other goes further back. Only targets that exist(context, target) says are still there count. NULL:
 * none. Pure. */
const struct store_history_entry *store_history_before(
    const struct store_history *history, const char *current,
    bool (*exists)(void *context, const char *target), void *context);

/* ---- the way back */

struct store_rollback {
    char *from, *to; /* the packages' folders */
    char *revision;  /* the ref that was moved */
};

/* Whether a ref may be led to a package's folder. */
typedef model_status store_allow_fn(void *context, const char *dir, struct model_error *err);

/* Moves a ref back: name is "id" or "id@ref" ("main" is meant without). wanted: a revision, a commit or
 * its beginning that the store has, or NULL for the version before. The names that the model was asked
 * by move with it. allow: asked before anything moves; NULL: to any. MODEL_NOT_FOUND: there is none, says what
 * the store has. */
model_status store_roll_back(const struct store *store, const char *name, const char *wanted,
                             store_allow_fn *allow, void *context, struct store_rollback *ret,
                             struct model_error *err);
void store_rollback_finish(struct store_rollback *rollback);

#endif
