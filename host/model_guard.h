/* model_guard.h - what keeps a plugin that crashes again and again from being started again and again. */
#ifndef MODEL_GUARD_H
#define MODEL_GUARD_H

#include "loaded_model.h"
#include "worker_slot.h"

/* For the workers of a model whose plugin file is known: counts their crashes if its load options say so
 * (quarantine_after_crashes), and starts none while the plugin is in quarantine. */
model_status model_guard_init(struct modelhost_model *model, struct worker_guard *ret,
                              struct model_error *err);
/* Behind the last worker. */
void model_guard_finish(struct modelhost_model *model);

#endif
