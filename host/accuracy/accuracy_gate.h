/* accuracy_gate.h - whether a model may compute in the dtype that was asked for, by the reports of `modelhost quantize` in
 * the store; and which dtype "auto" is. */
#ifndef ACCURACY_GATE_H
#define ACCURACY_GATE_H

#include "accuracy_report.h"
#include "log.h"
#include "prepared_key.h"

/* model->options is what was asked; `package_name` names it in sentences. *ret_dtype: what to compute in. For
 * MODELHOST_AUTO the fewest bits whose report is good, float32 when none is. MODEL_UNSUPPORTED with the report and its
 * figure when a report missed its budget, and with accuracy_policy MODELHOST_ACCURACY_REQUIRED when there is none. A weak
 * report (accuracy_report_is_weak()) may forbid; it counts as good for what was asked for by name, and for
 * MODELHOST_AUTO with MODELHOST_ACCURACY_ANY only. `log` (may be NULL) is warned of reports that cannot be read.
 * `store_dir` NULL: there are no reports. No state. */
model_status accuracy_gate_choose(const char *store_dir, const struct prepared_model *model,
                                  const char *package_name, const struct log_sink *log,
                                  int32_t *ret_dtype, struct model_error *err);

#endif
