/* coreml_constexpr.c - see coreml_constexpr.h. The older operations keep their data in attributes, the newer ones in
 * inputs: each is looked for in both. */
#include "coreml_constexpr.h"
#include "coreml_build.h"
#include "dtype.h"
#include "errors.h"

#include <stdlib.h>
#include <string.h>

#define SHAPE_BYTES (MODEL_MAX_RANK * 22)

typedef model_status expand_fn(const struct coreml_operation *operation, uint64_t n_elements,
                               float *ret, struct model_error *err);

static model_status refuse(const struct coreml_operation *operation, const char *name,
                           struct model_error *err)
{
    return coreml_refuse(err, "%s: '%s' is missing, or not of a size that fits", operation->type,
                         name);
}

static const struct coreml_value *find(const struct coreml_operation *operation, const char *name)
{
    const struct coreml_value *value = coreml_operation_attribute(operation, name);
    return value != NULL ? value : coreml_operation_constant(operation, name);
}

static model_status refuse_shape(const struct coreml_operation *operation, const char *name,
                                 const int64_t *shape, uint32_t rank, struct model_error *err)
{
    const struct coreml_named_type *output = &operation->outputs[0];
    char found[SHAPE_BYTES], wanted[SHAPE_BYTES];
    return coreml_refuse(err, "%s: '%s' gives the shape %s, its output '%.150s' is declared as %s",
                         operation->type, name, shape_text(shape, rank, found, sizeof found),
                         output->name,
                         shape_text(output->type.shape, output->type.rank, wanted, sizeof wanted));
}

static bool is_output_shape(const struct coreml_operation *operation, const int64_t *shape,
                            uint64_t rank)
{
    const struct coreml_type *output = &operation->outputs[0].type;
    return rank == output->rank && memcmp(shape, output->shape, rank * sizeof *shape) == 0;
}

/* The parameter that has a number for each of the output's. */
static model_status check_alike(const struct coreml_operation *operation, const char *name,
                                struct model_error *err)
{
    const struct coreml_value *value = find(operation, name);
    if (value == NULL || value->type.kind != COREML_TYPE_TENSOR)
        return refuse(operation, name, err);
    return is_output_shape(operation, value->type.shape, value->type.rank)
               ? MODEL_OK
               : refuse_shape(operation, name, value->type.shape, value->type.rank, err);
}

/* 'shape', which the older operations have, says the same as the output's type. */
static model_status check_shape(const struct coreml_operation *operation, struct model_error *err)
{
    const struct coreml_value *value = find(operation, "shape");
    int64_t shape[MODEL_MAX_RANK];
    if (value == NULL)
        return MODEL_OK;
    if (value->n_elements > MODEL_MAX_RANK)
        return refuse(operation, "shape", err);
    model_status status = coreml_value_to_int64(value, shape, err);
    return status != MODEL_OK || is_output_shape(operation, shape, value->n_elements)
               ? status
               : refuse_shape(operation, "shape", shape, (uint32_t)value->n_elements, err);
}

/* All numbers of a parameter, to be freed. wanted 0: any number of them. */
static model_status take(const struct coreml_operation *operation, const char *name,
                         uint64_t wanted, float **ret, uint64_t *ret_n, struct model_error *err)
{
    const struct coreml_value *value = find(operation, name);
    if (value == NULL || value->n_elements == 0 || (wanted != 0 && value->n_elements != wanted))
        return refuse(operation, name, err);
    float *numbers = calloc((size_t)value->n_elements, sizeof *numbers);
    model_status status = numbers != NULL ? coreml_value_to_float32(value, numbers, err)
                                          : error_no_memory(err, "weights");
    if (status != MODEL_OK) {
        free(numbers);
        return status;
    }
    *ret = numbers;
    if (ret_n != NULL)
        *ret_n = value->n_elements;
    return MODEL_OK;
}

