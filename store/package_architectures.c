/* package_architectures.c - see package_architectures.h. */
#include "package_architectures.h"
#include "errors.h"
#include "json_view.h"
#include "package.h"
#include "package_file.h"

#include <stdlib.h>
#include <string.h>

#define MAX_CLASSES     64
#define MAX_CLASS_BYTES 256

static model_status add_name(struct package_architectures *architectures, const json_node *node,
                             const char *config_path, struct model_error *err)
{
    const char *name = json_string_or(node, NULL);
    if (name == NULL || *name == '\0')
        return MODEL_OK;
    if (strlen(name) > MAX_CLASS_BYTES || architectures->n_names > MAX_CLASSES)
        return error_set(err, MODEL_CORRUPT, "%s: model_type or architectures too long",
                         config_path);
    char *copy = text_format("%s", name);
    if (copy == NULL)
        return error_no_memory(err, config_path);
    architectures->names[architectures->n_names++] = copy;
    return MODEL_OK;
}

model_status package_architectures_read(const struct archive *archive, const char *config_path,
                                        struct package_architectures *ret, struct model_error *err)
{
    json_node *root = NULL;
    model_status status =
        package_file_json(archive, config_path, PACKAGE_MAX_CONFIG_BYTES, &root, err);
    if (status != MODEL_OK)
        return status;
    struct package_architectures found = {calloc(MAX_CLASSES + 2, sizeof(char *)), 0};
    if (found.names == NULL)
        status = error_no_memory(err, config_path);
    else if (!json_is_object(root))
        status = error_set(err, MODEL_CORRUPT, "%s: want a JSON object", config_path);
    else
        status = add_name(&found, json_member(root, "model_type"), config_path, err);
    const json_node *classes = json_member(root, "architectures");
    for (const json_node *node = json_is_array(classes) ? json_first(classes) : NULL;
         node != NULL && status == MODEL_OK; node = json_next(node))
        status = add_name(&found, node, config_path, err);
    json_free(root);
    if (status != MODEL_OK)
        package_architectures_finish(&found);
    else
        *ret = found;
    return status;
}

void package_architectures_finish(struct package_architectures *architectures)
{
    for (size_t i = 0; i < architectures->n_names; i++)
        free(architectures->names[i]);
    free(architectures->names);
    *architectures = (struct package_architectures){0};
}
