/* coreml_subject.h - the Core ML plugin with a mocked bridge (mock_bridge.h) as a subject of tests: a package, the plugin in
 * this process behind a harness, and the package in a host, which runs it in a worker. */
#ifndef COREML_SUBJECT_H
#define COREML_SUBJECT_H

#include "dtype.h"
#include "errors.h"
#include "files.h"
#include "mock_bridge.h"
#include "plugin_harness.h"
#include "testing.h"

#include <unistd.h>

#define ONLY_COREML "{\"model_type\":\"coreml\",\"coreml_executor\":\"coreml\"}"
#define EITHER      "{\"model_type\":\"coreml\"}"

/* ---- a package */

static inline char *backend_of(const char *dir, const char *name)
{
    return text_format("%s/backends/%s", dir, name);
}

static inline void put(const char *folder, const char *name, const void *data, size_t size_bytes)
{
    char *path = path_join(folder, name);
    write_file(path, data, size_bytes);
    free(path);
}

static inline void add_backend(const char *dir, const char *name, const char *config)
{
    const char *build = getenv("BUILD");
    struct buffer model = BUFFER_INIT(1 << 20);
    char *backend = backend_of(dir, name), *library = path_join(backend, "libmodel.so");
    char *plugin = text_format("%s/tests/plugin_coreml_mock.so", build != NULL ? build : "build");
    char *target = realpath(plugin, NULL);
    assert_non_null(target);
    assert_int_equal(dir_make_all(backend, NULL), MODEL_OK);
    assert_int_equal(file_read("tests/fuzz/corpus/coreml_graph/identity", 1 << 20, &model, NULL),
                     MODEL_OK);
    put(backend, "model.mlmodel", model.data, model.size);
    put(backend, "config.json", config, strlen(config));
    assert_int_equal(symlink(target, library), 0);
    buffer_finish(&model);
    free(backend);
    free(library);
    free(plugin);
    free(target);
}

static inline void tell(const char *dir, const char *what)
{
    put(dir, "mock", what, strlen(what));
}

static inline void remove_package(char *dir)
{
    assert_int_equal(dir_remove_all(dir, NULL), MODEL_OK);
    free(dir);
}

/* ---- in this process */

struct subject {
    struct harness *h;
    char *dir, *backend;
};

static inline struct subject open_subject(const char *backend_name, const char *config)
{
    struct subject s = {harness_create(NULL, config, 1), scratch_dir(), NULL};
    add_backend(s.dir, backend_name, config);
    s.backend = backend_of(s.dir, backend_name);
    s.h->create_model = create_model;
    s.h->args.backend_dir = s.backend;
    return s;
}

static inline void close_subject(struct subject *s)
{
    assert_int_equal(harness_destroy(s->h), 0);
    assert_int_equal(mock_bridge_held(), 0);
    free(s->backend);
    remove_package(s->dir);
}

static inline model_status give_output(void *context, uint32_t index, int32_t dtype, uint32_t rank,
                                       const int64_t *shape, struct model_error *err)
{
    struct model_tensor *const *outputs = context;
    (void)err;
    assert_int_equal(shape[0], 2);
    void *data = outputs[index]->data;
    tensor_init(outputs[index], "y", dtype, rank, shape, data);
    return MODEL_OK;
}

static inline model_status no_output(void *context, uint32_t index, int32_t dtype, uint32_t rank,
                                     const int64_t *shape, struct model_error *err)
{
    (void)context, (void)index, (void)dtype, (void)rank, (void)shape;
    return error_set(err, MODEL_OUT_OF_MEMORY, "the host has no memory");
}

