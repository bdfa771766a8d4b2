/* plugin_harness.h - a host in a hundred lines for the tests of plugins: a table of tensors, a
 * configuration, services that count what is held and can run out of memory. One test, one harness;
 * one thread. */
#ifndef PLUGIN_HARNESS_H
#define PLUGIN_HARNESS_H

#include "modelhost.h"
#include "file_map.h"
#include "json_view.h"
#include "model_extensions.h"

#define HARNESS_MAX_TENSORS 512
#define HARNESS_MAX_OUTPUTS 8

struct harness {
    struct model_services services;
    struct model_create_args args;
    json_node *config;
    char *config_text;
    struct model_tensor tensors[HARNESS_MAX_TENSORS];
    void *owned[HARNESS_MAX_TENSORS]; /* data and names to free, or NULL */
    char *names[HARNESS_MAX_TENSORS];
    size_t n_tensors;
    struct file_map map;
    void *blobs[HARNESS_MAX_TENSORS]; /* (n_blobs), in the order in which they were asked for */
    size_t blob_sizes[HARNESS_MAX_TENSORS];
    size_t n_blobs, blob_bytes, n_discarded;
    void *scratch;
    size_t scratch_bytes;
    _Atomic size_t held;                   /* blocks that were allocated and not released */
    _Atomic size_t n_allocated;            /* in all; of both by any thread */
    struct model_compiled_models compiled; /* offered, unless its folder is NULL */
    size_t fail_at; /* the allocation of this number (from 1) finds no memory; 0: none */
    void *library;
    model_create_function create_model;
    struct model *model;
    struct model_instance *instance;
    struct model_error err;
    uint32_t cancelled;
    const uint32_t *slots; /* (batch) of the next runs; NULL: none */
};

/* plugin: "bert", or NULL for tests of the kernels by themselves. */
struct harness *harness_create(const char *plugin, const char *config_json, uint32_t threads);
/* Destroys instance and model too; returns the blocks that were still held. */
size_t harness_destroy(struct harness *h);

/* Copies the data. */
void harness_add(struct harness *h, const char *name, int32_t dtype, uint32_t rank,
                 const int64_t *shape, const void *data);
/* All tensors of a safetensors file, as views of the mapped file. */
void harness_open(struct harness *h, const char *path);
const struct model_tensor *harness_tensor(const struct harness *h, const char *name);
/* Another configuration; before harness_load(). */
void harness_configure(struct harness *h, const char *config_json);

/* create_model() and create_instance(); the error is in h->err. */
model_status harness_load(struct harness *h);

/* A run. inputs: I64 of one shape [batch, sequence]; NULL data: absent. Outputs are allocated here
 * with a guard behind them and freed by harness_outputs_free(). */
struct harness_outputs {
    struct model_tensor tensors[HARNESS_MAX_OUTPUTS];
    uint32_t n;
};
struct harness_inputs {
    int64_t batch, sequence;
    const int64_t *input_ids, *attention_mask, *token_type_ids, *position_ids;
};
/* names end with NULL. */
model_status harness_run(struct harness *h, const struct harness_inputs *inputs,
                         const char *const *names, struct harness_outputs *ret);
void harness_outputs_free(struct harness_outputs *outputs);

/* The folder of a model that ../shared/models/synth.py writes (made on first use), or NULL where
 * SHARED is absent. Freed by the caller. */
char *harness_synth_model(const char *name);
/* $SHARED/models/<name>/<file>, or NULL; freed by the caller. */
char *harness_shared_file(const char *name, const char *file);

#endif
