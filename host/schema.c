/* schema.c - see schema.h. No state, any thread; no allocation: this runs for each request. */
#include "schema.h"
#include "dtype.h"
#include "errors.h"
#include "size.h"
#include "utf8.h"

#include <stdio.h>
#include <string.h>

/* What a plugin says of itself is shown and printed as JSON: UTF-8 without control characters. */
static bool is_text(const char *text)
{
    size_t length = strlen(text);
    if (utf8_valid_prefix(text, length) != length)
        return false;
    for (const char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            return false;
    return true;
}

static model_status check_dimension(const struct model_dimension *dimension, const char *tensor,
                                    struct model_error *err)
{
    if (dimension->name != NULL && !is_text(dimension->name))
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "plugin: tensor '%s': the name of a dimension is not text in UTF-8 "
                         "without control characters",
                         tensor);
    bool fixed = dimension->name == NULL;
    if (dimension->min < 0 || dimension->max < dimension->min ||
        (fixed && dimension->min != dimension->max))
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "plugin: tensor '%s': a dimension '%s' from %lld to %lld makes no sense",
                         tensor, fixed ? "(fixed)" : dimension->name, (long long)dimension->min,
                         (long long)dimension->max);
    return MODEL_OK;
}

static model_status check_spec(const struct model_tensor_spec *spec, const char *kind,
                               struct model_error *err)
{
    if (spec == NULL)
        return error_set(err, MODEL_INVALID_ARGUMENT, "plugin: an %s is NULL", kind);
    if (!MODEL_HAS(struct model_tensor_spec, spec, flags) || spec->name == NULL ||
        spec->name[0] == '\0')
        return error_set(err, MODEL_INVALID_ARGUMENT, "plugin: an %s has no name", kind);
    if (!is_text(spec->name))
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "plugin: the name of an %s is not text in UTF-8 without control "
                         "characters",
                         kind);
    if (dtype_size_bytes(spec->dtype) == 0)
        return error_set(err, MODEL_INVALID_ARGUMENT, "plugin: %s '%s' has the unknown dtype %d",
                         kind, spec->name, (int)spec->dtype);
    if ((spec->flags & MODEL_SPEC_BYTES) != 0 && spec->dtype != MODEL_F32)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "plugin: %s '%s' is %s, and MODEL_SPEC_BYTES is for F32", kind, spec->name,
                         dtype_name(spec->dtype));
    if (spec->rank > MODEL_MAX_RANK || (spec->rank > 0 && spec->shape == NULL))
        return error_set(err, MODEL_INVALID_ARGUMENT, "plugin: %s '%s' has rank %u, at most %d",
                         kind, spec->name, spec->rank, MODEL_MAX_RANK);
    model_status status = MODEL_OK;
    for (uint32_t i = 0; i < spec->rank && status == MODEL_OK; i++)
        status = check_dimension(&spec->shape[i], spec->name, err);
    return status;
}

static model_status check_specs(const struct model_tensor_spec *const *specs, uint32_t n_specs,
                                const char *kind, struct model_error *err)
{
    if (specs == NULL && n_specs > 0)
        return error_set(err, MODEL_INVALID_ARGUMENT, "plugin: its list of %u %ss is NULL", n_specs,
                         kind);
    if (n_specs == 0 || n_specs > SCHEMA_MAX_TENSORS)
        return error_set(err, MODEL_INVALID_ARGUMENT, "plugin: %u %ss, want 1 to %d", n_specs, kind,
                         SCHEMA_MAX_TENSORS);
    for (uint32_t i = 0; i < n_specs; i++) {
        model_status status = check_spec(specs[i], kind, err);
        if (status != MODEL_OK)
            return status;
        if (schema_find(specs, i, specs[i]->name) != NULL)
            return error_set(err, MODEL_INVALID_ARGUMENT, "plugin: %s '%s' is described twice",
                             kind, specs[i]->name);
    }
    return MODEL_OK;
}