/* scale * (q - zero_point), along one axis. */
static model_status expand_affine(const struct coreml_operation *operation, uint64_t n_elements,
                                  float *ret, struct model_error *err)
{
    float *scale = NULL, *zero = NULL;
    uint64_t n_scale = 0, n_zero = 0, inner = 1;
    int64_t axis = 0;
    const struct coreml_value *data = find(operation, "quantized_data");
    const struct coreml_value *axis_value = find(operation, "axis");
    model_status status = axis_value != NULL && axis_value->n_elements == 1
                              ? coreml_value_to_int64(axis_value, &axis, err)
                              : refuse(operation, "axis", err);
    axis = axis < 0 ? axis + (int64_t)data->type.rank : axis;
    if (status == MODEL_OK && (axis < 0 || axis >= (int64_t)data->type.rank))
        status = refuse(operation, "axis", err);
    if (status == MODEL_OK)
        status = take(operation, "scale", 0, &scale, &n_scale, err);
    if (status == MODEL_OK)
        status = take(operation, "zero_point", 0, &zero, &n_zero, err);
    const uint64_t size = status == MODEL_OK ? (uint64_t)data->type.shape[axis] : 1;
    if (status == MODEL_OK &&
        ((n_scale != 1 && n_scale != size) || (n_zero != 1 && n_zero != size)))
        status = refuse(operation, "scale", err);
    if (status == MODEL_OK)
        status = coreml_value_to_float32(data, ret, err);
    for (uint32_t d = (uint32_t)axis + 1; status == MODEL_OK && d < data->type.rank; d++)
        inner *= (uint64_t)data->type.shape[d];
    for (uint64_t i = 0; i < n_elements && status == MODEL_OK; i++) {
        const uint64_t at = i / inner % size;
        ret[i] = scale[n_scale > 1 ? at : 0] * (ret[i] - zero[n_zero > 1 ? at : 0]);
    }
    free(scale);
    free(zero);
    return status;
}

/* Indices packed from the lowest bit on choose from one table. */
static model_status expand_table(const struct coreml_operation *operation, uint64_t n_elements,
                                 float *ret, struct model_error *err)
{
    const struct coreml_value *indices = find(operation, "indices");
    uint64_t n_table = 0;
    unsigned n_bits = 0;
    float *table = NULL;
    if (indices == NULL || find(operation, "shape") == NULL)
        return error_set(
            err, MODEL_UNSUPPORTED,
            "%s with tables for groups of channels is not read: convert the model for iOS 17",
            operation->type);
    model_status status = take(operation, "lut", 0, &table, &n_table, err);
    while (n_bits < 9 && (uint64_t)1 << n_bits < n_table)
        n_bits++;
    if (status == MODEL_OK && (n_bits < 1 || n_bits > 8 || (uint64_t)1 << n_bits != n_table))
        status = refuse(operation, "lut", err);
    if (status == MODEL_OK &&
        (indices->type.dtype != COREML_U8 || n_elements > UINT64_MAX / 8 - 1 ||
         indices->size_bytes != (n_elements * n_bits + 7) / 8))
        status = refuse(operation, "indices", err);
    if (status == MODEL_OK)
        status = coreml_value_check(indices, err);
    for (uint64_t i = 0; i < n_elements && status == MODEL_OK; i++) {
        const uint8_t *data = indices->data;
        unsigned chosen = 0;
        for (unsigned b = 0; b < n_bits; b++) {
            const uint64_t bit = i * n_bits + b;
            chosen |= (unsigned)((data[bit / 8] >> (bit % 8)) & 1) << b;
        }
        ret[i] = table[chosen];
    }
    free(table);
    return status;
}

static bool is_set(const struct coreml_value *mask, uint64_t i)
{
    return ((const uint8_t *)mask->data)[i / 8] >> (i % 8) & 1;
}

static uint64_t count_set(const struct coreml_value *mask, uint64_t n_elements)
{
    uint64_t n_set = 0;
    for (uint64_t i = 0; i < n_elements; i++)
        n_set += is_set(mask, i);
    return n_set;
}

/* A mask, packed from the lowest bit on, says where the next number goes; elsewhere is 0. */
static model_status expand_sparse(const struct coreml_operation *operation, uint64_t n_elements,
                                  float *ret, struct model_error *err)
{
    const struct coreml_value *mask = find(operation, "mask");
    const struct coreml_value *data = find(operation, "nonzero_data");
    float *numbers = NULL;
    uint64_t n_numbers = 0, n_set = 0, used = 0;
    if (mask == NULL || mask->size_bytes != n_elements / 8 + (n_elements % 8 != 0))
        return refuse(operation, "mask", err);
    model_status status =
        mask->type.dtype == COREML_U1 ? check_alike(operation, "mask", err) : MODEL_OK;
    if (status == MODEL_OK)
        status = coreml_value_check(mask, err);
    if (status == MODEL_OK && (data == NULL || data->n_elements > 0))
        status = take(operation, "nonzero_data", 0, &numbers, &n_numbers, err);
    if (status == MODEL_OK && (n_set = count_set(mask, n_elements)) != n_numbers)
        status = coreml_refuse(err, "%s: 'nonzero_data' has %llu numbers, 'mask' places for %llu",
                               operation->type, (unsigned long long)n_numbers,
                               (unsigned long long)n_set);
    for (uint64_t i = 0; i < n_elements && status == MODEL_OK; i++)
        ret[i] = is_set(mask, i) ? numbers[used++] : 0;
    free(numbers);
    return status;
}

