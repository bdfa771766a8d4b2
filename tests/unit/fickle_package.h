/* fickle_package.h - an author's folder with several backends of the fixture tests/abi/plugin_fickle.c,
 * and a host whose breakers go by a clock of the test's own. */
#ifndef FICKLE_PACKAGE_H
#define FICKLE_PACKAGE_H

#include "clock.h"
#include "dtype.h"
#include "echo_package.h"
#include "errors.h"
#include "host.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>

static _Atomic int64_t fickle_now_ns = 1000 * NS_PER_S;

/* What happens, once, while this thread asks for the time. */
static _Thread_local void (*fickle_meanwhile)(void);

static inline int64_t fickle_clock(void)
{
    void (*const meanwhile)(void) = fickle_meanwhile;
    fickle_meanwhile = NULL;
    if (meanwhile != NULL)
        meanwhile();
    return atomic_load(&fickle_now_ns);
}

static inline void pass_ms(int64_t ms)
{
    (void)atomic_fetch_add(&fickle_now_ns, ms * NS_PER_MS);
}

/* Adds <dir>/backends/<name>; `fields` are more members of its config.json, each behind a comma. */
static inline void add_backend(const char *dir, const char *name, int answer, const char *fields)
{
    const char *build = getenv("BUILD");
    char *backend = text_format("%s/backends/%s", dir, name);
    char *config_path = path_join(backend, "config.json");
    char *config = text_format("{\"model_type\":\"fickle\",\"answer\":%d,"
                               "\"control_path\":\"%s/%s.control\"%s}",
                               answer, dir, name, fields);
    char *link_path = path_join(backend, "libmodel.so");
    char *relative = text_format("%s/tests/plugin_fickle.so", build != NULL ? build : "build");
    char *target = realpath(relative, NULL);
    assert_non_null(target);
    assert_int_equal(dir_make_all(backend, NULL), MODEL_OK);
    write_file(config_path, config, strlen(config));
    assert_int_equal(symlink(target, link_path), 0);
    free(backend);
    free(config_path);
    free(config);
    free(link_path);
    free(relative);
    free(target);
}

/* What a backend does from now on: "f", "i", "s" (plugin_fickle.c), "h", or "" for its work. */
static inline void command(const char *dir, const char *name, const char *order)
{
    char *path = text_format("%s/%s.control", dir, name);
    if (order[0] != '\0')
        write_file(path, order, 1);
    else
        assert_int_equal(unlink(path), 0);
    free(path);
}

/* A host of one lane; `options` may be NULL. */
static inline struct modelhost *fickle_host(const char *dir, struct modelhost_options *options)
{
    struct modelhost_options usual = MODELHOST_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost *host = NULL;
    if (options == NULL)
        options = &usual;
    options->store_dir = options->plugin_path = dir;
    options->lanes = options->threads = 1;
    if (host_create(options, fickle_clock, &host, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return host;
}

static inline struct modelhost_model *fickle_load(struct modelhost *host, const char *dir,
                                                  const struct modelhost_load_options *options)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost_model *model = NULL;
    if (modelhost_load_with(host, dir, options, &model, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return model;
}

/* One synchronous call with x = {value}: its status; *ret_y gets what came, when it is good. */
static inline model_status fickle_run_on(struct modelhost_model *model, float value,
                                         const struct modelhost_run_options *options, float *ret_y,
                                         struct modelhost_result **ret_result,
                                         struct model_error *err)
{
    const int64_t n = 1;
    struct model_tensor x;
    tensor_init(&x, "x", MODEL_F32, 1, &n, &value);
    const struct model_tensor *inputs[] = {&x};
    struct modelhost_result *result = NULL;
    model_status status = modelhost_run(model, inputs, 1, options, &result, err);
    if (status == MODEL_OK && ret_y != NULL)
        *ret_y = *(const float *)modelhost_result_at(result, 0)->data;
    if (status == MODEL_OK && ret_result != NULL)
        *ret_result = result;
    else
        modelhost_result_destroy(result);
    return status;
}

static inline model_status fickle_run(struct modelhost_model *model,
                                      const struct modelhost_run_options *options, float *ret_y,
                                      struct modelhost_result **ret_result, struct model_error *err)
{
    return fickle_run_on(model, 0, options, ret_y, ret_result, err);
}

/* One call, who answered it and why; `reason` NULL: it is the first backend. */
static inline void assert_served_by(struct modelhost_model *model, int answer, const char *backend,
                                    const char *reason)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost_result *result = NULL;
    float y = 0;
    if (fickle_run(model, NULL, &y, &result, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    assert_int_equal((int)y, answer);
    assert_string_equal(modelhost_result_backend(result), backend);
    const char *said = modelhost_result_fallback_reason(result);
    if (reason == NULL)
        assert_null(said);
    else
        assert_string_equal(said, reason);
    modelhost_result_destroy(result);
}

/* So many calls that all end so. */
static inline void fail_times(struct modelhost_model *model, int n, model_status wanted)
{
    for (int i = 0; i < n; i++)
        assert_int_equal(fickle_run(model, NULL, NULL, NULL, NULL), wanted);
}

/* For "create_pipe". */
static inline char *make_pipe(const char *dir)
{
    char *path = path_join(dir, "pipe");
    assert_int_equal(mkfifo(path, 0600), 0);
    return path;
}

/* Lets the create_model() go on that waits for the pipe; a thread's main. */
static inline void open_and_close(void *path)
{
    const int file = open(path, O_WRONLY); /* waits for the reader */
    assert_true(file >= 0);
    assert_int_equal(close(file), 0);
}

#endif
