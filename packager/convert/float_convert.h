/* float_convert.h - elements of tensors from one type to another, by IEEE 754: to the nearest, ties to
 * even. Subnormals are kept; a NaN stays one (quiet); what is too large becomes infinite and is counted.
 * Data may lie askew. Pure. [any-thread] */
#ifndef FLOAT_CONVERT_H
#define FLOAT_CONVERT_H

#include "modelhost.h"

#include <stdbool.h>

/* Whether the dtype is one of F64, F32, F16, BF16. */
bool float_is_convertible(int32_t dtype);

/* n elements of from (bytes of from_dtype) as to_dtype; both dtypes are convertible. Returns how many
 * finite elements became infinite. */
size_t float_convert(const void *from, int32_t from_dtype, size_t n, void *to, int32_t to_dtype);

/* n elements of any dtype that dtype.h knows, as doubles; integers beyond 2^53 are rounded. */
void widen_to_double(const void *from, int32_t from_dtype, size_t n, double *to);

#endif
