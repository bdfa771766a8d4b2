/* json_fields.h - members of JSON objects with the type they must have, and sentences that say where
 * one has not: "tokenizer.json: normalizer.lowercase is a string, want true or false". [any-thread] */
#ifndef JSON_FIELDS_H
#define JSON_FIELDS_H

#include "json_view.h"

/* A node and how errors call it. */
struct json_place {
    const json_node *node; /* NULL: absent */
    const char *what;      /* the file */
    const char *path;      /* within it: "normalizer" */
};

/* "a string", "an object", ... */
const char *json_kind(const json_node *node);

/* MODEL_CORRUPT: "<what>: <path> is a number, want an object". */
model_status json_want_object(const struct json_place *place, struct model_error *err);

/* The member `key`; absent and null leave *ret alone. Strings live as long as the tree. */
model_status json_field_bool(const struct json_place *place, const char *key, bool *ret,
                             struct model_error *err);
model_status json_field_string(const struct json_place *place, const char *key, const char **ret,
                               struct model_error *err);
model_status json_field_integer(const struct json_place *place, const char *key, int64_t min,
                                int64_t max, int64_t *ret, struct model_error *err);

#endif
