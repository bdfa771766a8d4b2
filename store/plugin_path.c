/* plugin_path.c - see plugin_path.h. No state, any thread. */
#include "plugin_path.h"
#include "errors.h"
#include "files.h"
#include "package.h"

#include <stdlib.h>
#include <string.h>

struct visitor {
    bool (*visit)(void *context, const struct plugin_candidate *candidate);
    void *context;
};

static bool is_plugin_name(const char *name)
{
    size_t length = strlen(name), suffix = strlen(PLUGIN_SUFFIX);
    return length > 3 + suffix && strncmp(name, "lib", 3) == 0 &&
           strcmp(name + length - suffix, PLUGIN_SUFFIX) == 0;
}

/* Whether to go on. */
static bool visit_file(const struct visitor *visitor, const char *path)
{
    struct plugin_file file;
    struct model_error reason = MODEL_ERROR_INIT;
    struct plugin_candidate candidate = {.path = path};
    candidate.status = plugin_file_read(path, &file, &reason);
    if (candidate.status == MODEL_OK) {
        candidate.file = &file;
        candidate.status = plugin_file_check(&file, path, &reason);
    }
    candidate.reason = candidate.status == MODEL_OK ? NULL : reason.message;
    return visitor->visit(visitor->context, &candidate);
}

static model_status visit_folder(const struct visitor *visitor, const char *folder, bool *ret_go_on,
                                 struct model_error *err)
{
    struct dir_list list;
    model_status status = dir_read(folder, &list, err);
    if (status != MODEL_OK)
        return status == MODEL_NOT_FOUND ? MODEL_OK : status;
    for (size_t i = 0; i < list.n_names && status == MODEL_OK && *ret_go_on; i++) {
        if (!is_plugin_name(list.names[i]))
            continue;
        char *path = path_join(folder, list.names[i]);
        if (path == NULL)
            status = error_no_memory(err, folder);
        else if (!path_is_dir(path))
            *ret_go_on = visit_file(visitor, path);
        free(path);
    }
    dir_list_finish(&list);
    return status;
}

model_status plugin_path_visit(const char *plugin_path,
                               bool (*visit)(void *context,
                                             const struct plugin_candidate *candidate),
                               void *context, struct model_error *err)
{
    const struct visitor visitor = {visit, context};
    bool go_on = true;
    model_status status = MODEL_OK;
    for (const char *at = plugin_path; status == MODEL_OK && go_on;) {
        size_t length = strcspn(at, ":");
        if (length > 0) {
            char *folder = text_format("%.*s", (int)length, at);
            status = folder != NULL ? visit_folder(&visitor, folder, &go_on, err)
                                    : error_no_memory(err, plugin_path);
            free(folder);
        }
        if (at[length] == '\0')
            break;
        at += length + 1;
    }
    return status;
}

/* ---- finding */

struct search {
    const char *const *architectures;
    size_t n_architectures;
    char *found;
    bool no_memory;
    struct model_error refused; /* why the first plugin that would serve was refused */
};

static bool serves_any(const struct search *search, const struct plugin_file *file)
{
    for (size_t i = 0; i < search->n_architectures; i++)
        if (plugin_file_serves(file, search->architectures[i]))
            return true;
    return false;
}

static bool look_at(void *context, const struct plugin_candidate *candidate)
{
    struct search *search = context;
    if (candidate->file == NULL || !serves_any(search, candidate->file))
        return true;
    if (candidate->status != MODEL_OK) {
        if (search->refused.message[0] == '\0')
            (void)error_set(&search->refused, candidate->status, "%s", candidate->reason);
        return true;
    }
    search->found = text_format("%s", candidate->path);
    search->no_memory = search->found == NULL;
    return false;
}

static model_status say_not_found(const struct search *search, const char *plugin_path,
                                  struct model_error *err)
{
    const char *refused = search->refused.message;
    if (search->n_architectures == 0)
        return error_set(err, MODEL_NOT_FOUND,
                         "no plugin: the model's config.json names neither a model_type nor "
                         "architectures");
    return error_set(err, MODEL_NOT_FOUND, "no plugin for '%s' in %s%s%s", search->architectures[0],
                     *plugin_path != '\0' ? plugin_path : "an empty path",
                     *refused != '\0' ? "; refused: " : "", refused);
}

model_status plugin_path_find(const char *plugin_path, const char *const *architectures,
                              size_t n_architectures, char **ret_path, struct model_error *err)
{
    struct search search = {.architectures = architectures,
                            .n_architectures = n_architectures,
                            .refused = MODEL_ERROR_INIT};
    model_status status = plugin_path_visit(plugin_path, look_at, &search, err);
    if (status != MODEL_OK || search.no_memory) {
        free(search.found);
        return status != MODEL_OK ? status : error_no_memory(err, "a plugin's path");
    }
    if (search.found == NULL)
        return say_not_found(&search, plugin_path, err);
    *ret_path = search.found;
    return MODEL_OK;
}
