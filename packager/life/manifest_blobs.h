/* manifest_blobs.h - the contents that a manifest lists and a store lacks, or has damaged: what to ask the hub for, and
 * plugins from the plugin path. [any-thread] */
#ifndef MANIFEST_BLOBS_H
#define MANIFEST_BLOBS_H

#include "store.h"

#include <stdbool.h>

/* Whether the store has the file's content, with the right bytes. */
bool manifest_blob_is_there(const struct store *store, const struct manifest_file *file);

/* Patterns of --include that fit one file of a repository each. */
struct blob_patterns {
    char **patterns; /* (n_patterns) */
    size_t n_patterns;
};
/* Of the files that came from a hub: of all, or of those whose content is not there. */
model_status blob_patterns_make(const struct store *store, const struct manifest *manifest,
                                bool all, struct blob_patterns *ret, struct model_error *err);
void blob_patterns_finish(struct blob_patterns *patterns);

/* Takes the content of a file that came from no hub, a plugin, from the folders of the plugin path, which ':'
 * separates, if that very content lies there. MODEL_OK, too, when it does not. */
model_status manifest_blob_search(const struct store *store, const char *plugin_path,
                                  const struct manifest_file *wanted, struct model_error *err);

#endif
