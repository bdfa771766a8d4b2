/* model_load.h - loading models, through the host's cache if it has one. [any-thread] */
#ifndef MODEL_LOAD_H
#define MODEL_LOAD_H

#include "model_cache.h"

/* Makes the host's cache, if its options want one. */
model_status model_load_create_cache(struct modelhost *host,
                                     const struct modelhost_options *options,
                                     struct model_error *err);

/* The package in a folder, with the first of its backends that opens. `options` may be NULL. */
model_status model_load(struct modelhost *host, const char *package_dir,
                        const struct modelhost_load_options *options, struct modelhost_model **ret,
                        struct model_error *err);

#endif
