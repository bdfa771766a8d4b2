/* coreml_constexpr.h - what the constexpr_* operations of an ML Program make of compressed weights: the dense tensor.
 * [any-thread] */
#ifndef COREML_CONSTEXPR_H
#define COREML_CONSTEXPR_H

#include "coreml_program.h"

/* Whether the operation is one of those: its only output is a constant. */
bool coreml_is_constexpr(const struct coreml_operation *operation);
/* Its dense form as float32. n_elements must be those of the output's type (MODEL_CORRUPT otherwise).
 * MODEL_UNSUPPORTED names what is not read. */
model_status coreml_constexpr_to_float32(const struct coreml_operation *operation,
                                         uint64_t n_elements, float *ret, struct model_error *err);

#endif
