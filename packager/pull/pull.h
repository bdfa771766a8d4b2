/* pull.h - fetching from another hub what a mirror does not have. Blocks on network and disk: for
 * threads of their own, any number at once. */
#ifndef PULL_H
#define PULL_H

#include "pull_cache.h"

#include <stdatomic.h>

struct pull {
    const char *endpoint, *token;   /* NULL: only what the store has; no token */
    const struct pull_cache *cache; /* NULL without an endpoint */
    const struct store *store;      /* its packages and blobs count as fetched; NULL: none */
    const struct log_sink *log;
    int64_t stall_timeout_ms; /* 0: the default */
};

/* How its hub is reached; `stop` must live as long. */
struct hub_config pull_hub_config(const struct pull *pull, const atomic_bool *stop);

/* What `revision` of `id` is now. A commit that is known is not asked for again. When the hub cannot be
 * reached, what it was when last asked, with a warning; MODELHOST_NETWORK when that is not known. The
 * record's id is the hub's own name. `stop` ends it with MODEL_CANCELLED. */
model_status pull_find(const struct pull *pull, const char *id, const char *revision,
                       const atomic_bool *stop, struct pull_record *ret, struct model_error *err);

/* Where the bytes of a digest lie, if they do; to be freed. That they are right is not looked at;
 * that they were used now is noted. */
char *pull_path(const struct pull *pull, const char *digest, uint64_t size_bytes);

/* Makes one file of a commit a blob of the cache, size and digest checked. *received_bytes (may be
 * NULL) tells others how far it is. MODEL_CORRUPT: wrong bytes, twice. */
model_status pull_fetch(const struct pull *pull, const struct hub_model *model,
                        const struct hub_file *file, const atomic_bool *stop,
                        _Atomic uint64_t *received_bytes, struct model_error *err);

#endif
