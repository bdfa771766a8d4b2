/* config_assignment.c - see config_assignment.h. A value goes the way of a file's: the same table checks it. */
#include "config_assignment.h"
#include "buffer.h"
#include "config_fields.h"
#include "errors.h"

#include <stdlib.h>
#include <string.h>

/* A number that is none becomes a string, which the table refuses with its bounds. */
static json_node *add_value(const struct config_field *field, const char *value, json_node *object)
{
    char *end = NULL;
    if (field->kind == CONFIG_BOOL && (strcmp(value, "true") == 0 || strcmp(value, "false") == 0))
        return json_add_bool(object, field->key, value[0] == 't');
    const bool is_text = field->kind == CONFIG_TEXT || field->kind == CONFIG_WORD;
    const double number = is_text ? 0 : strtod(value, &end);
    if (is_text || end == value || *end != '\0')
        return json_add_string(object, field->key, value);
    return json_add_number(object, field->key, number);
}

static model_status apply(const struct config_field *fields, const struct config_field *field,
                          const char *value, void *options, size_t struct_size,
                          struct model_error *err)
{
    json_node *object = json_new_object();
    model_status status = object != NULL && add_value(field, value, object) != NULL
                              ? config_fields_check(fields, object, "option", err)
                              : error_no_memory(err, "an option");
    if (status == MODEL_OK)
        config_fields_apply(fields, object, options, struct_size);
    if (status == MODEL_OK && field->kind == CONFIG_TEXT)
        memcpy((char *)options + field->offset, &value, sizeof value);
    json_free(object);
    return status;
}

model_status config_assignment_apply(const char *assignment, struct modelhost_options *host,
                                     struct modelhost_load_options *model, struct model_error *err)
{
    const char *equals = strchr(assignment, '=');
    char *key = equals != NULL ? strndup(assignment, (size_t)(equals - assignment)) : NULL;
    const struct config_field *field = NULL;
    model_status status = MODEL_OK;
    if (equals == NULL)
        return error_set(err, MODEL_INVALID_ARGUMENT, "'%.200s', want KEY=VALUE", assignment);
    if (key == NULL)
        return error_no_memory(err, "an option");
    if ((field = config_fields_find(config_host_fields, key)) != NULL)
        status = apply(config_host_fields, field, equals + 1, host, host->struct_size, err);
    else if ((field = config_fields_find(config_model_fields, key)) != NULL)
        status = apply(config_model_fields, field, equals + 1, model, model->struct_size, err);
    else
        status = error_set(err, MODEL_INVALID_ARGUMENT,
                           "%.60s is not known; `modelhost config keys` lists what is", key);
    free(key);
    return status;
}
