/* picture_harness.h - plugin_harness.h for models that take pictures. */
#ifndef PICTURE_HARNESS_H
#define PICTURE_HARNESS_H

#include "plugin_harness.h"

/* A run; shape is [batch, channels, height, width], names end with NULL. */
model_status picture_run(struct harness *h, const float *pixels, const int64_t *shape,
                         const char *const *names, struct harness_outputs *ret);
/* Fails unless max |found - want| and the root of the mean square are within the limits, which are
 * for numbers of size 1 and grow with larger ones. */
void picture_assert_close(const char *what, const struct model_tensor *found, const float *want,
                          double max_abs, double max_rms);

#endif
