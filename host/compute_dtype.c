/* compute_dtype.c - see compute_dtype.h. */
#include "compute_dtype.h"
#include "errors.h"

#include <string.h>

const char *compute_dtype_asked(int32_t dtype)
{
    static const char *const names[] = {
        [MODELHOST_F32] = NULL,
        [MODELHOST_BF16] = "bf16",
        [MODELHOST_INT8] = "int8",
        [MODELHOST_INT4] = "int4",
    };
    return dtype > MODELHOST_F32 && dtype <= MODELHOST_INT4 ? names[dtype] : NULL;
}

const char *compute_dtype_of(const struct model_description *description)
{
    return MODEL_HAS(struct model_description, description, compute_dtype) &&
                   description->compute_dtype != NULL
               ? description->compute_dtype
               : "f32";
}

size_t compute_dtype_min_rows(const struct model_description *description)
{
    return strcmp(compute_dtype_of(description), "f32") == 0 ? 1 : COMPUTE_FEW_BITS_ROWS;
}

model_status compute_dtype_check(int32_t dtype, const struct model_description *description,
                                 struct model_error *err)
{
    const char *asked = compute_dtype_asked(dtype), *taken = compute_dtype_of(description);
    if (asked == NULL || strcmp(asked, taken) == 0)
        return MODEL_OK;
    return error_set(err, MODEL_UNSUPPORTED,
                     "it computes in %.16s, dtype %s was asked for; leave the dtype out, or take a "
                     "plugin that has it",
                     taken, asked);
}
