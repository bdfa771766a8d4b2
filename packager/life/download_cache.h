/* download_cache.h - a download and the hub's cache on disk. */
#ifndef DOWNLOAD_CACHE_H
#define DOWNLOAD_CACHE_H

#include "download.h"

/* Fills a file of the plan from what a mirror of the store pulled, or from the hub's cache, if one has its
 * bytes: it is in the store then. Nothing happens without these, in a dry run, and when it is in the store already. */
model_status download_take_cached(const struct download *download, struct plan_file *planned,
                                  struct model_error *err);

/* With options.lay_cache: lays the files of the plan, which the store has now, down in the cache, under
 * the name that was asked for. */
model_status download_lay_cache(const struct download *download,
                                const struct download_result *result, struct model_error *err);

#endif
