/* compute_device.h - which device a model computes on: asked for, and found. Any thread. */
#ifndef COMPUTE_DEVICE_H
#define COMPUTE_DEVICE_H

#include "model_abi.h"

/* Whether the model took the device that it was asked for (NULL: none): a plugin of an older ABI does not know that.
 * MODEL_UNSUPPORTED names both. */
model_status compute_device_check(const char *asked, const struct model_description *description,
                                  struct model_error *err);

#endif
