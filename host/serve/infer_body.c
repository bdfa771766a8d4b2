/* infer_body.c - see infer_body.h. */
#include "infer_body.h"
#include "buffer.h"
#include "dtype.h"
#include "errors.h"
#include "infer_datatype.h"
#include "json_view.h"
#include "size.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define OTHER_VALUES   ((size_t)1000) /* of a body, beside its numbers */
#define MAX_TENSORS    64
#define MAX_TIMEOUT_US (INT64_C(1) << 50)        /* as a number; max_timeout_ms is what counts */
#define EXACT          INT64_C(9007199254740992) /* 2^53 */

/* ---- numbers */

#define STORE(T)                                                                                   \
    do {                                                                                           \
        T value = (T)number;                                                                       \
        memcpy(place, &value, sizeof value);                                                       \
        return true;                                                                               \
    } while (0)

/* Writes one number of data at place; false: it is none that the type holds. */
static bool store_number(const json_node *node, int32_t dtype, unsigned char *place)
{
    static const struct {
        int32_t dtype;
        int64_t min, max;
    } ranges[] = {
        {MODEL_BOOL, 0, 1},
        {MODEL_U8, 0, UINT8_MAX},
        {MODEL_I8, INT8_MIN, INT8_MAX},
        {MODEL_U16, 0, UINT16_MAX},
        {MODEL_I16, INT16_MIN, INT16_MAX},
        {MODEL_U32, 0, UINT32_MAX},
        {MODEL_I32, INT32_MIN, INT32_MAX},
        {MODEL_U64, 0, EXACT},
        {MODEL_I64, -EXACT, EXACT},
    };
    if (dtype == MODEL_F32 || dtype == MODEL_F64) {
        const double number = json_number_or(node, NAN);
        if (isnan(number) || (dtype == MODEL_F32 && fabs(number) > FLT_MAX))
            return false;
        if (dtype == MODEL_F64)
            STORE(double);
        STORE(float);
    }
    if (dtype == MODEL_BOOL && json_is_bool(node)) {
        *place = json_bool_or(node, false);
        return true;
    }
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        int64_t number = 0;
        if (ranges[i].dtype != dtype)
            continue;
        if (!json_integer(node, ranges[i].min, ranges[i].max, &number))
            return false;
        memcpy(place, &number, dtype_size_bytes(dtype)); /* little-endian */
        return true;
    }
    return false;
}

struct filling {
    struct model_tensor *tensor;
    uint64_t n, n_wanted;
};

/* The numbers of an array. */
static bool fill_flat(struct filling *filling, const json_node *array)
{
    const size_t item_bytes = dtype_size_bytes(filling->tensor->dtype);
    for (const json_node *item = json_first(array); item != NULL; item = json_next(item)) {
        if (filling->n == filling->n_wanted ||
            !store_number(item, filling->tensor->dtype,
                          (unsigned char *)filling->tensor->data + filling->n * item_bytes))
            return false;
        filling->n++;
    }
    return true;
}

/* Of the arrays in an array, which stands for the axes from `axis` on. */
static bool fill_nested(struct filling *filling, const json_node *array, uint32_t axis)
{
    int64_t n = 0;
    if (!json_is_array(array))
        return false;
    if (axis + 1 == filling->tensor->rank) {
        const uint64_t before = filling->n;
        return fill_flat(filling, array) &&
               filling->n - before == (uint64_t)filling->tensor->shape[axis];
    }
    for (const json_node *item = json_first(array); item != NULL; item = json_next(item), n++)
        if (!fill_nested(filling, item, axis + 1)) /* as deep as MODEL_MAX_RANK */
            return false;
    return n == filling->tensor->shape[axis];
}

/* Flat, or nested just as the shape is. */
static bool fill(struct filling *filling, const json_node *data)
{
    const json_node *first = json_first(data);
    const bool is_nested = first != NULL && json_is_array(first) && filling->tensor->rank > 1;
    return (is_nested ? fill_nested(filling, data, 0) : fill_flat(filling, data)) &&
           filling->n == filling->n_wanted;
}

