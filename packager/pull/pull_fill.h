/* pull_fill.h - what a mirror pulled becomes a package of its store. Blocks on disk and network: for a
 * thread of its own. */
#ifndef PULL_FILL_H
#define PULL_FILL_H

#include "pull.h"

/* Once every file that `pkgmgr download` would take of the commit is here, makes the package that it would
 * make, under `revision`, as long as the hub says that this is the commit; *ret_filled says whether. The
 * cache gives up what the store has then by the same digest. Without a store nothing happens. */
model_status pull_fill_store(const struct pull *pull, const char *id, const char *revision,
                             const char *commit, const atomic_bool *stop, bool *ret_filled,
                             struct model_error *err);

#endif
