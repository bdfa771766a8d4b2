/* json_difference.h - where two JSON values differ. Pure. [any-thread] */
#ifndef JSON_DIFFERENCE_H
#define JSON_DIFFERENCE_H

#include "json_view.h"

/* Adds to the array, for each place, {"pointer", "change", "a", "b"}: a JSON Pointer (RFC 6901), "added",
 * "removed" or "changed", and the values that are there. Objects are compared by keys, arrays by positions,
 * numbers by value; a value of another kind is one change. NULL is a value that is not there.
 * *ret_n counts the places. MODEL_OUT_OF_MEMORY. */
model_status json_difference(const json_node *a, const json_node *b, json_node *array,
                             size_t *ret_n, struct model_error *err);

#endif
