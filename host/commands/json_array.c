/* json_array.c - see json_array.h. */
#include "json_array.h"
#include "command.h"
#include "errors.h"

#include <stdio.h>
#include <string.h>

model_status json_array_print(struct json_array *array, const char *items, struct model_error *err)
{
    const size_t n_bytes = strlen(items);
    if (n_bytes < 2 || items[0] != '[' || items[n_bytes - 1] != ']')
        return error_set(err, MODEL_INTERNAL, "the answer is not a JSON array");
    const char before = array->n_parts++ == 0 ? '[' : ',';
    (void)putchar(before);
    (void)fwrite(items + 1, 1, n_bytes - 2, stdout);
    return command_flush(err);
}

model_status json_array_end(const struct json_array *array, struct model_error *err)
{
    return array->n_parts > 0 ? command_print("]\n", err) : MODEL_OK;
}
