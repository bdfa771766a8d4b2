/* bridged_schema.h - whether what a bridge says of a model can be: by itself, and beside the file it was read from.
 * Pure. [any-thread] */
#ifndef BRIDGED_SCHEMA_H
#define BRIDGED_SCHEMA_H

#include "coreml_bridge.h"

struct coreml_model;

/* It is there, and has as many inputs and outputs as can be. */
model_status bridged_check_counts(const struct coreml_schema *schema, struct model_error *err);

/* Behind that. Each input and output: its name, dtype and sizes, all of the file's and no others. `file` is what was read, or NULL: a compiled
 * model, whose schema is all that is known. MODEL_CORRUPT: "Core ML: output 'y' is I32 [2], and the model declares F32 [2]".
 * MODEL_UNSUPPORTED: one that declares no sizes. */
model_status bridged_check_schema(const struct coreml_schema *schema,
                                  const struct coreml_model *file, struct model_error *err);

#endif
