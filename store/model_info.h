/* model_info.h - model_info.json: what a package's model is, counted from its files.
 *
 *   {"format_version":1, "model_type":"bert", "architectures":["BertForMaskedLM"], "task":"fill-mask",
 *    "backends":["cpu"], "parameters":109514298, "weights_bytes":438057192,
 *    "dtypes":{"F32":109514298}, "memory_bytes":..., "max_position_embeddings":512,
 *    "vocab_size":30522, "plugin":{"name":"bert","version":"1.0.0","abi":"1.0","sha256":".."},
 *    "inputs":[{"name":"input_ids","dtype":"I64","shape":["batch",{"name":"sequence","max":512}]}],
 *    "outputs":[...]} */
#ifndef MODEL_INFO_H
#define MODEL_INFO_H

#include "json_view.h"
#include "package.h"

struct weights;

/* Counts the package's weights and reads its config and its plugin's note into a new tree. `description`
 * adds what the plugin said of itself (task, inputs, outputs, memory); NULL when there is no plugin:
 * inputs and outputs are then left out. A package without weights is fine (parameters 0). */
model_status model_info_collect(const struct package *package,
                                const struct model_description *description, json_node **ret,
                                struct model_error *err);

/* The same of weights that are open already; NULL: they are opened. */
model_status model_info_collect_with(const struct package *package, const struct weights *weights,
                                     const struct model_description *description, json_node **ret,
                                     struct model_error *err);

/* {"name","dtype","shape","optional"} of a spec, added to an array. */
void model_info_add_spec(json_node *array, const struct model_tensor_spec *spec);

#endif
