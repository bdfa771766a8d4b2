/* packing_package.h - an author's folder with tests/abi/plugin_packing.c in it and a weight that is large enough to be
 * kept, a store beside it, and hosts of that store. w[i] is i % 1000. */
#ifndef PACKING_PACKAGE_H
#define PACKING_PACKAGE_H

#include "dtype.h"
#include "echo_package.h"

#include <pthread.h>

#define PACKING_N (300u << 10) /* elements of w: two blobs of 1.2 MB */

struct packing {
    char *dir, *store, *weights;
    pthread_mutex_t mutex; /* guards lines */
    char lines[32768];     /* that hosts have logged since the last open */
};

static inline void packing_keep_line(void *context, int32_t level, const char *line)
{
    struct packing *packing = context;
    (void)level;
    (void)pthread_mutex_lock(&packing->mutex);
    const size_t used = strlen(packing->lines);
    (void)snprintf(packing->lines + used, sizeof packing->lines - used, "%s\n", line);
    (void)pthread_mutex_unlock(&packing->mutex);
}

/* w scaled by `factor`. */
static inline void packing_write_weights(const struct packing *packing, float factor)
{
    char header[256] = "";
    uint64_t n_header = (uint64_t)snprintf(
        header, sizeof header, "{\"w\":{\"dtype\":\"F32\",\"shape\":[%u],\"data_offsets\":[0,%u]}}",
        PACKING_N, 4 * PACKING_N);
    while (n_header % 8 != 0)
        header[n_header++] = ' ';
    const size_t n_bytes = 8 + (size_t)n_header + 4 * PACKING_N;
    uint8_t *file = malloc(n_bytes);
    assert_non_null(file);
    memcpy(file, &n_header, 8);
    memcpy(file + 8, header, (size_t)n_header);
    for (uint32_t i = 0; i < PACKING_N; i++) {
        const float w = factor * (float)(i % 1000);
        memcpy(file + 8 + n_header + 4 * i, &w, 4);
    }
    (void)unlink(packing->weights);
    write_file(packing->weights, file, n_bytes);
    free(file);
}

static inline struct packing *packing_create(void)
{
    struct packing *packing = calloc(1, sizeof *packing);
    assert_non_null(packing);
    (void)pthread_mutex_init(&packing->mutex, NULL);
    packing->dir = make_package("packing", "{}");
    packing->store = scratch_dir();
    packing->weights = path_join(packing->dir, "backends/cpu/model.safetensors");
    packing_write_weights(packing, 1);
    return packing;
}

static inline void packing_destroy(struct packing *packing)
{
    (void)pthread_mutex_destroy(&packing->mutex);
    remove_package(packing->store);
    remove_package(packing->dir);
    free(packing->weights);
    free(packing);
}

static inline void packing_write_config(const struct packing *packing, const char *config)
{
    char *path = path_join(packing->dir, "backends/cpu/config.json");
    write_file(path, config, strlen(config));
    free(path);
}

static inline struct modelhost *packing_host(struct packing *packing, uint64_t max_bytes)
{
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct model_error err = {.struct_size = sizeof err};
    struct modelhost *host = NULL;
    packing->lines[0] = '\0';
    options.store_dir = options.plugin_path = packing->store;
    options.lanes = options.threads = 1;
    options.log_level = MODEL_LOG_DEBUG;
    options.log = packing_keep_line;
    options.log_context = packing;
    options.prepared_max_bytes = max_bytes;
    if (modelhost_create(&options, &host, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return host;
}

static inline struct modelhost_model *packing_load(const struct packing *packing,
                                                   struct modelhost *host,
                                                   const struct modelhost_load_options *options)
{
    struct model_error err = {.struct_size = sizeof err};
    struct modelhost_model *model = NULL;
    if (modelhost_load_with(host, packing->dir, options, &model, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return model;
}

/* Runs it: y must be x + 2 w, of a w that was written with this factor. Returns how many blobs the plugin filled. */
static inline int packing_run(struct modelhost_model *model, float factor)
{
    struct model_error err = {.struct_size = sizeof err};
    struct modelhost_result *result = NULL;
    struct model_tensor tensor = {.struct_size = sizeof tensor};
    const struct model_tensor *const inputs[] = {&tensor};
    const int64_t n = PACKING_N;
    float *x = malloc(PACKING_N * sizeof *x);
    assert_non_null(x);
    for (uint32_t i = 0; i < PACKING_N; i++)
        x[i] = (float)(i % 77);
    tensor_init(&tensor, "x", MODEL_F32, 1, &n, x);
    if (modelhost_run(model, inputs, 1, NULL, &result, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    const float *y = modelhost_result_at(result, 0)->data;
    for (uint32_t i = 0; i < PACKING_N; i++)
        if (y[i] != (float)(i % 77) + 2 * factor * (float)(i % 1000))
            fail_msg("y[%u] is %g", i, (double)y[i]);
    const int n_filled = (int)*(const float *)modelhost_result_at(result, 1)->data;
    modelhost_result_destroy(result);
    free(x);
    return n_filled;
}

/* A host that loads it, runs it, and goes: how many blobs were filled. */
static inline int packing_once(struct packing *packing, float factor,
                               const struct modelhost_load_options *options)
{
    struct modelhost *host = packing_host(packing, 0);
    struct modelhost_model *model = packing_load(packing, host, options);
    const int n_filled = packing_run(model, factor);
    modelhost_release(model);
    modelhost_destroy(host);
    return n_filled;
}

/* The files in <store>/prepared; *ret_first is the path of the first, to be freed, or NULL. */
static inline size_t packing_files(const struct packing *packing, char **ret_first)
{
    struct dir_list list = {0};
    char *folder = path_join(packing->store, "prepared");
    *ret_first = NULL;
    if (dir_read(folder, &list, NULL) == MODEL_OK && list.n_names > 0)
        *ret_first = path_join(folder, list.names[0]);
    const size_t n = list.n_names;
    dir_list_finish(&list);
    free(folder);
    return n;
}

#endif
