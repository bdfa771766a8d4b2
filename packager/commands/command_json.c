/* command_json.c - printing results of commands. Main thread only. */
#include "commands.h"
#include "errors.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

char *command_json_text(const json_node *root)
{
    static const char digits[] = "0123456789abcdef";
    char *text = json_print(root, true), *plain = NULL, *to;
    const size_t n_text = text != NULL ? strlen(text) : 0;
    if (text == NULL || (to = plain = malloc(6 * n_text + 1)) == NULL)
        goto end;
    for (size_t i = 0; i < n_text;) {
        const uint8_t *at = (const uint8_t *)text + i;
        const size_t n = *at < 0x20 ? 0 : utf8_control_bytes(text + i, n_text - i);
        const unsigned mark = n == 3 ? (at[0] & 0xFu) << 12 | (at[1] & 0x3Fu) << 6 | (at[2] & 0x3Fu)
                              : n == 2 ? (at[0] & 0x1Fu) << 6 | (at[1] & 0x3Fu)
                                       : *at;
        if (n == 0) {
            *to++ = text[i++];
            continue;
        }
        *to++ = '\\';
        *to++ = 'u';
        for (int shift = 12; shift >= 0; shift -= 4)
            *to++ = digits[mark >> shift & 0xF];
        i += n;
    }
    *to = '\0';
end:
    free(text);
    return plain;
}

model_status command_print_json(const json_node *root, struct model_error *err)
{
    char *text = root != NULL ? command_json_text(root) : NULL;
    model_status status =
        text != NULL ? command_print(text, err) : error_no_memory(err, "the result");
    free(text);
    return status;
}

int command_next_code(int code, model_status status, const struct model_error *err)
{
    const int failed = status == MODEL_OK ? 0 : command_fail(status, err);
    return code == 0 ? failed : code;
}

int command_last_code(int code, const json_node *root)
{
    struct model_error err = MODEL_ERROR_INIT;
    if (code == 0 && command_interrupted(NULL))
        code = status_exit_code(MODEL_CANCELLED);
    const model_status status = root != NULL ? command_print_json(root, &err) : MODEL_OK;
    return status == MODEL_OK ? code : command_fail(status, &err);
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
