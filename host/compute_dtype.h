/* compute_dtype.h - what a model's products of weights are computed in: asked for, and found. Any thread. */
#ifndef COMPUTE_DTYPE_H
#define COMPUTE_DTYPE_H

#include "modelhost.h"

/* How the ABI calls an enum modelhost_dtype; what was not asked for (MODELHOST_F32) is NULL, the plugin's own
 * choice: a package for other precisions may have no float32 at all. */
const char *compute_dtype_asked(int32_t dtype);

/* What a model says that it computes in; "f32" when it does not say. */
const char *compute_dtype_of(const struct model_description *description);
/* How many rows (positions of a text) must be read at a time for each to be read alike, whatever is read beside it: in
 * few bits the kernels of plugins round fewer than COMPUTE_FEW_BITS_ROWS less, since that costs nothing. */
#define COMPUTE_FEW_BITS_ROWS 7
size_t compute_dtype_min_rows(const struct model_description *description);
/* Whether the model took it: a plugin of an older ABI does not know that it was asked. MODEL_UNSUPPORTED names
 * both. */
model_status compute_dtype_check(int32_t dtype, const struct model_description *description,
                                 struct model_error *err);

#endif
