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
#else
#include <link.h>
#endif

#ifndef MODELHOST_PREFIX
#define MODELHOST_PREFIX "/usr/local"
#endif

const char *environment_value(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

static bool is_one_of(const char *value, const char *const words[4])
{
    for (size_t i = 0; i < 4; i++)
        if (strcasecmp(value, words[i]) == 0)
            return true;
    return false;
}

bool environment_flag(const char *name)
{
    static const char *const yes[] = {"1", "true", "yes", "on"};
    const char *value = environment_value(name);
    return value != NULL && is_one_of(value, yes);
}

bool environment_demand(const char *name)
{
    static const char *const no[] = {"0", "false", "no", "off"};
    const char *value = environment_value(name);
    return value != NULL && !is_one_of(value, no);
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

model_status environment_config_dir(char **ret, struct model_error *err)
{
    const char *config = environment_value("XDG_CONFIG_HOME");
    const char *home = environment_value("HOME");
    if (config == NULL && home == NULL)
        return error_set(err, MODEL_NOT_FOUND,
                         "no folder for keys: neither XDG_CONFIG_HOME nor HOME is set");
    char *path = config != NULL ? text_format("%s/modelhost", config)
                                : text_format("%s/.config/modelhost", home);
    if (path == NULL)
        return error_no_memory(err, "the folder for keys");
    *ret = path;
    return MODEL_OK;
}

/* The path of the running executable, or NULL. */
static char *executable_path(void)
{
    char path[4096];
#ifdef __APPLE__
    uint32_t size = sizeof path;
    return _NSGetExecutablePath(path, &size) == 0 ? text_format("%s", path) : NULL;
#else
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    return n > 0 ? text_format("%.*s", (int)n, path) : NULL;
#endif
}

#ifdef __linux__
/* Stops at the object that this code was loaded from. */
static int is_own_object(struct dl_phdr_info *info, size_t size_bytes, void *context)
{
    (void)size_bytes;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + segment->p_vaddr;
        uintptr_t here = (uintptr_t)&environment_plugin_path;
        if (segment->p_type == PT_LOAD && here >= start && here - start < segment->p_memsz) {
            *(char **)context =
                info->dlpi_name[0] != '\0' ? text_format("%s", info->dlpi_name) : NULL;
            return 1;
        }
    }
    return 0;
}
#endif

/* The path of libmodelhost when this code came from there, or NULL: then it is in the executable. */
static char *library_path(void)
{
    char *path = NULL;
#ifdef __linux__
    (void)dl_iterate_phdr(is_own_object, &path);
#endif
    return path;
}

/* <folder of file>/<below> if that is a folder, or NULL. Frees file. */
static char *folder_beside(char *file, const char *below)
{
    const char *base = file != NULL ? path_base(file) : NULL;
    char *folder = base > file ? text_format("%.*s%s", (int)(base - file), file, below) : NULL;
    free(file);
    if (folder != NULL && path_is_dir(folder))
        return folder;
    free(folder);
    return NULL;
}

model_status environment_plugin_path(char **ret, struct model_error *err)
{
    const char *value = environment_value("MODELHOST_PLUGIN_PATH");
    char *path = NULL;
    if (value != NULL) {
        path = text_format("%s", value);
    } else {
        path = folder_beside(library_path(), "modelhost/plugins");
        if (path == NULL)
            path = folder_beside(executable_path(), "../lib/modelhost/plugins");
        if (path == NULL)
            path = text_format("%s/lib/modelhost/plugins", MODELHOST_PREFIX);
    }
    if (path == NULL)
        return error_no_memory(err, "the plugin path");
    *ret = path;
    return MODEL_OK;
}

/* <folder of file>/<below> if that can be run, or NULL. Frees file. */
static char *command_beside(char *file, const char *below)
{
    const char *base = file != NULL ? path_base(file) : NULL;
    char *path = base > file ? text_format("%.*s%s", (int)(base - file), file, below) : NULL;
    free(file);
    if (path != NULL && access(path, X_OK) == 0)
        return path;
    free(path);
    return NULL;
}

model_status environment_worker_path(char **ret, struct model_error *err)
{
    char *path = command_beside(library_path(), "../bin/modelhost");
    if (path == NULL)
        path = command_beside(executable_path(), "modelhost");
    if (path == NULL)
        path = command_beside(executable_path(), "../bin/modelhost");
    if (path == NULL)
        path = text_format("%s/bin/modelhost", MODELHOST_PREFIX);
    if (path == NULL)
        return error_no_memory(err, "the path of the modelhost command");
    *ret = path;
    return MODEL_OK;
}