/* ---- tensors */

static model_status refuse(struct model_error *err, const char *name, const char *what)
{
    return error_set(err, MODEL_INVALID_ARGUMENT, "input '%.80s': %s", name, what);
}

static model_status read_shape(const json_node *shape, struct model_tensor *tensor,
                               const char *name, struct model_error *err)
{
    if (!json_is_array(shape) || json_count(shape) > MODEL_MAX_RANK)
        return refuse(err, name, "want a shape of at most 8 numbers");
    for (const json_node *size = json_first(shape); size != NULL; size = json_next(size))
        if (!json_integer(size, 0, EXACT, &tensor->shape[tensor->rank++]))
            return refuse(err, name, "its shape has a size that is no whole number from 0");
    return MODEL_OK;
}

static model_status read_data(const json_node *data, struct model_tensor *tensor, const char *name,
                              struct model_error *err)
{
    uint64_t n = 1, size_bytes = 0;
    for (uint32_t i = 0; i < tensor->rank; i++)
        if (!size_multiply(n, (uint64_t)tensor->shape[i], &n))
            return refuse(err, name, "its shape overflows");
    if (!size_multiply(n, dtype_size_bytes(tensor->dtype), &size_bytes) || n > INFER_MAX_VALUES)
        return error_set(err, MODEL_UNSUPPORTED,
                         "input '%.80s': its shape has %llu numbers, and this server takes %zu",
                         name, (unsigned long long)n, INFER_MAX_VALUES);
    if (!json_is_array(data))
        return refuse(err, name,
                      "want its numbers in an array \"data\"; there is no binary form here");
    struct model_tensor made;
    void *memory = aligned_alloc(64, (size_t)(size_bytes + 64) / 64 * 64);
    tensor_init(&made, tensor->name, tensor->dtype, tensor->rank, tensor->shape, memory);
    *tensor = made;
    if (memory == NULL)
        return error_no_memory(err, "an input");
    struct filling filling = {tensor, 0, n};
    if (!fill(&filling, data))
        return refuse(
            err, name,
            "data does not hold as many numbers of its datatype as its shape says, flat or "
            "nested like it");
    return MODEL_OK;
}

static model_status read_input(const json_node *input, struct model_tensor *tensor,
                               struct model_error *err)
{
    const char *name = json_string_or(json_member(input, "name"), NULL);
    const char *datatype = json_string_or(json_member(input, "datatype"), NULL);
    if (name == NULL)
        return error_set(err, MODEL_INVALID_ARGUMENT, "an input has no name");
    tensor->struct_size = sizeof *tensor;
    tensor->name = text_format("%s", name);
    tensor->dtype = infer_datatype_find(datatype);
    if (tensor->name == NULL)
        return error_no_memory(err, "an input");
    if (tensor->dtype == 0 || tensor->dtype == MODEL_F16 || tensor->dtype == MODEL_BF16)
        return refuse(err, name,
                      "want a datatype of BOOL, INT8 to INT64, UINT8 to UINT64, FP32, FP64");
    model_status status = read_shape(json_member(input, "shape"), tensor, name, err);
    return status == MODEL_OK ? read_data(json_member(input, "data"), tensor, name, err) : status;
}

static model_status read_inputs(const json_node *inputs, struct infer_body *body,
                                struct model_error *err)
{
    const size_t n = json_count(inputs);
    if (!json_is_array(inputs) || n > MAX_TENSORS)
        return error_set(err, MODEL_INVALID_ARGUMENT, "want an array \"inputs\" of at most %d",
                         MAX_TENSORS);
    body->tensors = calloc(n + 1, sizeof *body->tensors);
    body->inputs = calloc(n + 1, sizeof *body->inputs);
    if (body->tensors == NULL || body->inputs == NULL)
        return error_no_memory(err, "inputs");
    model_status status = MODEL_OK;
    for (const json_node *input = json_first(inputs); input != NULL && status == MODEL_OK;
         input = json_next(input)) {
        body->inputs[body->n_inputs] = &body->tensors[body->n_inputs];
        status = read_input(input, &body->tensors[body->n_inputs++], err);
    }
    return status;
}

