/* package_sign.h - signing a package: a folder, one of the store, or an archive. [any-thread] */
#ifndef PACKAGE_SIGN_H
#define PACKAGE_SIGN_H

#include "log.h"
#include "package_signature.h"
#include "signed_changes.h"

struct package_signing {
    const char *path; /* a folder or an archive */
    const char *id,
        *revision; /* of an author's folder, which gets a manifest; NULL: its name, its files' digest */
    const struct secret_key *key;
    const struct trusted_keys
        *keys;  /* by which the signature that is there is judged; NULL: by `key` */
    bool renew; /* sign what was changed since it was signed, or signed by another, too */
    time_t now;
    const struct log_sink *log;     /* warnings; may be NULL */
    const struct papers_wait *wait; /* for the lock of a folder (papers_lock.h); may be NULL */
};

struct package_signed {
    char *id, *revision;
    size_t n_files;
    bool made_manifest;
    struct signed_changes changes; /* since it was signed, with `renew` */
    char *
        plugin; /* of a folder: one that takes libraries from places of its own, which nobody signs; NULL */
};

/* The files of a folder are compared with its manifest first: what is damaged is not signed. Of an archive every
 * content, and that nothing is in it but what its manifest lists. A package whose signature no longer fits is refused
 * (MODEL_CORRUPT, MODELHOST_UNTRUSTED), or one that another trusted key has signed (MODEL_INVALID_ARGUMENT), unless it is to be renewed; then a folder's manifest is made anew, with another revision,
 * if files were changed. Those of a store are never: their folder's name is what they are. */
model_status package_sign(const struct package_signing *signing, struct package_signed *ret,
                          struct model_error *err);
void package_signed_finish(struct package_signed *result);

#endif
