/* conv_winograd.h - convolutions of 3 x 3 with stride 1 by Winograd's minimal filtering F(2 x 2, 3 x 3)
 * (Lavin and Gray 2016): 16 multiplications for 4 results instead of 36. Shared by conv_onednn.c and
 * conv_portable.c; not for plugins. */
#ifndef CONV_WINOGRAD_H
#define CONV_WINOGRAD_H

#include "conv_source.h"

struct winograd; /* lives with its kernels */

/* Whether this way is worth while. */
bool winograd_suits(const struct conv_geometry *geometry);
/* MODEL_OUT_OF_MEMORY. [create-thread] */
model_status winograd_create(struct kernels *kernels, const struct conv_source *source,
                             const struct winograd **ret, struct model_error *err);
/* Scratch for a result of this shape. */
size_t winograd_scratch_bytes(const struct winograd *winograd, struct map_shape result);
/* As conv_run(), with scratch. [lane-thread] */
void winograd_run(const struct winograd *winograd, const float *x, struct map_shape shape, float *y,
                  struct map_shape result, void *scratch);

#endif
