/* fuzz_coreml_graph.h - a Core ML model that the reader let through is translated by plugins/coreml-ane into a graph, which
 * is finished and, if it is small, run once, and translated again at other sizes. Included once by a target; one thread. */
#ifndef FUZZ_COREML_GRAPH_H
#define FUZZ_COREML_GRAPH_H

#include "coreml_ane.h"
#include "errors.h"
#include "variants.h"

#include <stdlib.h>

static void must(bool holds)
{
    if (!holds)
        abort();
}

#define MAX_RUN_BYTES ((uint64_t)1 << 20)

static size_t held;
static void *scratch_block;

static void *allocate(void *context, size_t size_bytes)
{
    void *memory = NULL;
    (void)context;
    must(size_bytes <= (size_t)256 << 20);
    if (posix_memalign(&memory, 64, size_bytes + 64) != 0)
        return NULL;
    held++;
    return memory;
}

static void release(void *context, void *memory)
{
    (void)context;
    held -= memory != NULL;
    free(memory);
}

static void parallel_for(void *context, size_t n_items, void (*body)(void *argument, size_t index),
                         void *argument)
{
    (void)context;
    for (size_t i = 0; i < n_items; i++)
        body(argument, i);
}

static void *scratch(void *context, size_t size_bytes)
{
    must(size_bytes <= MAX_RUN_BYTES);
    free(scratch_block);
    scratch_block = malloc(size_bytes);
    (void)context;
    return scratch_block;
}

struct blob {
    struct blob *next;
};
static struct blob *blobs; /* what is packed, behind BLOB_BYTES */

#define BLOB_BYTES 64

static model_status packed_blob(void *context, const char *key, size_t size_bytes,
                                model_status (*fill)(void *argument, void *destination),
                                void *argument, const void **ret_data)
{
    struct blob *blob = allocate(context, size_bytes + BLOB_BYTES);
    (void)key;
    if (blob == NULL)
        return MODEL_OUT_OF_MEMORY;
    *blob = (struct blob){blobs};
    blobs = blob;
    *ret_data = (char *)blob + BLOB_BYTES;
    return fill(argument, (char *)blob + BLOB_BYTES);
}

static void release_blobs(void)
{
    while (blobs != NULL) {
        struct blob *blob = blobs;
        blobs = blob->next;
        release(NULL, blob);
    }
}

static const struct model_services host = {.struct_size = sizeof host,
                                           .allocate = allocate,
                                           .release = release,
                                           .parallel_for = parallel_for,
                                           .packed_blob = packed_blob,
                                           .scratch = scratch};

static void run(const struct coreml_ane *ane, struct kernels *kernels)
{
    struct graph_input inputs[COREML_ANE_MAX_FEATURES] = {{NULL, MODEL_F32}};
    float *outputs[COREML_ANE_MAX_FEATURES] = {NULL};
    struct linear_runner *runner = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    const uint32_t cancelled = 0;
    const struct model_cancel cancel = {sizeof cancel, &cancelled, INT64_MAX};
    if (linear_runner_create(kernels, &runner, &err) != MODEL_OK)
        return;
    for (uint32_t i = 0; i < ane->usual.n_inputs; i++)
        inputs[i] = (struct graph_input){
            calloc(graph_shape_size(&ane->usual.inputs[i].shape), sizeof(float)),
            (ane->usual.inputs[i].flags & MODEL_SPEC_BYTES) != 0 ? MODEL_U8 : MODEL_F32};
    for (uint32_t i = 0; i < ane->usual.n_outputs; i++)
        outputs[i] = malloc(graph_shape_size(&ane->usual.outputs[i].shape) * sizeof(float));
    linear_runner_begin(runner, &cancel, &err);
    const model_status status = graph_run(ane->usual.graph, runner, &cancel, inputs, outputs, &err);
    must((status == MODEL_OK) == (err.message[0] == '\0'));
    for (uint32_t i = 0; i < COREML_ANE_MAX_FEATURES; i++) {
        free((void *)(uintptr_t)inputs[i].data);
        free(outputs[i]);
    }
    linear_runner_destroy(runner);
}

static bool is_small(const struct coreml_ane *ane)
{
    uint64_t bytes = graph_run_bytes(ane->usual.graph);
    for (uint32_t i = 0; i < ane->usual.n_inputs; i++)
        bytes += graph_shape_size(&ane->usual.inputs[i].shape) * sizeof(float);
    for (uint32_t i = 0; i < ane->usual.n_outputs; i++)
        bytes += graph_shape_size(&ane->usual.outputs[i].shape) * sizeof(float);
    return bytes <= MAX_RUN_BYTES;
}

/* The same file at its inputs' smallest sizes, or at twice the default where there is no bound, as a call would have it. */
static void translate_again(struct coreml_ane *ane, struct coreml_model *file)
{
    struct graph_shape sizes[COREML_ANE_MAX_FEATURES];
    struct ane_variant at;
    struct model_error err = MODEL_ERROR_INIT;
    for (uint32_t i = 0; i < ane->usual.n_inputs; i++) {
        const struct ane_feature *input = &ane->usual.inputs[i];
        const struct input_sizes range =
            feature_sizes_of(input, coreml_features_find(&file->inputs, input->name));
        sizes[i] = range.min;
        for (uint32_t d = 0; d < sizes[i].rank; d++)
            if (range.max.size[d] == INT64_MAX)
                sizes[i].size[d] = 2 * input->shape.size[d];
    }
    ane->file = file;
    ane->variants = variants_create(ane, 1);
    must(ane->variants != NULL);
    const model_status status = variants_infer(ane->variants, sizes, &at, &err);
    must((status == MODEL_OK) == (err.message[0] == '\0'));
    variants_destroy(ane->variants);
}

/* emulates: numbers are rounded to float16. */
static void translate(struct coreml_model *file, bool emulates)
{
    const struct model_create_args args = {.struct_size = sizeof args, .threads = 1, .lanes = 1};
    struct graph_services services;
    struct coreml_ane ane = {.services = &services};
    struct model_error err = MODEL_ERROR_INIT;
    if (file->network == NULL && file->program == NULL && file->n_parts == 0)
        return;
    graph_services_init(&services, &host);
    must(kernels_create(&services.table, &args, &ane.model.kernels, &err) == MODEL_OK);
    ane.usual.graph = graph_create(ane.model.kernels);
    must(ane.usual.graph != NULL);
    ane.usual.graph->emulates_f16 = emulates;
    services.graph = ane.usual.graph;
    model_status status = coreml_ane_translate(&ane.usual, file, &err);
    if (status == MODEL_OK)
        status = graph_finish(ane.usual.graph, &err);
    must((status == MODEL_OK) == (err.message[0] == '\0'));
    if (status == MODEL_OK && is_small(&ane))
        run(&ane, ane.model.kernels);
    if (status == MODEL_OK)
        translate_again(&ane, file);
    kernels_destroy(ane.model.kernels);
    release_blobs();
    free(scratch_block);
    scratch_block = NULL;
    must(held == 0);
}

#endif