model_status schema_check_description(const struct model_description *description,
                                      struct model_error *err)
{
    if (description == NULL || !MODEL_HAS(struct model_description, description, max_slots))
        return error_set(err, MODEL_ABI_MISMATCH,
                         "plugin: its description is smaller than that of ABI 1.0");
    if (description->max_slots > SCHEMA_MAX_SLOTS)
        return error_set(err, MODEL_INVALID_ARGUMENT, "plugin: max_slots is %u, want at most %d",
                         description->max_slots, SCHEMA_MAX_SLOTS);
    const char *const texts[] = {description->architecture, description->task, description->device,
                                 description->compute_dtype, description->prepared_key};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i] != NULL && !is_text(texts[i]))
            return error_set(err, MODEL_INVALID_ARGUMENT,
                             "plugin: what its description says is not text in UTF-8 without "
                             "control characters");
    model_status status = check_specs(description->inputs, description->n_inputs, "input", err);
    return status == MODEL_OK
               ? check_specs(description->outputs, description->n_outputs, "output", err)
               : status;
}

const struct model_tensor_spec *schema_find(const struct model_tensor_spec *const *specs,
                                            uint32_t n_specs, const char *name)
{
    for (uint32_t i = 0; i < n_specs; i++)
        if (strcmp(specs[i]->name, name) == 0)
            return specs[i];
    return NULL;
}

static void describe_bounds(const struct model_dimension *dimension, char *text, size_t text_bytes)
{
    const long long min = dimension->min, max = dimension->max;
    if (dimension->max == INT64_MAX)
        (void)snprintf(text, text_bytes, "at least %lld", min);
    else if (min == max)
        (void)snprintf(text, text_bytes, "%lld", min);
    else
        (void)snprintf(text, text_bytes, "%lld to %lld", min, max);
}

/* Holds one size against its dimension and against what the name already stands for. */
static model_status bind(const struct model_dimension *dimension, int64_t size, const char *tensor,
                         uint32_t axis, struct schema_binding *binding, struct model_error *err)
{
    if (size < dimension->min || size > dimension->max) {
        char wanted[64];
        describe_bounds(dimension, wanted, sizeof wanted);
        return error_set(err, MODEL_INVALID_ARGUMENT, "'%s': dimension %u%s%s%s is %lld, want %s",
                         tensor, axis, dimension->name ? " (" : "",
                         dimension->name ? dimension->name : "", dimension->name ? ")" : "",
                         (long long)size, wanted);
    }
    if (dimension->name == NULL)
        return MODEL_OK;
    for (uint32_t i = 0; i < binding->n_dimensions; i++)
        if (strcmp(binding->dimensions[i].name, dimension->name) == 0) {
            if (binding->dimensions[i].size == size)
                return MODEL_OK;
            return error_set(err, MODEL_INVALID_ARGUMENT,
                             "'%s': dimension %u (%s) is %lld, but %lld elsewhere in this request",
                             tensor, axis, dimension->name, (long long)size,
                             (long long)binding->dimensions[i].size);
        }
    if (binding->n_dimensions < SCHEMA_MAX_DIMENSIONS) {
        binding->dimensions[binding->n_dimensions].name = dimension->name;
        binding->dimensions[binding->n_dimensions++].size = size;
    }
    return MODEL_OK;
}

static model_status check_dtype(const struct model_tensor_spec *spec, int32_t dtype,
                                bool takes_bytes, struct model_error *err)
{
    if (dtype == spec->dtype || (takes_bytes && dtype == MODEL_U8))
        return MODEL_OK;
    return error_set(err, MODEL_INVALID_ARGUMENT, "'%s': dtype %s, want %s%s", spec->name,
                     dtype_name(dtype), dtype_name(spec->dtype), takes_bytes ? " or U8" : "");
}

