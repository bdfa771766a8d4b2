/* model_accuracy.h - the gate of accuracy_gate.h for a model that is being opened. */
#ifndef MODEL_ACCURACY_H
#define MODEL_ACCURACY_H

#include "loaded_model.h"

/* The key of its reports in model->load.dtype. MODEL_UNSUPPORTED: its plugin's digest is not known. */
model_status model_accuracy_key(const struct modelhost_model *model, char ret_key[SHA256_HEX_BYTES],
                                struct model_error *err);

/* Before create_model(), and before anything that depends on the dtype: model->load.dtype becomes what to compute in.
 * `weights` NULL: none, or an archive's that are not open. */
model_status model_accuracy_choose(struct modelhost_model *model, const struct weights *weights,
                                   const char *plugin_sha256, struct model_error *err);

#endif
