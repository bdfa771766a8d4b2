/* pull_cache.h - the folder in which a mirror keeps what it fetched from another hub.
 *
 *   <root>/.pulled/blobs/<digest>                  each content once; the hub's own digest, checked
 *   <root>/.pulled/used/<digest>                   its time is that of the blob's last use
 *   <root>/.pulled/tmp/                            work in progress, removed at the next start
 *   <root>/.pulled/<ns>--<name>/<commit>.json      pull_record.h
 *   <root>/.pulled/<ns>--<name>/refs/<revision>    "<id> <commit>": what it was when last asked
 *
 * Everything appears by one rename, so any number of processes may share it. [any-thread] */
#ifndef PULL_CACHE_H
#define PULL_CACHE_H

#include "pull_record.h"

struct pull_cache;

/* Makes the folders. */
model_status pull_cache_create(const char *root, struct pull_cache **ret, struct model_error *err);
void pull_cache_destroy(struct pull_cache *cache);
const char *pull_cache_blobs(const struct pull_cache *cache);

/* To be freed; NULL without memory. */
char *pull_cache_blob_path(const struct pull_cache *cache, const char *digest);
bool pull_cache_has_blob(const struct pull_cache *cache, const char *digest, uint64_t size_bytes);
/* Where the content of a digest would lie in the cache below a root; to be freed; NULL without memory. */
char *pull_cache_place(const char *root, const char *digest);
/* Notes that the blob was used now; when that was last, in seconds since 1970 (0: never noted). */
void pull_cache_use(const struct pull_cache *cache, const char *digest);
int64_t pull_cache_used_s(const struct pull_cache *cache, const char *digest);
void pull_cache_forget(const struct pull_cache *cache, const char *digest);
/* A new empty file to be written; its path is to be freed. */
model_status pull_cache_make_part(const struct pull_cache *cache, int *ret_fd, char **ret_path,
                                  struct model_error *err);
/* A part that is complete, checked and synced becomes a blob. */
model_status pull_cache_keep(const struct pull_cache *cache, const char *part_path,
                             const char *digest, struct model_error *err);

/* MODEL_NOT_FOUND: never asked, or never answered. A commit is its own revision. */
model_status pull_cache_read(const struct pull_cache *cache, const char *id, const char *revision,
                             struct pull_record *ret, struct model_error *err);
/* Whether the commit's record is there. */
bool pull_cache_has(const struct pull_cache *cache, const char *id, const char *commit);
/* Keeps the record and what the revision of the id (as it was asked for) stands for now. */
model_status pull_cache_write(const struct pull_cache *cache, const char *id, const char *revision,
                              const struct pull_record *record, struct model_error *err);

#endif
