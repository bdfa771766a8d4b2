/* plugin_choice.c - see plugin_choice.h. */
#include "plugin_choice.h"
#include "buffer.h"
#include "errors.h"
#include "package.h"
#include "package_architectures.h"
#include "plugin_path.h"

#include <stdlib.h>
#include <string.h>

/* "'bert' (BertForMaskedLM)" */
static model_status name_architectures(const struct package_architectures *architectures,
                                       struct buffer *ret)
{
    if (architectures->n_names == 0)
        return buffer_append_text(ret, "that its config.json does not name");
    model_status status = buffer_printf(ret, "'%s'", architectures->names[0]);
    for (size_t i = 1; i < architectures->n_names && status == MODEL_OK; i++)
        status = buffer_printf(ret, "%s%s", i == 1 ? " (" : ", ", architectures->names[i]);
    if (architectures->n_names > 1 && status == MODEL_OK)
        status = buffer_append_text(ret, ")");
    return status;
}

static char *make_advice(const struct package_architectures *architectures, const char *plugin_path,
                         const char *package)
{
    struct buffer names = BUFFER_INIT(4096);
    char *advice = NULL;
    if (name_architectures(architectures, &names) == MODEL_OK)
        advice = text_format("no plugin for the architecture %s in %s: build or get one, then run "
                             "'pkgmgr install %s PLUGIN%s'",
                             names.data, plugin_path, package, PLUGIN_SUFFIX);
    buffer_finish(&names);
    return advice;
}

model_status plugin_choose(const char *config_path, const char *plugin_path, const char *package,
                           char **ret_plugin, char **ret_advice, struct model_error *err)
{
    struct package_architectures architectures = {0};
    char *plugin = NULL, *advice = NULL;
    model_status status = MODEL_OK;
    if (config_path == NULL) {
        advice = text_format("the package has no config.json, so no plugin can be chosen for it");
        goto end;
    }
    status = package_architectures_read(NULL, config_path, &architectures, err);
    if (status != MODEL_OK)
        return status;
    status = architectures.n_names == 0
                 ? MODEL_NOT_FOUND
                 : plugin_path_find(plugin_path, (const char *const *)architectures.names,
                                    architectures.n_names, &plugin, err);
    if (status == MODEL_NOT_FOUND) {
        status = MODEL_OK;
        advice = make_advice(&architectures, plugin_path, package);
    }
end:
    package_architectures_finish(&architectures);
    if (status == MODEL_OK && plugin == NULL && advice == NULL)
        status = error_no_memory(err, "the advice about plugins");
    if (status == MODEL_OK) {
        *ret_plugin = plugin;
        *ret_advice = advice;
    }
    return status;
}

char *plugin_choice_refused(const char *config_path, const char *name,
                            const struct model_error *reason)
{
    const size_t n = strlen(config_path);
    const char *message = reason->message;
    return strncmp(message, config_path, n) == 0
               ? text_format("no plugin can be chosen: %s%s", name, message + n)
               : text_format("no plugin can be chosen: %s", message);
}

model_status plugin_check_usable(const char *plugin, struct plugin_file *ret,
                                 struct model_error *err)
{
    struct plugin_file file;
    model_status status = plugin_file_read(plugin, &file, err);
    if (status == MODEL_NOT_FOUND)
        error_advise(err, "give the path of a plugin that was built");
    if (status == MODEL_OK)
        status = plugin_file_check(&file, plugin, err);
    if (status == MODEL_OK)
        *ret = file;
    return status;
}

model_status plugin_check_serves(const struct plugin_file *file, const char *plugin,
                                 const char *config_path, struct model_error *err)
{
    struct package_architectures architectures = {0};
    struct buffer names = BUFFER_INIT(4096);
    model_status status = package_architectures_read(NULL, config_path, &architectures, err);
    if (status != MODEL_OK)
        return status;
    status = MODEL_UNSUPPORTED;
    for (size_t i = 0; i < architectures.n_names && status != MODEL_OK; i++)
        if (plugin_file_serves(file, architectures.names[i]))
            status = MODEL_OK;
    if (status != MODEL_OK) {
        (void)name_architectures(&architectures, &names);
        status = error_set(err, MODEL_UNSUPPORTED,
                           "the plugin %.300s serves '%s', but the model's architecture is %.300s; "
                           "choose another plugin, or give --force if you know better",
                           plugin, file->architectures, names.data != NULL ? names.data : "?");
    }
    buffer_finish(&names);
    package_architectures_finish(&architectures);
    return status;
}
