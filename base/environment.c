/* environment.c - see environment.h. [any-thread], as long as nobody calls setenv(). */
#include "environment.h"
#include "errors.h"
#include "files.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#ifdef __APPLE__
#include <mach-o/dyld.h>
#endif

#ifndef MODELHOST_PREFIX
#define MODELHOST_PREFIX "/usr/local"
#endif

const char *environment_value(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

bool environment_flag(const char *name)
{
    static const char *const yes[] = {"1", "true", "yes", "on"};
    const char *value = environment_value(name);
    for (size_t i = 0; value != NULL && i < sizeof yes / sizeof yes[0]; i++)
        if (strcasecmp(value, yes[i]) == 0)
            return true;
    return false;
}

model_status environment_store_dir(char **ret, struct model_error *err)
{
    const char *store = environment_value("MODELHOST_STORE");
    const char *cache = environment_value("XDG_CACHE_HOME");
    const char *home = environment_value("HOME");
    char *path = NULL;
    if (store != NULL)
        path = text_format("%s", store);
    else if (cache != NULL)
        path = text_format("%s/modelhost", cache);
    else if (home != NULL)
        path = text_format("%s/.cache/modelhost", home);
    else
        return error_set(err, MODEL_NOT_FOUND,
                         "no store: neither MODELHOST_STORE nor HOME is set; give --store DIR");
    if (path == NULL)
        return error_no_memory(err, "the store's path");
    *ret = path;
    return MODEL_OK;
}

/* The folder of the running executable, or NULL. */
static char *executable_dir(void)
{
    char path[4096];
#ifdef __APPLE__
    uint32_t size = sizeof path;
    if (_NSGetExecutablePath(path, &size) != 0)
        return NULL;
#else
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0)
        return NULL;
    path[n] = '\0';
#endif
    const char *base = path_base(path);
    return base > path ? text_format("%.*s", (int)(base - path - 1), path) : NULL;
}

model_status environment_plugin_path(char **ret, struct model_error *err)
{
    const char *value = environment_value("MODELHOST_PLUGIN_PATH");
    char *path = NULL;
    if (value != NULL) {
        path = text_format("%s", value);
    } else {
        char *dir = executable_dir();
        path = dir != NULL ? text_format("%s/../lib/modelhost/plugins", dir) : NULL;
        free(dir);
        if (path == NULL || !path_is_dir(path)) {
            free(path);
            path = text_format("%s/lib/modelhost/plugins", MODELHOST_PREFIX);
        }
    }
    if (path == NULL)
        return error_no_memory(err, "the plugin path");
    *ret = path;
    return MODEL_OK;
}
