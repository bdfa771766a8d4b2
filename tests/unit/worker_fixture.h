/* worker_fixture.h - a host with the fixture plugin tests/abi/plugin_mischief.c in worker processes. */
#ifndef WORKER_FIXTURE_H
#define WORKER_FIXTURE_H

#include "dtype.h"
#include "echo_package.h"

#include <pthread.h>

/* What the host logs, line by line. */
struct worker_log {
    pthread_mutex_t mutex;
    char text[65536];
};

static inline void worker_log_write(void *context, int32_t level, const char *line)
{
    struct worker_log *log = context;
    (void)level;
    (void)pthread_mutex_lock(&log->mutex);
    const size_t used = strlen(log->text);
    (void)snprintf(log->text + used, sizeof log->text - used, "%s\n", line);
    (void)pthread_mutex_unlock(&log->mutex);
}

struct workers {
    struct modelhost *host;
    struct modelhost_model *model;
    char *dir;
    struct worker_log *log;
};

/* With a grace of so long (0: the usual one). */
static inline model_status workers_load_with_grace(struct workers *workers, uint32_t n_processes,
                                                   int64_t kill_grace_ms, struct model_error *err)
{
    struct modelhost_load_options load = MODELHOST_LOAD_OPTIONS_INIT;
    load.isolation = MODELHOST_WORKER;
    load.workers = n_processes;
    load.kill_grace_ms = kill_grace_ms;
    load.breaker_success_rate = -1; /* its failures are wanted */
    return modelhost_load_with(workers->host, workers->dir, &load, &workers->model, err);
}

/* No process is ended for its lateness, however busy the machine is: where a call has to be ended, see
 * workers_open_strict(). */
static inline model_status workers_load(struct workers *workers, uint32_t n_processes,
                                        struct model_error *err)
{
    return workers_load_with_grace(workers, n_processes, 600000, err);
}

static inline struct workers workers_host(const char *plugin, const char *config, uint32_t lanes)
{
    struct workers workers = {.dir = make_package(plugin, config)};
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct model_error err = {.struct_size = sizeof err};
    workers.log = calloc(1, sizeof *workers.log);
    assert_non_null(workers.log);
    (void)pthread_mutex_init(&workers.log->mutex, NULL);
    options.store_dir = options.plugin_path = workers.dir;
    options.lanes = lanes;
    options.threads = 1;
    options.log = worker_log_write;
    options.log_context = workers.log;
    if (modelhost_create(&options, &workers.host, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return workers;
}

static inline struct workers workers_open(const char *plugin, uint32_t lanes, uint32_t n_processes)
{
    struct workers workers = workers_host(plugin, "{}", lanes);
    struct model_error err = {.struct_size = sizeof err};
    if (workers_load(&workers, n_processes, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return workers;
}

/* One whose calls that hang are ended. */
static inline struct workers workers_open_strict(const char *plugin, uint32_t lanes,
                                                 uint32_t n_processes)
{
    struct workers workers = workers_host(plugin, "{}", lanes);
    struct model_error err = {.struct_size = sizeof err};
    if (workers_load_with_grace(&workers, n_processes, 0, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return workers;
}

static inline void workers_close(struct workers *workers)
{
    modelhost_release(workers->model);
    modelhost_destroy(workers->host);
    remove_package(workers->dir);
    (void)pthread_mutex_destroy(&workers->log->mutex);
    free(workers->log);
}

/* Runs x(n) with options. */
static inline model_status workers_run(struct modelhost_model *model, const float *x, int64_t n,
                                       const struct modelhost_run_options *options,
                                       struct modelhost_result **ret, struct model_error *err)
{
    struct model_tensor tensor = {.struct_size = sizeof tensor};
    const struct model_tensor *const inputs[] = {&tensor};
    tensor_init(&tensor, "x", MODEL_F32, 1, &n, (void *)(uintptr_t)x);
    return modelhost_run(model, inputs, 1, options, ret, err);
}

/* One number more for a session: its answer, or the status. */
static inline model_status workers_go_on(struct modelhost_model *model,
                                         struct modelhost_session *session, float x, float *ret_y,
                                         struct model_error *err)
{
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct modelhost_result *result = NULL;
    options.session = session;
    model_status status = workers_run(model, &x, 1, &options, &result, err);
    if (status == MODEL_OK)
        *ret_y = *(const float *)modelhost_result_at(result, 0)->data;
    modelhost_result_destroy(result);
    return status;
}

/* One number through the model, with a deadline (0: none): its answer, or the status. */
static inline model_status workers_ask(struct modelhost_model *model, float x, int64_t timeout_ms,
                                       float *ret_y, struct model_error *err)
{
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct modelhost_result *result = NULL;
    options.timeout_ms = timeout_ms;
    model_status status = workers_run(model, &x, 1, &options, &result, err);
    if (status == MODEL_OK)
        *ret_y = *(const float *)modelhost_result_at(result, 0)->data;
    modelhost_result_destroy(result);
    return status;
}

static inline void workers_must_answer(struct modelhost_model *model)
{
    struct model_error err = {.struct_size = sizeof err};
    float y = 0;
    if (workers_ask(model, 41, 0, &y, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    assert_true(y == 42);
}

#endif