static model_status read_outputs(const json_node *outputs, struct infer_body *body,
                                 struct model_error *err)
{
    const size_t n = json_count(outputs);
    if (outputs == NULL)
        return MODEL_OK;
    if (!json_is_array(outputs) || n == 0 || n > MAX_TENSORS)
        return error_set(err, MODEL_INVALID_ARGUMENT, "want an array \"outputs\" of 1 to %d",
                         MAX_TENSORS);
    body->output_names = calloc(n, sizeof *body->output_names);
    if (body->output_names == NULL)
        return error_no_memory(err, "outputs");
    for (const json_node *output = json_first(outputs); output != NULL;
         output = json_next(output)) {
        const char *name = json_string_or(json_member(output, "name"), NULL);
        if (name == NULL)
            return error_set(err, MODEL_INVALID_ARGUMENT, "an output has no name");
        body->output_names[body->n_output_names] = text_format("%s", name);
        if (body->output_names[body->n_output_names++] == NULL)
            return error_no_memory(err, "outputs");
    }
    return MODEL_OK;
}

static model_status read_rest(const json_node *tree, int64_t max_timeout_ms,
                              struct infer_body *body, struct model_error *err)
{
    const json_node *id = json_member(tree, "id");
    const json_node *timeout = json_path(tree, "parameters.timeout");
    int64_t timeout_us = 0;
    if (id != NULL && !json_is_string(id))
        return error_set(err, MODEL_INVALID_ARGUMENT, "id is not a string");
    if (id != NULL && (body->id = text_format("%s", json_string_or(id, ""))) == NULL)
        return error_no_memory(err, "an id");
    if (timeout != NULL && !json_integer(timeout, 0, MAX_TIMEOUT_US, &timeout_us))
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "parameters.timeout: want whole microseconds, 0 for the usual ones");
    body->timeout_ms = (timeout_us + 999) / 1000;
    if (body->timeout_ms > max_timeout_ms)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "parameters.timeout: %lld us, want at most %lld us (the server's "
                         "--max-timeout)",
                         (long long)timeout_us, (long long)max_timeout_ms * 1000);
    return MODEL_OK;
}

model_status infer_body_parse(const char *text, size_t size_bytes, int64_t max_timeout_ms,
                              struct infer_body *ret, struct model_error *err)
{
    struct infer_body body = {0};
    json_node *tree = NULL;
    model_status status = json_parse_limited(text, size_bytes, INFER_MAX_VALUES + OTHER_VALUES,
                                             "the body", &tree, err);
    if (status == MODEL_CORRUPT)
        status = json_has_more_values(text, size_bytes, INFER_MAX_VALUES + OTHER_VALUES)
                     ? MODEL_UNSUPPORTED
                     : MODEL_INVALID_ARGUMENT;
    if (status == MODEL_OK && !json_is_object(tree))
        status = error_set(err, MODEL_INVALID_ARGUMENT, "the body is not a JSON object");
    if (status == MODEL_OK)
        status = read_rest(tree, max_timeout_ms, &body, err);
    if (status == MODEL_OK)
        status = read_inputs(json_member(tree, "inputs"), &body, err);
    if (status == MODEL_OK)
        status = read_outputs(json_member(tree, "outputs"), &body, err);
    json_free(tree);
    if (status == MODEL_OK)
        *ret = body;
    else
        infer_body_finish(&body);
    return status;
}

void infer_body_finish(struct infer_body *body)
{
    for (uint32_t i = 0; i < body->n_inputs; i++) {
        free((char *)(uintptr_t)body->tensors[i].name);
        free(body->tensors[i].data);
    }
    for (uint32_t i = 0; i < body->n_output_names; i++)
        free(body->output_names[i]);
    free(body->id);
    free(body->tensors);
    free(body->inputs);
    free(body->output_names);
    *body = (struct infer_body){0};
}
