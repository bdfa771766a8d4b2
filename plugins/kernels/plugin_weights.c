/* plugin_weights.c - see plugin_weights.h.
 *
 * Conversions are branch-free loops over bit patterns, which the compiler vectorises. */
#include "kernels.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const dtype_names[] = {"?",   "BOOL", "U8",      "I8",     "U16", "I16",
                                          "U32", "I32",  "U64",     "I64",    "F16", "BF16",
                                          "F32", "F64",  "F8_E4M3", "F8_E5M2"};

#define N_DTYPE_NAMES (sizeof dtype_names / sizeof dtype_names[0])

static size_t float_size_bytes(int32_t dtype)
{
    switch (dtype) {
    case MODEL_F32:
        return 4;
    case MODEL_F16:
    case MODEL_BF16:
        return 2;
    case MODEL_F64:
        return 8;
    default:
        return 0; /* not a float that we read */
    }
}

const char *weight_name(char *name, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(name, WEIGHT_NAME_BYTES, format, arguments);
    va_end(arguments);
    return name;
}

bool weight_exists(const struct kernels *kernels, const char *name)
{
    const struct model_services *services = kernels_services(kernels);
    struct model_tensor view = {.struct_size = sizeof view};
    return services->tensor_by_name(services->context, name, &view) == MODEL_OK;
}

static const char *shape_text(const int64_t *shape, uint32_t rank, char *text, size_t text_bytes)
{
    size_t used = 0;
    text[0] = '\0';
    for (uint32_t i = 0; i < rank && used < text_bytes; i++) {
        const char *before = i == 0 ? "[" : ", ";
        int n = shape[i] < 0 ? snprintf(text + used, text_bytes - used, "%sany", before)
                             : snprintf(text + used, text_bytes - used, "%s%lld", before,
                                        (long long)shape[i]);
        used += n > 0 ? (size_t)n : 0;
    }
    if (used < text_bytes)
        (void)snprintf(text + used, text_bytes - used, rank == 0 ? "[]" : "]");
    return text;
}

model_status weight_find(const struct kernels *kernels, const char *name, uint32_t rank,
                         const int64_t *shape, struct model_tensor *ret, struct model_error *err)
{
    const struct model_services *services = kernels_services(kernels);
    struct model_tensor view = {.struct_size = sizeof view};
    model_status status = services->tensor_by_name(services->context, name, &view);
    if (status == MODEL_NOT_FOUND)
        return kernels_fail(err, status,
                            "weight '%s' is missing from the package; the files are of another "
                            "architecture, or one of them was not downloaded",
                            name);
    if (status != MODEL_OK)
        return kernels_fail(err, status, "weight '%s' cannot be read", name);
    if (float_size_bytes(view.dtype) == 0)
        return kernels_fail(err, MODEL_UNSUPPORTED,
                            "weight '%s': dtype %s, want F32, F16, BF16 or F64", name,
                            dtype_names[(uint32_t)view.dtype < N_DTYPE_NAMES ? view.dtype : 0]);
    bool same = view.rank == rank;
    uint64_t n = 1;
    for (uint32_t i = 0; i < rank && same; i++) {
        same = shape[i] < 0 ? view.shape[i] > 0 : view.shape[i] == shape[i];
        n *= (uint64_t)view.shape[i];
    }
    if (!same) {
        char have[160], want[160];
        return kernels_fail(err, MODEL_CORRUPT, "weight '%s': shape %s, want %s", name,
                            shape_text(view.shape, view.rank, have, sizeof have),
                            shape_text(shape, rank, want, sizeof want));
    }
    if (view.size_bytes != n * float_size_bytes(view.dtype))
        return kernels_fail(err, MODEL_CORRUPT, "weight '%s': %llu bytes, want %llu", name,
                            (unsigned long long)view.size_bytes,
                            (unsigned long long)(n * float_size_bytes(view.dtype)));
    *ret = view;
    return MODEL_OK;
}

model_status weight_vector(struct kernels *kernels, const char *name, int64_t n, const float **ret,
                           struct model_error *err)
{
    struct model_tensor view;
    model_status status = weight_find(kernels, name, 1, &n, &view, err);
    if (status != MODEL_OK)
        return status;
    if (view.dtype == MODEL_F32) {
        *ret = view.data;
        return MODEL_OK;
    }
    float *copy = kernels_allocate(kernels, (size_t)n * sizeof *copy);
    if (copy == NULL)
        return kernels_no_memory(err, name);
    weight_read_f32(&view, 0, (size_t)n, copy);
    *ret = copy;
    return MODEL_OK;
}

static void read_f16(const uint16_t *x, size_t n, float *y)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t magnitude = (uint32_t)(x[i] & 0x7FFFu) << 13;
        float scaled;
        memcpy(&scaled, &magnitude, sizeof scaled);
        scaled *= 0x1p112f; /* moves the exponent's bias; right for subnormals too */
        uint32_t bits;
        memcpy(&bits, &scaled, sizeof bits);
        bits = magnitude >= (0x7C00u << 13) ? magnitude | 0x7F800000u : bits; /* infinity, NaN */
        bits |= (uint32_t)(x[i] & 0x8000u) << 16;
        memcpy(&y[i], &bits, sizeof bits);
    }
}

static void read_bf16(const uint16_t *x, size_t n, float *y)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)x[i] << 16;
        memcpy(&y[i], &bits, sizeof bits);
    }
}

void weight_read_f32(const struct model_tensor *tensor, size_t first, size_t n, float *ret)
{
    switch (tensor->dtype) {
    case MODEL_F32:
        memcpy(ret, (const float *)tensor->data + first, n * sizeof *ret);
        break;
    case MODEL_F16:
        read_f16((const uint16_t *)tensor->data + first, n, ret);
        break;
    case MODEL_BF16:
        read_bf16((const uint16_t *)tensor->data + first, n, ret);
        break;
    default: /* MODEL_F64: weight_find() lets no other pass */
        for (size_t i = 0; i < n; i++)
            ret[i] = (float)((const double *)tensor->data)[first + i];
    }
}
