/* plugin_trust.h - the signature of a plugin by itself: PLUGIN.so.minisig beside it, as minisign makes it. [any-thread] */
#ifndef PLUGIN_TRUST_H
#define PLUGIN_TRUST_H

#include "memory_file.h"
#include "trusted_keys.h"

#define PLUGIN_MAX_BYTES ((size_t)1 << 30)

/* The plugin as a sealed file in memory, whose bytes a trusted key signed: what is done with that is done with what was
 * verified. MODELHOST_UNTRUSTED. */
model_status plugin_trust_open(const char *path, const struct trusted_keys *keys,
                               struct memory_file *ret, struct model_error *err);

#endif
