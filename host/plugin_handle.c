/* plugin_handle.c - see plugin_handle.h. [any-thread] */
#include "plugin_handle.h"
#include "errors.h"

#include <dlfcn.h>
#include <string.h>

/* Runtimes that must not be in a process twice: a second one brings its own threads and barriers. */
static const char *const foreign_runtimes[] = {"libomp.so", "libiomp5.so", "libmkl_rt.so"};

static void warn_of_foreign_runtimes(const struct plugin_file *file, const char *path,
                                     const struct log_sink *log)
{
    for (size_t i = 0; i < sizeof foreign_runtimes / sizeof foreign_runtimes[0]; i++)
        if (strstr(file->needed, foreign_runtimes[i]) != NULL)
            log_write(log, MODEL_LOG_WARN,
                      "%s needs %s, a second threading runtime beside libgomp; expect contention",
                      path, foreign_runtimes[i]);
}

model_status plugin_handle_open(const char *path, const struct log_sink *log,
                                struct plugin_handle *ret, struct model_error *err)
{
    struct plugin_handle handle = {0};
    model_status status = plugin_file_read(path, &handle.file, err);
    if (status == MODEL_OK)
        status = plugin_file_check(&handle.file, path, err);
    if (status != MODEL_OK)
        return status;
    warn_of_foreign_runtimes(&handle.file, path, log);
    status = plugin_file_check_same(&handle.file, path, err);
    if (status != MODEL_OK)
        return status;
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (object == NULL)
        return error_set(err, MODEL_UNSUPPORTED, "cannot open plugin %s: %s", path, dlerror());
    status = plugin_file_check_same(&handle.file, path, err);
    if (status != MODEL_OK)
        return status; /* what was opened is not what was checked */
    void *symbol = dlsym(object, "create_model");
    if (symbol == NULL)
        return error_set(err, MODEL_INVALID_ARGUMENT, "%s: create_model is exported but not found",
                         path);
    memcpy(&handle.create_model, &symbol, sizeof symbol);
    *ret = handle;
    return MODEL_OK;
}
