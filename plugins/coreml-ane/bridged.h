/* bridged.h - the same models computed by Core ML, through a bridge (coreml_bridge.h).
 *
 * Config.json: "coreml_executor" is "coreml" (Core ML or nothing), "kernels" (never Core ML), or left out: Core ML where
 * there is a bridge and no "emulate_fp16", and the kernels when it does not take the model. "compute_units" is "cpuAndNeuralEngine" (when
 * left out), "all", "cpuOnly" or "cpuAndGPU". */
#ifndef BRIDGED_H
#define BRIDGED_H

#include "coreml_bridge.h"

#include <stdbool.h>

struct coreml_ane;
struct coreml_model;

/* What a model that Core ML computes holds. */
struct bridged {
    const struct coreml_bridge *bridge; /* NULL: the kernels compute */
    struct coreml_handle *handle;
    struct coreml_plan_counts plan; /* n_operators 0: there is none */
};

/* An extension of the host, "compiled_models/1": where compiled models may be kept. */
struct compiled_models {
    size_t struct_size;
    const char *folder;
    uint64_t max_bytes; /* 0: coreml_cache.h's */
};

/* Whether Core ML is to be asked, by config.json and the folder's name: hosts run the backend "coreml" in workers; *ret_only: and nothing else. MODEL_UNSUPPORTED: only it, and there is no
 * bridge. */
model_status bridged_choice(const struct model_services *services, const char *backend_dir,
                            const struct coreml_bridge *bridge, bool *ret_asked, bool *ret_only,
                            struct model_error *err);

/* Compiles, loads, checks and describes the model at `path`; `file` is what was read of it, or NULL: a compiled model, which
 * is loaded as it is. On failure nothing stays. [create-thread] */
model_status bridged_build(struct coreml_ane *ane, const struct coreml_bridge *bridge,
                           const char *path, const struct coreml_model *file,
                           struct model_error *err);
void bridged_finish(struct bridged *bridged); /* NULL does nothing */

#endif
