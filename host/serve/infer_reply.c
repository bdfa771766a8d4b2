/* infer_reply.c - see infer_reply.h. Numbers are printed straight into the text: a tree of them would take
 * thirty times the memory. */
#include "infer_reply.h"
#include "dtype.h"
#include "errors.h"
#include "infer_datatype.h"
#include "json_view.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static model_status print_string(struct buffer *text, const char *string)
{
    json_node *array = json_new_array();
    json_node *node = json_add_text(array, NULL, string, strlen(string));
    char *quoted = node != NULL ? json_print(node, false) : NULL;
    model_status status = quoted != NULL ? buffer_append_text(text, quoted) : MODEL_OUT_OF_MEMORY;
    free(quoted);
    json_free(array);
    return status;
}

static model_status print_float(struct buffer *text, double value, int digits)
{
    return isfinite(value) ? buffer_printf(text, "%.*g", digits, value)
                           : buffer_append_text(text, "null");
}

#define AT(T) (((const T *)tensor->data)[i])

static double half_value(uint16_t bits)
{
    const int exponent = bits >> 10 & 31, fraction = bits & 1023;
    const double sign = (bits & 0x8000) != 0 ? -1 : 1;
    if (exponent == 31)
        return fraction != 0 ? NAN : sign * INFINITY;
    return sign * (exponent == 0 ? ldexp(fraction, -24) : ldexp(fraction + 1024, exponent - 25));
}

static double brain_value(uint16_t bits)
{
    const uint32_t wide = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &wide, sizeof value);
    return value;
}

static model_status print_number(struct buffer *text, const struct model_tensor *tensor, uint64_t i)
{
    switch (tensor->dtype) {
    case MODEL_F32:
        return print_float(text, (double)AT(float), 9);
    case MODEL_F64:
        return print_float(text, AT(double), 17);
    case MODEL_F16:
        return print_float(text, half_value(AT(uint16_t)), 5);
    case MODEL_BF16:
        return print_float(text, brain_value(AT(uint16_t)), 4);
    case MODEL_BOOL:
        return buffer_append_text(text, AT(uint8_t) != 0 ? "true" : "false");
    case MODEL_U8:
        return buffer_printf(text, "%u", AT(uint8_t));
    case MODEL_I8:
        return buffer_printf(text, "%d", AT(int8_t));
    case MODEL_U16:
        return buffer_printf(text, "%u", AT(uint16_t));
    case MODEL_I16:
        return buffer_printf(text, "%d", AT(int16_t));
    case MODEL_U32:
        return buffer_printf(text, "%" PRIu32, AT(uint32_t));
    case MODEL_I32:
        return buffer_printf(text, "%" PRId32, AT(int32_t));
    case MODEL_U64:
        return buffer_printf(text, "%" PRIu64, AT(uint64_t));
    case MODEL_I64:
        return buffer_printf(text, "%" PRId64, AT(int64_t));
    default:
        return MODEL_UNSUPPORTED;
    }
}

static model_status print_tensor(struct buffer *text, const struct model_tensor *tensor)
{
    const char *datatype = infer_datatype_name(tensor->dtype);
    if (datatype == NULL)
        return MODEL_UNSUPPORTED;
    model_status status = buffer_append_text(text, "{\"name\":");
    if (status == MODEL_OK)
        status = print_string(text, tensor->name);
    if (status == MODEL_OK)
        status = buffer_printf(text, ",\"datatype\":\"%s\",\"shape\":[", datatype);
    for (uint32_t i = 0; i < tensor->rank && status == MODEL_OK; i++)
        status = buffer_printf(text, i > 0 ? ",%lld" : "%lld", (long long)tensor->shape[i]);
    if (status == MODEL_OK)
        status = buffer_append_text(text, "],\"data\":[");
    const uint64_t n = tensor->data != NULL ? tensor_elements(tensor) : 0;
    for (uint64_t i = 0; i < n && status == MODEL_OK; i++) {
        if (i > 0)
            status = buffer_append(text, ",", 1);
        if (status == MODEL_OK)
            status = print_number(text, tensor, i);
    }
    return status == MODEL_OK ? buffer_append_text(text, "]}") : status;
}