static model_status check_shape(const struct model_tensor_spec *spec, uint32_t rank,
                                const int64_t *shape, struct schema_binding *binding,
                                struct model_error *err)
{
    if (rank != spec->rank)
        return error_set(err, MODEL_INVALID_ARGUMENT, "'%s': rank %u, want %u", spec->name, rank,
                         spec->rank);
    if (rank > 0 && shape == NULL)
        return error_set(err, MODEL_INVALID_ARGUMENT, "'%s': its shape is NULL", spec->name);
    model_status status = MODEL_OK;
    for (uint32_t i = 0; i < rank && status == MODEL_OK; i++)
        status = bind(&spec->shape[i], shape[i], spec->name, i, binding, err);
    return status;
}

/* Dense, inside 64 bits, with data of just that size. */
static model_status check_data(const struct model_tensor *tensor, struct model_error *err)
{
    uint64_t n = 1;
    for (uint32_t i = tensor->rank; i-- > 0;) {
        if (tensor->shape[i] != 1 && tensor->shape[i] != 0 && n != 0 &&
            (uint64_t)tensor->strides[i] != n)
            return error_set(err, MODEL_UNSUPPORTED,
                             "'%s' is not dense: dimension %u has stride %lld, want %llu",
                             tensor->name, i, (long long)tensor->strides[i], (unsigned long long)n);
        if (!size_multiply(n, (uint64_t)tensor->shape[i], &n))
            n = UINT64_MAX;
    }
    uint64_t size_bytes = 0;
    if (n == UINT64_MAX || !size_multiply(n, dtype_size_bytes(tensor->dtype), &size_bytes))
        return error_set(err, MODEL_INVALID_ARGUMENT, "'%s': its shape overflows", tensor->name);
    if (size_bytes != tensor->size_bytes || (size_bytes > 0 && tensor->data == NULL))
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "'%s': %llu bytes of data, its shape wants %llu", tensor->name,
                         (unsigned long long)(tensor->data ? tensor->size_bytes : 0),
                         (unsigned long long)size_bytes);
    if ((uintptr_t)tensor->data % dtype_size_bytes(tensor->dtype) != 0)
        return error_set(err, MODEL_INVALID_ARGUMENT, "'%s': data is not aligned to its elements",
                         tensor->name);
    return MODEL_OK;
}

static model_status check_input(const struct model_description *description,
                                const struct model_tensor *tensor, struct schema_binding *binding,
                                struct model_error *err)
{
    if (tensor == NULL)
        return error_set(err, MODEL_INVALID_ARGUMENT, "an input is NULL");
    if (!MODEL_HAS(struct model_tensor, tensor, flags) || tensor->name == NULL)
        return error_set(err, MODEL_INVALID_ARGUMENT, "an input has no name or no struct_size");
    const struct model_tensor_spec *spec =
        schema_find(description->inputs, description->n_inputs, tensor->name);
    if (spec == NULL)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "the model has no input '%s'; its first is '%s'", tensor->name,
                         description->inputs[0]->name);
    if (tensor->rank > MODEL_MAX_RANK)
        return error_set(err, MODEL_INVALID_ARGUMENT, "'%s': rank %u, at most %d", tensor->name,
                         tensor->rank, MODEL_MAX_RANK);
    model_status status =
        check_dtype(spec, tensor->dtype, (spec->flags & MODEL_SPEC_BYTES) != 0, err);
    if (status == MODEL_OK)
        status = check_shape(spec, tensor->rank, tensor->shape, binding, err);
    return status == MODEL_OK ? check_data(tensor, err) : status;
}

static bool is_given(const struct model_tensor *const *inputs, uint32_t n_inputs, const char *name)
{
    for (uint32_t i = 0; i < n_inputs; i++)
        if (strcmp(inputs[i]->name, name) == 0)
            return true;
    return false;
}

