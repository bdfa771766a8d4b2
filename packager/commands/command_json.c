/* command_json.c - printing results of commands. Main thread only. */
#include "commands.h"
#include "errors.h"

#include <stdlib.h>
#include <time.h>

model_status command_print_json(const json_node *root, struct model_error *err)
{
    char *text = root != NULL ? json_print(root, true) : NULL;
    model_status status =
        text != NULL ? command_print(text, err) : error_no_memory(err, "the result");
    free(text);
    return status;
}

model_status command_print_text(struct buffer *text, struct model_error *err)
{
    char *all = buffer_take(text);
    model_status status =
        all != NULL ? command_print(all, err) : error_no_memory(err, "the result");
    free(all);
    return status;
}

const char *command_time(int64_t at_s, char text[COMMAND_TIME_BYTES])
{
    time_t at = (time_t)at_s;
    struct tm utc;
    if (at_s <= 0 || gmtime_r(&at, &utc) == NULL ||
        strftime(text, COMMAND_TIME_BYTES, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        return NULL;
    return text;
}
