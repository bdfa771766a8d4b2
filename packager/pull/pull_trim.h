/* pull_trim.h - the bound of what a mirror keeps of another hub: what was not used for the longest time goes. */
#ifndef PULL_TRIM_H
#define PULL_TRIM_H

#include "pull_cache.h"

#define PULL_TRIM_YOUNG_S 60 /* what was used this recently stays: a client may be waiting for it */

/* Removes blobs of the cache until no more than limit_bytes are left, or only young ones. now_s: the time
 * now. [any-thread], any process: a reader that has the file open reads on. */
model_status pull_trim(const struct pull_cache *cache, uint64_t limit_bytes, int64_t now_s,
                       uint64_t *ret_removed_bytes, struct model_error *err);

#endif