model_status schema_check_inputs(const struct model_description *description,
                                 const struct model_tensor *const *inputs, uint32_t n_inputs,
                                 struct schema_binding *ret, struct model_error *err)
{
    ret->n_dimensions = 0;
    if (n_inputs > 0 && inputs == NULL)
        return error_set(err, MODEL_INVALID_ARGUMENT, "the list of %u inputs is NULL", n_inputs);
    if (n_inputs > SCHEMA_MAX_TENSORS)
        return error_set(err, MODEL_INVALID_ARGUMENT, "%u inputs, at most %d", n_inputs,
                         SCHEMA_MAX_TENSORS);
    for (uint32_t i = 0; i < n_inputs; i++) {
        model_status status = check_input(description, inputs[i], ret, err);
        if (status != MODEL_OK)
            return status;
        if (is_given(inputs, i, inputs[i]->name))
            return error_set(err, MODEL_INVALID_ARGUMENT, "the input '%s' is given twice",
                             inputs[i]->name);
    }
    for (uint32_t i = 0; i < description->n_inputs; i++) {
        const struct model_tensor_spec *spec = description->inputs[i];
        if ((spec->flags & MODEL_SPEC_OPTIONAL) == 0 && !is_given(inputs, n_inputs, spec->name))
            return error_set(err, MODEL_INVALID_ARGUMENT, "the input '%s' (%s, rank %u) is missing",
                             spec->name, dtype_name(spec->dtype), spec->rank);
    }
    const int64_t max_batch = description->max_batch; /* 0: not said */
    if (max_batch > 0 && schema_batch(ret) > max_batch)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "a batch of %lld items, the model takes at most %lld at once; split it",
                         (long long)schema_batch(ret), (long long)max_batch);
    return MODEL_OK;
}

model_status schema_check_output(const struct model_tensor_spec *spec, int32_t dtype, uint32_t rank,
                                 const int64_t *shape, struct schema_binding *binding,
                                 struct model_error *err)
{
    model_status status = check_dtype(spec, dtype, false, err);
    if (status == MODEL_OK)
        status = check_shape(spec, rank, shape, binding, err);
    if (status != MODEL_OK) {
        error_prefix(err, "output");
        return MODEL_INTERNAL;
    }
    return MODEL_OK;
}

model_status schema_check_emitted(const struct model_description *description,
                                  const struct model_tensor *tensor, struct model_error *err)
{
    const struct model_tensor_spec *spec = NULL;
    if (tensor != NULL && MODEL_HAS(struct model_tensor, tensor, flags) && tensor->name != NULL)
        spec = schema_find(description->outputs, description->n_outputs, tensor->name);
    if (spec == NULL)
        return error_set(err, MODEL_INTERNAL, "a tensor without the name of an output");
    if (tensor->dtype != spec->dtype || tensor->rank != spec->rank)
        return error_set(err, MODEL_INTERNAL, "'%s': %s of rank %u, want %s of rank %u", spec->name,
                         dtype_name(tensor->dtype), tensor->rank, dtype_name(spec->dtype),
                         spec->rank);
    for (uint32_t i = 0; i < spec->rank; i++)
        if (tensor->shape[i] < 0 || tensor->shape[i] > spec->shape[i].max)
            return error_set(err, MODEL_INTERNAL, "'%s': size %lld of dimension %u, want 0 to %lld",
                             spec->name, (long long)tensor->shape[i], i,
                             (long long)spec->shape[i].max);
    return check_data(tensor, err) == MODEL_OK ? MODEL_OK : MODEL_INTERNAL;
}

int64_t schema_size(const struct schema_binding *binding, const char *name)
{
    for (uint32_t i = 0; i < binding->n_dimensions; i++)
        if (strcmp(binding->dimensions[i].name, name) == 0)
            return binding->dimensions[i].size;
    return -1;
}

int64_t schema_batch(const struct schema_binding *binding)
{
    const int64_t size = schema_size(binding, "batch");
    return size >= 0 ? size : 1;
}
