/* json_array.h - one JSON array on stdout, printed part by part while its items are made. Main thread. */
#ifndef JSON_ARRAY_H
#define JSON_ARRAY_H

#include "modelhost.h"

struct json_array {
    size_t n_parts;
};

/* Prints the items of `items`, a JSON array as text, at once. */
model_status json_array_print(struct json_array *array, const char *items, struct model_error *err);
/* Closes what was printed so far, also after an error; nothing when nothing was. */
model_status json_array_end(const struct json_array *array, struct model_error *err);

#endif
