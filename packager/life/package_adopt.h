/* package_adopt.h - a package that somebody made, folder or archive, into the store as it is: its manifest and its
 * signature stay what they are, byte for byte. [any-thread] */
#ifndef PACKAGE_ADOPT_H
#define PACKAGE_ADOPT_H

#include "archive.h"
#include "package_import.h"

/* Whether a path is one of a package: an archive, or a folder with metadata.json and backends/. */
bool package_is_adoptable(const char *path);

struct package_adoption {
    const char *path;
    struct archive *archive; /* open, of an archive; NULL: a folder */
    const char *revision;    /* a further name for it, NULL: main */
    const struct trusted_keys
        *keys; /* by which a signature that the store has is judged beside this one; NULL: none */
    const struct signature_policy *
        signature; /* who must have signed the folder; NULL: anybody. (An archive was opened so.) */
};

/* Every content is compared with the manifest while it is copied: MODEL_CORRUPT. MODELHOST_UNTRUSTED. */
model_status package_adopt(const struct store *store, const struct package_adoption *adoption,
                           struct package_imported *ret, struct model_error *err);

#endif
