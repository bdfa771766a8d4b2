/* echo_package.h - an author's folder with the fixture plugin tests/abi/plugin_<name>.c in it. */
#ifndef ECHO_PACKAGE_H
#define ECHO_PACKAGE_H

#include "files.h"
#include "modelhost.h"
#include "testing.h"

#include <unistd.h>

/* Makes <scratch>/backends/cpu/{config.json, libmodel.so -> the fixture}; to be removed and freed. */
static inline char *make_package(const char *plugin, const char *config)
{
    const char *build = getenv("BUILD");
    char *dir = scratch_dir();
    char *backend = path_join(dir, "backends/cpu");
    char *config_path = path_join(backend, "config.json");
    char *link_path = path_join(backend, "libmodel.so");
    char *relative = text_format("%s/tests/plugin_%s.so", build != NULL ? build : "build", plugin);
    assert_int_equal(dir_make_all(backend, NULL), MODEL_OK);
    write_file(config_path, config, strlen(config));
    char *target = realpath(relative, NULL);
    assert_non_null(target);
    assert_int_equal(symlink(target, link_path), 0);
    free(backend);
    free(config_path);
    free(link_path);
    free(relative);
    free(target);
    return dir;
}

static inline void remove_package(char *dir)
{
    assert_int_equal(dir_remove_all(dir, NULL), MODEL_OK);
    free(dir);
}

/* A host of one lane with one thread, and the package loaded in it. */
struct echo {
    struct modelhost *host;
    struct modelhost_model *model;
    char *dir;
};

static inline struct echo echo_open_plugin(const char *plugin, const char *config,
                                           uint32_t max_queue)
{
    struct echo echo = {.dir = make_package(plugin, config)};
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct model_error err = {.struct_size = sizeof err};
    options.store_dir = options.plugin_path = echo.dir;
    options.lanes = options.threads = 1;
    options.max_queue = max_queue;
    if (modelhost_create(&options, &echo.host, &err) != MODEL_OK ||
        modelhost_load(echo.host, echo.dir, &echo.model, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return echo;
}

static inline struct echo echo_open(const char *config, uint32_t max_queue)
{
    return echo_open_plugin("echo", config, max_queue);
}

static inline void echo_close(struct echo *echo)
{
    modelhost_release(echo->model);
    modelhost_destroy(echo->host);
    remove_package(echo->dir);
}

#endif
