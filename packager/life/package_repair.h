/* package_repair.h - mends a package of a store whose files were damaged or lost: with the contents that its manifest
 * lists, and with the very manifest and signature that it has. Nothing else is made in its place. */
#ifndef PACKAGE_REPAIR_H
#define PACKAGE_REPAIR_H

#include "download.h"

struct package_repaired {
    size_t n_files;        /* that were bad, and are right now */
    uint64_t needed_bytes; /* of them, those that the store had nowhere */
};

/* `dir` is a package of `store`. Its metadata.json must be what its folder's name says, and signed as options->signature
 * wants (NULL: or not at all); each content is compared with it before it is used. What is bad is taken from the store where
 * that has it, else from the hub of `options` at the package's commit (id, revision, rules and store_dir are set here),
 * or, a plugin, from the plugin path. Refs stay, but for the commit's. MODEL_CORRUPT, MODELHOST_UNTRUSTED: the papers
 * themselves are wrong. MODEL_NOT_FOUND: a content is nowhere. The package stays as it is until all of them are there. */
model_status package_repair(const struct store *store, const char *dir,
                            const struct download_options *options, struct package_repaired *ret,
                            struct model_error *err);

#endif
