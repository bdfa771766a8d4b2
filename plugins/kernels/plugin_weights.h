/* plugin_weights.h - weights of the package by name, checked, in any float dtype. [create-thread]
 *
 * Errors: MODEL_NOT_FOUND  weight 'pooler.dense.bias' is missing from the package; ...
 *         MODEL_CORRUPT    weight 'pooler.dense.bias': shape [512], want [768]
 *         MODEL_UNSUPPORTED weight 'x': dtype I8, want F32, F16, BF16 or F64 */
#ifndef PLUGIN_WEIGHTS_H
#define PLUGIN_WEIGHTS_H

#include "model_abi.h"

#include <stdbool.h>

struct kernels;

#define WEIGHT_NAME_BYTES 256

/* "encoder.layer.3.output" into `name` (at most WEIGHT_NAME_BYTES, cut if longer); returns name. */
const char *weight_name(char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));

bool weight_exists(const struct kernels *kernels, const char *name);

/* The host's view, of this rank and shape. An entry of -1 takes any size. */
model_status weight_find(const struct kernels *kernels, const char *name, uint32_t rank,
                         const int64_t *shape, struct model_tensor *ret, struct model_error *err);

/* n numbers as f32: the view itself where it is F32, else a copy that lives with `kernels`. */
model_status weight_vector(struct kernels *kernels, const char *name, int64_t n, const float **ret,
                           struct model_error *err);

/* Elements [first, first + n) of a float tensor in row-major order, as f32. [any-thread] */
void weight_read_f32(const struct model_tensor *tensor, size_t first, size_t n, float *ret);

#endif