static model_status expand_cast(const struct coreml_operation *operation, uint64_t n_elements,
                                float *ret, struct model_error *err)
{
    const struct coreml_value *dtype = find(operation, "output_dtype");
    const char *wanted = dtype != NULL ? coreml_value_text(dtype) : NULL;
    const char *declared = coreml_dtype_name(operation->outputs[0].type.dtype);
    (void)n_elements;
    if (wanted != NULL && strcmp(wanted, declared) != 0)
        return coreml_refuse(err,
                             "%s: 'output_dtype' is '%.20s', its output '%.150s' is declared as %s",
                             operation->type, wanted, operation->outputs[0].name, declared);
    return coreml_value_to_float32(find(operation, "source_val"), ret, err);
}

/* The element of a scale, or an offset, that an element of the data belongs to: blocks in each dimension. */
static uint64_t block_of(const struct coreml_type *data, const struct coreml_type *scale,
                         uint64_t i)
{
    uint64_t place = 0, step = 1;
    for (uint32_t d = data->rank; d-- > 0;) {
        const uint64_t size = (uint64_t)data->shape[d], n_blocks = (uint64_t)scale->shape[d];
        place += i % size / (size / n_blocks) * step;
        i /= size;
        step *= n_blocks;
    }
    return place;
}

static bool is_blocked(const struct coreml_type *data, const struct coreml_value *scale)
{
    bool good = scale != NULL && scale->type.rank == data->rank && scale->n_elements > 0;
    for (uint32_t d = 0; good && d < data->rank; d++)
        good = data->shape[d] > 0 && data->shape[d] % scale->type.shape[d] == 0;
    return good;
}

/* scale * (data - offset), both for blocks of the data. */
static model_status expand_blockwise(const struct coreml_operation *operation, uint64_t n_elements,
                                     float *ret, struct model_error *err)
{
    const struct coreml_value *data = find(operation, "data"), *scale = find(operation, "scale");
    const struct coreml_value *offset = find(operation, "offset");
    float *scales = NULL, *offsets = NULL;
    if (n_elements == 0)
        return MODEL_OK;
    if (!is_blocked(&data->type, scale))
        return refuse(operation, "scale", err);
    if (offset != NULL &&
        (!is_blocked(&data->type, offset) ||
         memcmp(offset->type.shape, scale->type.shape, sizeof scale->type.shape) != 0))
        return refuse(operation, "offset", err);
    model_status status = take(operation, "scale", 0, &scales, NULL, err);
    if (status == MODEL_OK && offset != NULL)
        status = take(operation, "offset", 0, &offsets, NULL, err);
    if (status == MODEL_OK)
        status = coreml_value_to_float32(data, ret, err);
    for (uint64_t i = 0; i < n_elements && status == MODEL_OK; i++) {
        const uint64_t block = block_of(&data->type, &scale->type, i);
        ret[i] = scales[block] * (ret[i] - (offsets != NULL ? offsets[block] : 0));
    }
    free(scales);
    free(offsets);
    return status;
}

static const struct {
    const char *type;
    expand_fn *expand;
    const char *alike; /* the parameter of the output's shape; NULL: none has it */
} operators[] = {
    {"constexpr_affine_dequantize", expand_affine, "quantized_data"},
    {"constexpr_lut_to_dense", expand_table, NULL},
    {"constexpr_sparse_to_dense", expand_sparse, NULL},
    {"constexpr_cast", expand_cast, "source_val"},
    {"constexpr_blockwise_shift_scale", expand_blockwise, "data"},
};

bool coreml_is_constexpr(const struct coreml_operation *operation)
{
    return strncmp(operation->type, "constexpr_", strlen("constexpr_")) == 0;
}

model_status coreml_constexpr_to_float32(const struct coreml_operation *operation,
                                         uint64_t n_elements, float *ret, struct model_error *err)
{
    uint64_t wanted = 1;
    if (operation->n_outputs != 1 || operation->outputs[0].type.kind != COREML_TYPE_TENSOR)
        return coreml_refuse(err, "%s: want one output, a tensor", operation->type);
    for (uint32_t d = 0; d < operation->outputs[0].type.rank; d++)
        if (operation->outputs[0].type.shape[d] < 0 ||
            __builtin_mul_overflow(wanted, (uint64_t)operation->outputs[0].type.shape[d], &wanted))
            return refuse(operation, "shape", err);
    if (wanted != n_elements)
        return refuse(operation, "shape", err);
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
        if (strcmp(operators[i].type, operation->type) != 0)
            continue;
        model_status status = check_shape(operation, err);
        if (status == MODEL_OK && operators[i].alike != NULL)
            status = check_alike(operation, operators[i].alike, err);
        return status == MODEL_OK ? operators[i].expand(operation, n_elements, ret, err) : status;
    }
    return error_set(err, MODEL_UNSUPPORTED, "weights compressed with '%.100s' are not read",
                     operation->type);
}
