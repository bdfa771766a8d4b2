/* json_fields.c - see json_fields.h. */
#include "json_fields.h"
#include "errors.h"

#include <inttypes.h>

const char *json_kind(const json_node *node)
{
    if (json_is_null(node))
        return node == NULL ? "missing" : "null";
    if (json_is_bool(node))
        return "true or false";
    if (json_is_number(node))
        return "a number";
    if (json_is_string(node))
        return "a string";
    return json_is_array(node) ? "an array" : "an object";
}

static model_status wrong_kind(const struct json_place *place, const char *key,
                               const json_node *node, const char *want, struct model_error *err)
{
    return error_set(err, MODEL_CORRUPT, "%s: %s.%s is %s, want %s", place->what, place->path, key,
                     json_kind(node), want);
}

model_status json_want_object(const struct json_place *place, struct model_error *err)
{
    if (json_is_object(place->node))
        return MODEL_OK;
    return error_set(err, MODEL_CORRUPT, "%s: %s is %s, want an object", place->what, place->path,
                     json_kind(place->node));
}

model_status json_field_bool(const struct json_place *place, const char *key, bool *ret,
                             struct model_error *err)
{
    const json_node *node = json_member(place->node, key);
    if (json_is_null(node))
        return MODEL_OK;
    if (!json_is_bool(node))
        return wrong_kind(place, key, node, "true or false", err);
    *ret = json_bool_or(node, false);
    return MODEL_OK;
}

model_status json_field_string(const struct json_place *place, const char *key, const char **ret,
                               struct model_error *err)
{
    const json_node *node = json_member(place->node, key);
    if (json_is_null(node))
        return MODEL_OK;
    if (!json_is_string(node))
        return wrong_kind(place, key, node, "a string", err);
    *ret = json_string_or(node, NULL);
    return MODEL_OK;
}

model_status json_field_integer(const struct json_place *place, const char *key, int64_t min,
                                int64_t max, int64_t *ret, struct model_error *err)
{
    const json_node *node = json_member(place->node, key);
    if (json_is_null(node))
        return MODEL_OK;
    if (!json_is_number(node))
        return wrong_kind(place, key, node, "a whole number", err);
    if (json_integer(node, min, max, ret))
        return MODEL_OK;
    return error_set(err, MODEL_CORRUPT,
                     "%s: %s.%s is %.17g, want a whole number from %" PRId64 " to %" PRId64,
                     place->what, place->path, key, json_number_or(node, 0), min, max);
}
