/* coreml_ane.h - Core ML models on any processor: the file is read by store/coreml, translated into a graph
 * (plugins/graph) and computed by the kernels.
 *
 * coreml_ane.c finds and opens the model, describes it and runs it. translate_network.c walks the layers of a
 * NeuralNetwork, whose kinds stand in a table; a layer's translation is a short function in the translate_*.c
 * of its family. translate_program.c walks an ML Program, program_*.c have its operations; translate_pipeline.c has several of both
 * make one graph. The file is closed once the graph stands: the graph has the weights; but where inputs may have several sizes it stays
 * open, and variants.c has graphs for these. [create-thread] but run() and what it translates. */
#ifndef COREML_ANE_H
#define COREML_ANE_H

#include "bridged.h"
#include "coreml_model.h"
#include "feature_sizes.h"
#include "graph_build.h"
#include "graph_services.h"
#include "model_extensions.h"

#define COREML_ANE_MAX_FEATURES 64  /* inputs, and outputs */
#define COREML_ANE_MAX_PASSED   128 /* inputs and outputs of all parts of a pipeline */

/* An input or output as callers see it. */
struct ane_feature {
    const char *name; /* lives with the kernels */
    int32_t dtype;    /* MODEL_F32, or MODEL_I32 of an output or of a program's input */
    uint32_t flags;   /* of its spec: MODEL_SPEC_BYTES of a picture */
    uint32_t open;    /* bit i: an input whose file says nothing of dimension i */
    struct graph_shape shape;
    struct graph_shape made; /* an output of a network as its layer makes it */
};

/* What goes on from part to part of a pipeline, by its name. */
struct ane_passed {
    struct ane_feature feature;
    uint32_t value;
    bool is_input; /* of the pipeline */
};
struct ane_pipeline {
    struct ane_passed passed[COREML_ANE_MAX_PASSED]; /* (n) */
    uint32_t n;
};

/* The model for inputs of certain sizes. */
struct ane_variant {
    struct graph *graph; /* its inputs and outputs in the order of these: */
    struct ane_feature inputs[COREML_ANE_MAX_FEATURES], outputs[COREML_ANE_MAX_FEATURES];
    uint32_t n_inputs, n_outputs;
    /* Set before translating: shapes of the inputs, and the variant of the default ones; NULL: these are the default. */
    const struct graph_shape *sizes;
    const struct ane_variant *usual;
    struct ane_pipeline *pipeline; /* NULL, but while its parts are translated */
};

struct coreml_ane {
    struct plugin_model model;
    struct graph_services *services;                   /* given back by destroy() */
    uint32_t threads;                                  /* of a run */
    struct ane_variant usual;                          /* of default sizes */
    struct input_sizes sizes[COREML_ANE_MAX_FEATURES]; /* of its inputs */
    struct ane_variants *variants;                     /* for others; NULL: there are none */
    struct coreml_model *file;                         /* open while there are variants */
    struct bridged bridged;                            /* then all of the graph is unused */
    struct model_device_plan plan;
};

/* What the field of config.json names in the backend's folder. MODEL_INVALID_ARGUMENT: it leads out of it. */
model_status coreml_ane_path(const char *backend_dir, const char *field, const char *name,
                             char ret[BRIDGED_PATH_BYTES], struct model_error *err);

/* Fills the variant's graph, and its features, out of what there is of the file. */
model_status coreml_ane_translate(struct ane_variant *variant, const struct coreml_model *file,
                                  struct model_error *err);

/* Behind that of ane->usual: which sizes its inputs may have; where these are others than their default, what is packed will be
 * shared, and variants are made of ane->file. */
model_status coreml_ane_find_sizes(struct coreml_ane *ane, struct model_error *err);

/* The dtype of a feature's tensor: MODEL_I32 or MODEL_F32; of an array of another one an error. */
int32_t ane_dtype_of(struct graph_builder *b, const struct coreml_feature *feature);
/* An input or output of the model that is translated (ane_features.c): of the graph, or, in a pipeline, what goes on. The
 * name stays. An input's value has the feature's shape, and of int32 the numbers. */
uint32_t ane_add_input(struct ane_variant *variant, struct graph_builder *b,
                       const struct ane_feature *feature);
void ane_add_output(struct ane_variant *variant, struct graph_builder *b,
                    const struct ane_feature *feature, uint32_t value);
/* The newest of this name; NULL: none. */
const struct ane_passed *ane_find_passed(const struct ane_pipeline *pipeline, const char *name);

/* Out of file->network. */
model_status translate_network(struct ane_variant *variant, const struct coreml_model *file,
                               struct model_error *err);

/* The same out of file->parts. */
model_status translate_pipeline(struct ane_variant *variant, const struct coreml_model *file,
                                struct model_error *err);

/* The same out of file->program. */
model_status translate_program(struct ane_variant *variant, const struct coreml_model *file,
                               struct model_error *err);

#endif
