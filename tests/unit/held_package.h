/* held_package.h - a host with the fixture plugin_held in it, whose calls the test holds and lets go by
 * pipes; and what the host logs. */
#ifndef HELD_PACKAGE_H
#define HELD_PACKAGE_H

#include "echo_package.h"
#include "errors.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <uv.h>

struct held {
    struct modelhost *host;
    struct modelhost_model *model;
    char *dir, *pipes;
    int entered, release; /* both ends of each */

    uv_mutex_t mutex; /* guards what follows */
    uv_cond_t logged;
    char log[16384];
    uv_thread_t run_thread; /* that the last run() was on */
};

static inline void held_log(void *context, int32_t level, const char *message)
{
    struct held *held = context;
    (void)level;
    uv_mutex_lock(&held->mutex);
    const size_t length = strlen(held->log);
    (void)snprintf(held->log + length, sizeof held->log - length, "%s\n", message);
    if (strstr(message, "held: run") != NULL)
        held->run_thread = uv_thread_self();
    uv_cond_broadcast(&held->logged);
    uv_mutex_unlock(&held->mutex);
}

static inline int held_has_logged(struct held *held, const char *words)
{
    uv_mutex_lock(&held->mutex);
    const int has = strstr(held->log, words) != NULL;
    uv_mutex_unlock(&held->mutex);
    return has;
}

static inline void held_wait_for_log(struct held *held, const char *words)
{
    uv_mutex_lock(&held->mutex);
    while (strstr(held->log, words) == NULL)
        uv_cond_wait(&held->logged, &held->mutex);
    uv_mutex_unlock(&held->mutex);
}

static inline int held_make_pipe(const char *folder, const char *name)
{
    char *path = path_join(folder, name);
    assert_int_equal(mkfifo(path, 0600), 0);
    const int pipe = open(path, O_RDWR | O_CLOEXEC);
    assert_true(pipe >= 0);
    free(path);
    return pipe;
}

/* Until one more run() has begun. */
static inline void held_wait_entered(struct held *held)
{
    char byte;
    assert_int_equal(read(held->entered, &byte, 1), 1);
}

/* Lets n calls go on, those that wait or the next ones. */
static inline void held_release(struct held *held, int n)
{
    for (int i = 0; i < n; i++)
        assert_int_equal(write(held->release, "", 1), 1);
}

/* `more`: further members of config.json, each with a comma in front. */
static inline void held_open(struct held *held, const struct modelhost_options *wanted,
                             uint32_t max_abandoned_lanes, const char *more)
{
    struct modelhost_load_options load = MODELHOST_LOAD_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    *held = (struct held){.pipes = scratch_dir()};
    assert_int_equal(uv_mutex_init(&held->mutex), 0);
    assert_int_equal(uv_cond_init(&held->logged), 0);
    held->entered = held_make_pipe(held->pipes, "entered");
    held->release = held_make_pipe(held->pipes, "release");
    char *config =
        text_format("{\"entered_path\":\"%s/entered\",\"release_path\":\"%s/release\"%s}",
                    held->pipes, held->pipes, more);
    held->dir = make_package("held", config);
    free(config);
    struct modelhost_options options = *wanted;
    options.store_dir = options.plugin_path = held->dir;
    options.lanes = options.lanes > 0 ? options.lanes : 1;
    options.threads = 1;
    options.log = held_log;
    options.log_context = held;
    load.max_abandoned_lanes = max_abandoned_lanes;
    if (modelhost_create(&options, &held->host, &err) != MODEL_OK ||
        modelhost_load_with(held->host, held->dir, &load, &held->model, &err) != MODEL_OK)
        fail_msg("%s", err.message);
}

static inline void held_close(struct held *held)
{
    modelhost_release(held->model);
    modelhost_destroy(held->host);
    remove_package(held->dir);
    remove_package(held->pipes);
    (void)close(held->entered);
    (void)close(held->release);
    uv_cond_destroy(&held->logged);
    uv_mutex_destroy(&held->mutex);
}

#endif