static model_status fail(model_status status, struct model_error *err)
{
    if (status == MODEL_UNSUPPORTED)
        return error_set(err, status, "an output has a type that JSON cannot carry");
    return error_set(err, status,
                     "the answer is too large for memory, or for JSON; ask for fewer "
                     "outputs");
}

/* Who served, and why not the first; nothing where nobody said. */
static model_status print_backend(struct buffer *text, const struct modelhost_result *result)
{
    const char *backend = modelhost_result_backend(result);
    const char *reason = modelhost_result_fallback_reason(result);
    if (backend == NULL || backend[0] == '\0')
        return MODEL_OK;
    model_status status = buffer_append_text(text, ",\"parameters\":{\"backend\":");
    if (status == MODEL_OK)
        status = print_string(text, backend);
    if (status == MODEL_OK && reason != NULL) {
        status = buffer_append_text(text, ",\"fallback_reason\":");
        if (status == MODEL_OK)
            status = print_string(text, reason);
    }
    return status == MODEL_OK ? buffer_append_text(text, "}") : status;
}

model_status infer_reply_result(const char *model_name, const char *id,
                                const struct modelhost_result *result, struct buffer *ret,
                                struct model_error *err)
{
    model_status status = buffer_append_text(ret, "{\"model_name\":");
    if (status == MODEL_OK)
        status = print_string(ret, model_name);
    if (status == MODEL_OK && id != NULL) {
        status = buffer_append_text(ret, ",\"id\":");
        if (status == MODEL_OK)
            status = print_string(ret, id);
    }
    if (status == MODEL_OK)
        status = print_backend(ret, result);
    if (status == MODEL_OK)
        status = buffer_append_text(ret, ",\"outputs\":[");
    for (uint32_t i = 0; i < modelhost_result_count(result) && status == MODEL_OK; i++) {
        if (i > 0)
            status = buffer_append(ret, ",", 1);
        if (status == MODEL_OK)
            status = print_tensor(ret, modelhost_result_at(result, i));
    }
    if (status == MODEL_OK)
        status = buffer_append_text(ret, "]}");
    return status == MODEL_OK ? status : fail(status, err);
}

static void add_specs(json_node *parent, const char *key,
                      const struct model_tensor_spec *const *specs, uint32_t n)
{
    json_node *array = json_add_array(parent, key);
    for (uint32_t i = 0; i < n; i++) {
        const char *datatype = infer_datatype_name(specs[i]->dtype);
        json_node *item = json_add_object(array, NULL);
        (void)json_add_string(item, "name", specs[i]->name);
        (void)json_add_string(item, "datatype", datatype != NULL ? datatype : "BYTES");
        json_node *shape = json_add_array(item, "shape");
        for (uint32_t k = 0; k < specs[i]->rank; k++) {
            const struct model_dimension *size = &specs[i]->shape[k];
            (void)json_add_number(shape, NULL, size->min == size->max ? (double)size->min : -1);
        }
    }
}

model_status infer_reply_model(const char *model_name, const struct model_description *description,
                               struct buffer *ret, struct model_error *err)
{
    json_node *tree = json_new_object();
    (void)json_add_string(tree, "name", model_name);
    (void)json_add_string(tree, "platform", description->architecture);
    add_specs(tree, "inputs", description->inputs, description->n_inputs);
    add_specs(tree, "outputs", description->outputs, description->n_outputs);
    char *text = tree != NULL ? json_print(tree, false) : NULL;
    model_status status = text != NULL ? buffer_append_text(ret, text) : MODEL_OUT_OF_MEMORY;
    free(text);
    json_free(tree);
    return status == MODEL_OK ? status : fail(status, err);
}
