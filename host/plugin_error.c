/* plugin_error.c - see plugin_error.h. */
#include "plugin_error.h"
#include "errors.h"
#include "utf8.h"

#include <string.h>

void plugin_error_tidy(struct model_error *err, model_status status, const char *fallback)
{
    err->struct_size = sizeof *err;
    if (status == MODEL_OK)
        err->message[0] = '\0';
    err->message[MODEL_ERROR_BYTES - 1] = '\0';
    size_t length = strlen(err->message);
    err->message[utf8_valid_prefix(err->message, length)] = '\0';
    for (char *c = err->message; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            *c = ' ';
    if (status != MODEL_OK && err->message[0] == '\0')
        (void)error_set(err, status, "%s", fallback);
}
