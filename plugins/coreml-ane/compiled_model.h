/* compiled_model.h - what Core ML's compiler makes of a model, and where it is kept: in the folder that the host offers
 * (MODEL_COMPILED_MODELS), by the key of coreml_cache.h; without one in a temporary folder of the system's, which goes with the model. [create-thread] */
#ifndef COMPILED_MODEL_H
#define COMPILED_MODEL_H

#include "coreml_bridge.h"
#include "coreml_cache.h"
#include "kernels.h"

struct coreml_model;

struct compiled_model {
    const struct model_services *services;
    const struct coreml_bridge *bridge;
    const char *source;        /* the path of what is compiled; while it is opened */
    struct coreml_cache cache; /* folder NULL: nothing is kept */
    char key[COREML_CACHE_KEY_BYTES];
    model_status compiler; /* what it said last */
    char *path;            /* where it is compiled; NULL: not yet */
    bool is_temporary;     /* it is in a folder of the system's */
};

/* Finds it, or compiles it: of the model at `source`, which was read as `file` and lives as long, for these units and this
 * precision ("cpuOnly", "low"), which are a part of the key. What cannot be kept is told to the log, and compiled all the
 * same. `compiled` may be finished whatever is returned. */
model_status compiled_model_init(struct compiled_model *compiled,
                                 const struct model_services *services,
                                 const struct coreml_bridge *bridge, const char *source,
                                 const struct coreml_model *file, const char *units,
                                 const char *precision, struct model_error *err);

/* It does not load, and `err` and `status` say why: a kept one that is damaged (MODEL_CORRUPT) is removed and compiled
 * once more; else nothing is done, and `status` returned. */
model_status compiled_model_again(struct compiled_model *compiled, model_status status,
                                  struct model_error *err);
/* When nothing has it loaded any more: a temporary one is removed. All 0 does nothing. */
void compiled_model_finish(struct compiled_model *compiled);

/* The bridge's sentence becomes the error's; takes the text. */
model_status bridge_error(const struct coreml_bridge *bridge, model_status status, char *text,
                          struct model_error *err);

#endif
