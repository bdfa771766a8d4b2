/* coreml_ane.h - Core ML models on any processor: the file is read by store/coreml, translated into a graph
 * (plugins/graph) and computed by the kernels.
 *
 * coreml_ane.c finds and opens the model, describes it and runs it. translate_network.c walks the layers of a
 * NeuralNetwork, whose kinds stand in a table; a layer's translation is a short function in the translate_*.c
 * of its family. translate_program.c walks an ML Program, program_*.c have its operations. The file is closed once the graph stands: the graph has the weights. [create-thread] but run(). */
#ifndef COREML_ANE_H
#define COREML_ANE_H

#include "bridged.h"
#include "coreml_model.h"
#include "graph_build.h"
#include "graph_services.h"
#include "model_extensions.h"

#define COREML_ANE_MAX_FEATURES 16 /* inputs, and outputs */

/* An input or output as callers see it. */
struct ane_feature {
    const char *name; /* lives with the kernels */
    int32_t dtype;    /* MODEL_F32, or MODEL_I32 of an output or of a program's input */
    uint32_t flags;   /* of its spec: MODEL_SPEC_BYTES of a picture */
    struct graph_shape shape;
};

struct coreml_ane {
    struct plugin_model model;
    struct graph_services *services; /* given back by destroy() */
    struct graph *graph;             /* its inputs and outputs in the order of these: */
    struct ane_feature inputs[COREML_ANE_MAX_FEATURES], outputs[COREML_ANE_MAX_FEATURES];
    uint32_t n_inputs, n_outputs;
    struct bridged bridged; /* then all of the graph is unused */
    struct model_device_plan plan;
};

/* Builds ane->graph and the features out of file->network. */
model_status translate_network(struct coreml_ane *ane, const struct coreml_model *file,
                               struct model_error *err);

/* The same out of file->program. */
model_status translate_program(struct coreml_ane *ane, const struct coreml_model *file,
                               struct model_error *err);

#endif
