/* plugin_error.c - see plugin_error.h. */
#include "plugin_error.h"
#include "clock.h"
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

model_status plugin_error_of_creating(model_status status)
{
    switch (status) {
    case MODEL_OK:
    case MODEL_UNSUPPORTED:
    case MODEL_CORRUPT:
    case MODEL_OUT_OF_MEMORY:
    case MODEL_IO:
    case MODEL_ABI_MISMATCH:
        return status;
    case MODEL_INVALID_ARGUMENT: /* nobody but config.json and the weights gave arguments */
    case MODEL_NOT_FOUND:        /* the model was found; what it lacks breaks the package */
        return MODEL_CORRUPT;
    default:
        return MODEL_INTERNAL;
    }
}

model_status plugin_error_of_running(model_status status, uint32_t cancelled, int64_t deadline_ns)
{
    switch (status) {
    case MODEL_OK:
    case MODEL_INVALID_ARGUMENT:
    case MODEL_UNSUPPORTED:
    case MODEL_CORRUPT:
    case MODEL_OUT_OF_MEMORY:
    case MODEL_IO:
        return status;
    case MODEL_CANCELLED:
        return cancelled != 0 ? status : MODEL_INTERNAL;
    case MODEL_DEADLINE:
        return cancelled != 0 || clock_now_ns() >= deadline_ns ? status : MODEL_INTERNAL;
    default:
        return MODEL_INTERNAL;
    }
}
