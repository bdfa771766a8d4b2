/* compute_device.c - see compute_device.h. */
#include "compute_device.h"
#include "errors.h"

#include <string.h>

model_status compute_device_check(const char *asked, const struct model_description *description,
                                  struct model_error *err)
{
    const char *taken = description->device;
    if (asked == NULL || taken == NULL || strcmp(asked, taken) == 0)
        return MODEL_OK;
    return error_set(err, MODEL_UNSUPPORTED,
                     "it computes on device %.16s, %s was asked for; take a plugin that does "
                     "without, or the backend as it is",
                     taken, asked);
}
