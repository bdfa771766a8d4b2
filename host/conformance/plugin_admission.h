/* plugin_admission.h - whether a plugin's file may be opened: not when it is in quarantine, and by the policy
 * "conformant" only with a report of a conformance run that all checks passed. [any-thread] */
#ifndef PLUGIN_ADMISSION_H
#define PLUGIN_ADMISSION_H

#include "modelhost.h"

#include <stdbool.h>

/* MODEL_UNSUPPORTED says why not and what to do. policy: enum modelhost_load_policy. now_s: seconds since
 * 1970. store_dir NULL: nothing is known of any plugin. The file is read only when there is something to
 * compare its digest with. */
model_status plugin_admission_check(const char *store_dir, const char *plugin, int32_t policy,
                                    int64_t now_s, struct model_error *err);
/* The same of what has this SHA-256; `plugin` names it. */
model_status plugin_admission_check_digest(const char *store_dir, const char *plugin,
                                           const char *sha256, int32_t policy, int64_t now_s,
                                           struct model_error *err);
/* Whether there is something that the digest is compared with. */
bool plugin_admission_asks(const char *store_dir, int32_t policy);

#endif
