/* model_trust.h - whose signature a model's package must have. [any-thread] */
#ifndef MODEL_TRUST_H
#define MODEL_TRUST_H

#include "model_parts.h"
#include "package.h"

/* Opens a package as its options say: with the signature that they want, by the keys that are trusted. A worker
 * process (parts not NULL) wants the manifest that its host has verified instead. The rest of `access` is as it is. As package_open_with(), and what
 * trusted_keys_read() says. */
model_status model_trust_open(const char *package_dir, const char *backend,
                              const struct modelhost_load_options *options,
                              const struct model_parts *parts, const struct archive_access *access,
                              struct package *ret, struct model_error *err);

/* The file of trusted keys that options mean; to be freed. */
model_status model_trust_path(const struct modelhost_load_options *options, char **ret,
                              struct model_error *err);

#endif
