/* coreml_ane.h - Core ML models on any processor: the file is read by store/coreml, translated into a graph
 * (plugins/graph) and computed by the kernels.
 *
 * coreml_ane.c finds and opens the model, describes it and runs it. translate_network.c walks the layers of a
 * NeuralNetwork, whose kinds stand in a table; a layer's translation is a short function in the translate_*.c
 * of its family. translate_program.c walks an ML Program, program_*.c have its operations. The file is closed once the graph stands: the
 * graph has the weights; but where inputs may have several sizes it stays open, and variants.c has graphs for these.
 * [create-thread] but run() and what it translates. */
#ifndef COREML_ANE_H
#define COREML_ANE_H

#include "bridged.h"
#include "coreml_model.h"
#include "feature_sizes.h"
#include "graph_build.h"
#include "graph_services.h"
#include "model_extensions.h"

#define COREML_ANE_MAX_FEATURES 16 /* inputs, and outputs */

/* An input or output as callers see it. */
struct ane_feature {
    const char *name; /* lives with the kernels */
    int32_t dtype;    /* MODEL_F32, or MODEL_I32 of an output or of a program's input */
    uint32_t flags;   /* of its spec: MODEL_SPEC_BYTES of a picture */
    uint32_t open;    /* bit i: an input whose file says nothing of dimension i */
    struct graph_shape shape;
    struct graph_shape made; /* an output of a network as its layer makes it */
};

/* The model for inputs of certain sizes. */
struct ane_variant {
    struct graph *graph; /* its inputs and outputs in the order of these: */
    struct ane_feature inputs[COREML_ANE_MAX_FEATURES], outputs[COREML_ANE_MAX_FEATURES];
    uint32_t n_inputs, n_outputs;
    /* Set before translating: shapes of the inputs, and the variant of the default ones; NULL: these are the default. */
    const struct graph_shape *sizes;
    const struct ane_variant *usual;
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

/* Fills the variant's graph, and its features, out of what there is of the file. */
model_status coreml_ane_translate(struct ane_variant *variant, const struct coreml_model *file,
                                  struct model_error *err);

/* Out of file->network. */
model_status translate_network(struct ane_variant *variant, const struct coreml_model *file,
                               struct model_error *err);

/* The same out of file->program. */
model_status translate_program(struct ane_variant *variant, const struct coreml_model *file,
                               struct model_error *err);

#endif
