/* bridged.h - the same models computed by Core ML, through a bridge (coreml_bridge.h).
 *
 * Config.json: "coreml_executor" is "coreml" (Core ML or nothing), "kernels" (never Core ML), or left out: Core ML where
 * there is a bridge and no "emulate_fp16", and the kernels when it does not take the model. "compute_units" is "cpuAndNeuralEngine"
 * (when left out), "all", "cpuOnly" or "cpuAndGPU"; "low_precision_accumulation" true: a GPU may accumulate in float16.
 * "coreml_compiled" is a .mlmodelc of the same model, which Core ML loads in its place. */
#ifndef BRIDGED_H
#define BRIDGED_H

#include "compiled_model.h"

#include <stdbool.h>

#define BRIDGED_PATH_BYTES 4096

struct coreml_ane;
struct coreml_model;

/* What a model that Core ML computes holds. */
struct bridged {
    const struct coreml_bridge *bridge; /* NULL: the kernels compute */
    struct coreml_handle *handle;
    struct coreml_plan_counts plan; /* n_operators 0: there is none */
    struct compiled_model compiled; /* what was loaded; all 0 of one that was brought along */
};

/* What config.json asks for. */
struct bridged_wish {
    bool
        is_asked; /* Core ML, if there is a bridge; by the folder's name, too: hosts run the backend "coreml" in workers */
    bool is_only; /* and nothing else */
    bool low_precision;
    int32_t units;                     /* enum model_units: what is asked, or would be on macOS */
    char compiled[BRIDGED_PATH_BYTES]; /* of "coreml_compiled"; "": none */
};

/* MODEL_UNSUPPORTED: Core ML only, and there is no bridge. */
model_status bridged_read_wish(const struct model_services *services, const char *backend_dir,
                               const struct coreml_bridge *bridge, struct bridged_wish *ret,
                               struct model_error *err);

/* Compiles, loads, checks and describes the model at `path`; `file` is what was read of it, or NULL: a compiled model, which
 * is loaded as it is. On failure nothing stays. [create-thread] */
model_status bridged_build(struct coreml_ane *ane, const struct coreml_bridge *bridge,
                           const struct bridged_wish *wish, const char *path,
                           struct coreml_model *file, struct model_error *err);
void bridged_finish(struct bridged *bridged); /* NULL does nothing */

#endif
