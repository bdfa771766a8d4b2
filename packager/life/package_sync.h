/* package_sync.h - makes the store have a package of a lockfile, to the last digest. */
#ifndef PACKAGE_SYNC_H
#define PACKAGE_SYNC_H

#include "download.h"
#include "lockfile.h"

enum sync_state {
    SYNC_SAME = 0, /* the store has it, and its refs lead to it */
    SYNC_ABSENT,
    SYNC_DIFFERS, /* another content */
    SYNC_DAMAGED, /* the locked content, with bad files */
    SYNC_REFS     /* the store has it, and a ref leads elsewhere */
};

/* Only looks. *ret_why is a sentence unless it is the same; to be freed. */
model_status package_sync_look(const struct store *store, const struct locked_package *locked,
                               enum sync_state *ret, char **ret_why, struct model_error *err);

/* Whether who had signed the locked package has signed what the store has of it. *ret_why is a sentence unless it is
 * so; to be freed. A package that is not there, or was not signed, is SIGNER_SAME. */
model_status package_sync_signer(const struct store *store, const struct locked_package *locked,
                                 enum signer_state *ret, char **ret_why, struct model_error *err);

/* Fetches what is lacking from the hub of `options` (id, revision, rules and store_dir are set here), takes
 * what came from no hub from the store or the plugin path, and installs the package as it was locked. A
 * damaged one is mended with the papers that it has (package_repair.h). state: package_sync_look().
 * MODEL_CORRUPT: the hub has other bytes than those that were locked; MODEL_NOT_FOUND: a plugin that
 * was locked is nowhere. */
model_status package_sync_make(const struct store *store, const struct locked_package *locked,
                               enum sync_state state, const struct download_options *options,
                               struct model_error *err);

#endif
