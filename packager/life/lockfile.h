/* lockfile.h - modelhost.lock: packages down to the digest of every file, to be kept with a project.
 *
 *   {"lock_version":1, "packages":[{"refs":["main"], "signer":{...}, ...what metadata.json says, without times}]}
 *
 * Packages are ordered by id and commit, files by path: the same packages give the same bytes. Read as
 * hostile. [any-thread] */
#ifndef LOCKFILE_H
#define LOCKFILE_H

#include "locked_signer.h"
#include "store.h"

#include <stdbool.h>

#define LOCKFILE_NAME         "modelhost.lock"
#define LOCKFILE_VERSION      1
#define LOCKFILE_MAX_BYTES    (64u << 20)
#define LOCKFILE_MAX_PACKAGES 10000
#define LOCKFILE_MAX_REFS     100

struct locked_package {
    struct manifest manifest;
    char **refs; /* (n_refs) branches and tags that lead to it */
    size_t n_refs;
    struct locked_signer signer;
};

struct lockfile {
    struct locked_package *packages; /* (n_packages) */
    size_t n_packages;
};

/* Adds a package of the store. hub_only leaves out what came from no hub: the plugin, model_info.json. By the keys its
 * signer is told; MODELHOST_UNTRUSTED: its signature does not fit. */
model_status lockfile_add(struct lockfile *lockfile, const struct store_entry *entry, bool hub_only,
                          const struct trusted_keys *keys, struct model_error *err);
/* JSON text, ordered, to be freed; NULL without memory. Orders the packages. */
char *lockfile_print(struct lockfile *lockfile);
/* `what` names it in errors. MODEL_CORRUPT, MODEL_UNSUPPORTED: a newer version. */
model_status lockfile_parse(const char *text, size_t size_bytes, const char *what,
                            struct lockfile *ret, struct model_error *err);
model_status lockfile_read(const char *path, struct lockfile *ret, struct model_error *err);
void lockfile_finish(struct lockfile *lockfile);

#endif