static inline model_status run_on(struct harness *h, const struct model_tensor *in, float *y,
                                  bool has_memory)
{
    struct model_tensor out = {.struct_size = sizeof out, .name = "y", .data = y};
    const struct model_tensor *inputs[] = {in};
    struct model_tensor *outputs[] = {&out};
    const struct model_cancel cancel = {sizeof cancel, &h->cancelled, INT64_MAX};
    const struct model_call call = {.struct_size = sizeof call,
                                    .inputs = inputs,
                                    .n_inputs = 1,
                                    .outputs = outputs,
                                    .n_outputs = 1,
                                    .allocate_output = has_memory ? give_output : no_output,
                                    .context = outputs,
                                    .cancel = &cancel};
    return h->instance->run(h->instance, &call, &h->err);
}

static inline model_status run(struct harness *h, float *y, bool has_memory)
{
    float x[2] = {1, 2};
    struct model_tensor in;
    tensor_init(&in, "x", MODEL_F32, 1, (const int64_t[]){2}, x);
    return run_on(h, &in, y, has_memory);
}

static inline void assert_answers(struct harness *h, int added)
{
    float y[2] = {0};
    assert_int_equal(run(h, y, true), MODEL_OK);
    assert_int_equal((int)y[0], 1 + added);
    assert_int_equal((int)y[1], 2 + added);
}

/* ---- in a host */

struct hosted {
    struct modelhost *host;
    struct modelhost_model *model;
    char *dir;
};

/* A host of one lane for the package that is in dir, which is freed, with its store below; log NULL: nothing is kept. */
static inline struct hosted create_hosted(char *dir, void (*log)(void *context, int32_t level,
                                                                 const char *message))
{
    struct hosted hosted = {.dir = dir};
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    options.store_dir = options.plugin_path = hosted.dir;
    options.lanes = options.threads = 1;
    options.log = log;
    if (modelhost_create(&options, &hosted.host, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return hosted;
}

static inline void load_package(struct hosted *hosted, const struct modelhost_load_options *load)
{
    struct model_error err = MODEL_ERROR_INIT;
    if (modelhost_load_with(hosted->host, hosted->dir, load, &hosted->model, &err) != MODEL_OK)
        fail_msg("%s", err.message);
}

/* The package that is in dir, with both its backends. */
static inline struct hosted load_hosted(char *dir, int32_t accelerator_start)
{
    struct hosted hosted = create_hosted(dir, NULL);
    struct modelhost_load_options load = MODELHOST_LOAD_OPTIONS_INIT;
    load.backend = "coreml,cpu";
    load.breaker_cooldown_ms = 3600000;
    load.accelerator_start = accelerator_start;
    load.kill_grace_ms = 50; /* what hangs ends soon */
    load_package(&hosted, &load);
    return hosted;
}

/* The same, when Core ML is ready. */
static inline struct hosted reopen_hosted(char *dir)
{
    return load_hosted(dir, MODELHOST_ACCELERATOR_WAIT);
}

/* The same of a new package, with both backends; config.json of coreml NULL: ONLY_COREML. */
static inline struct hosted open_hosted(char *dir, const char *config)
{
    add_backend(dir, "coreml", config != NULL ? config : ONLY_COREML);
    add_backend(dir, "cpu", EITHER);
    return reopen_hosted(dir);
}

static inline void close_hosted(struct hosted *hosted)
{
    modelhost_release(hosted->model);
    modelhost_destroy(hosted->host);
    remove_package(hosted->dir);
}

static inline model_status ask(struct modelhost_model *model, int64_t timeout_ms, int *ret_added,
                               struct model_error *err)
{
    float x[2] = {1, 2};
    const int64_t shape = 2;
    struct model_tensor in;
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct modelhost_result *result = NULL;
    tensor_init(&in, "x", MODEL_F32, 1, &shape, x);
    const struct model_tensor *inputs[] = {&in};
    options.timeout_ms = timeout_ms;
    const model_status status = modelhost_run(model, inputs, 1, &options, &result, err);
    if (status == MODEL_OK)
        *ret_added = (int)*(const float *)modelhost_result_at(result, 0)->data - 1;
    modelhost_result_destroy(result);
    return status;
}

#endif
