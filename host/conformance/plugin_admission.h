/* plugin_admission.h - whether a plugin's file may be opened: not when it is in quarantine, and by the policy
 * "conformant" only with a report of a conformance run that all checks passed. [any-thread] */
#ifndef PLUGIN_ADMISSION_H
#define PLUGIN_ADMISSION_H

#include "modelhost.h"

/* MODEL_UNSUPPORTED says why not and what to do. policy: enum modelhost_load_policy. now_s: seconds since
 * 1970. store_dir NULL: nothing is known of any plugin. The file is read only when there is something to
 * compare its digest with. */
model_status plugin_admission_check(const char *store_dir, const char *plugin, int32_t policy,
                                    int64_t now_s, struct model_error *err);

#endif
