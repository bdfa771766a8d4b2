/* package_pack.h - a package's folder into one file, and back. [any-thread] */
#ifndef PACKAGE_PACK_H
#define PACKAGE_PACK_H

#include "archive_write.h"
#include "trusted_keys.h"

/* What becomes of the signature beside the manifest. */
struct pack_signature {
    const struct trusted_keys *keys; /* by which it is judged */
    bool is_left_out;
};

/* Packs all files of a package's folder, but those whose name begins with '.'. What its metadata.json lists
 * must be there and have the digest that it lists (MODEL_CORRUPT). A folder without metadata.json must
 * have backends/. A signature beside it goes into the archive's header; then nothing is packed that is not listed
 * (MODEL_CORRUPT). A signature that is damaged, of something else or by a revoked key is refused (MODELHOST_UNTRUSTED) unless it is
 * left out; of a key that is not known nobody can tell. options->signature is not looked at. */
model_status package_pack(const char *dir, const char *target,
                          const struct pack_signature *signature,
                          const struct archive_options *options, struct archive_summary *ret,
                          struct model_error *err);

#endif
