/* coreml_weights.c - see coreml_weights.h. */
#include "coreml_weights.h"
#include "coreml_build.h"
#include "errors.h"
#include "size.h"

#include <string.h>

#define MAX_BITS 8u

static model_status refuse(struct model_error *err, const char *what, const char *why)
{
    return coreml_refuse(err, "the weights of '%.200s' %s", what, why);
}

static model_status read_table(const coreml_message *table, const char *what,
                               struct coreml_weights *weights, struct model_error *err)
{
    size_t n;
    weights->form = COREML_WEIGHTS_LUT;
    weights->table = coreml_floats(table, "floatValue", &n);
    return n == (size_t)1 << weights->n_bits
               ? MODEL_OK
               : coreml_refuse(
                     err,
                     "the weights of '%.200s' choose from a table of %zu values, %u bits want %zu",
                     what, n, weights->n_bits, (size_t)1 << weights->n_bits);
}

static void read_scales(const coreml_message *linear, struct coreml_weights *weights)
{
    weights->scale = coreml_floats(linear, "scale", &weights->n_scale);
    weights->bias = coreml_floats(linear, "bias", &weights->n_bias);
}

/* "rawValue" with "quantization". */
static model_status read_raw(const coreml_message *message, const char *what,
                             struct coreml_weights *weights, struct model_error *err)
{
    const coreml_message *quantization = coreml_child(message, "quantization");
    const coreml_message *linear = coreml_child(quantization, "linearQuantization");
    const coreml_message *table = coreml_child(quantization, "lookupTableQuantization");
    const int64_t n_bits = coreml_int(quantization, "numberOfBits");
    if (n_bits < 1 || n_bits > MAX_BITS)
        return coreml_refuse(err,
                             "the weights of '%.200s' have %lld bits each, 1 to 8 are possible",
                             what, (long long)n_bits);
    weights->n_bits = (unsigned)n_bits;
    if (table != NULL)
        return read_table(table, what, weights, err);
    weights->form = COREML_WEIGHTS_LINEAR;
    read_scales(linear, weights);
    return weights->n_scale > 0 ? MODEL_OK : refuse(err, what, "are quantised without a scale");
}

model_status coreml_weights_read(const coreml_message *message, const char *what,
                                 struct coreml_weights *ret, struct model_error *err)
{
    static const char *const fields[] = {"float16Value", "rawValue", "int8RawValue"};
    struct coreml_weights weights = {.form = COREML_WEIGHTS_NONE};
    model_status status = MODEL_OK;
    size_t n_floats, n_bytes, n_forms, chosen = 0;
    const float *floats = coreml_floats(message, "floatValue", &n_floats);
    n_forms = n_floats > 0;
    if (n_floats > 0) {
        weights.form = COREML_WEIGHTS_F32;
        weights.n_bits = 32;
        weights.data = floats;
        weights.size_bytes = n_floats * sizeof *floats;
    }
    for (size_t i = 0; i < 3; i++) {
        const uint8_t *bytes = coreml_bytes(message, fields[i], &n_bytes);
        if (n_bytes == 0)
            continue;
        n_forms++;
        chosen = i + 1;
        weights.data = bytes;
        weights.size_bytes = n_bytes;
    }
    if (n_forms > 1)
        return refuse(err, what, "are there in two forms at once");
    if (chosen == 1) {
        weights.form = COREML_WEIGHTS_F16;
        weights.n_bits = 16;
    } else if (chosen == 2) {
        status = read_raw(message, what, &weights, err);
    } else if (chosen == 3) {
        weights.form = COREML_WEIGHTS_INT8;
        weights.n_bits = 8;
        read_scales(coreml_child(coreml_child(message, "quantization"), "linearQuantization"),
                    &weights);
    }
    if (status == MODEL_OK)
        *ret = weights;
    return status;
}

uint64_t coreml_weights_elements(const struct coreml_weights *weights)
{
    return weights->n_bits == 0 ? 0 : (uint64_t)weights->size_bytes * 8 / weights->n_bits;
}

model_status coreml_weights_check(const struct coreml_weights *weights, uint64_t n_elements,
                                  uint64_t n_channels, const char *what, struct model_error *err)
{
    uint64_t n_bits;
    if (!size_multiply(n_elements, weights->n_bits, &n_bits) || n_bits > UINT64_MAX - 7 ||
        (n_bits + 7) / 8 != weights->size_bytes ||
        (weights->form == COREML_WEIGHTS_NONE && n_elements > 0))
        return coreml_refuse(
            err, "the weights of '%.200s' are %llu elements, its parameters want %llu", what,
            (unsigned long long)coreml_weights_elements(weights), (unsigned long long)n_elements);
    const bool is_even = n_channels > 0 && n_elements % n_channels == 0;
    if ((weights->n_scale > 1 && (weights->n_scale != n_channels || !is_even)) ||
        (weights->n_bias > 1 && (weights->n_bias != n_channels || !is_even)))
        return coreml_refuse(
            err, "the weights of '%.200s' have %zu scales and %zu biases for %llu channels", what,
            weights->n_scale, weights->n_bias, (unsigned long long)n_channels);
    return MODEL_OK;
}

/* Whole bytes, or bits packed from the highest on. */
static unsigned index_at(const uint8_t *data, uint64_t i, unsigned n_bits)
{
    unsigned value = 0;
    if (n_bits == 8)
        return data[i];
    for (uint64_t bit = i * n_bits; bit < (i + 1) * n_bits; bit++)
        value = value << 1 | (unsigned)((data[bit / 8] >> (7 - bit % 8)) & 1);
    return value;
}

static void decode_quantised(const struct coreml_weights *weights, uint64_t n_elements,
                             uint64_t per_channel, float *ret)
{
    const uint8_t *data = weights->data;
    for (uint64_t i = 0; i < n_elements; i++) {
        const unsigned raw = index_at(data, i, weights->n_bits);
        if (weights->form == COREML_WEIGHTS_LUT) {
            ret[i] = weights->table[raw];
            continue;
        }
        const uint64_t channel = per_channel > 0 ? i / per_channel : 0;
        const bool is_signed = weights->form == COREML_WEIGHTS_INT8;
        const float value = is_signed ? (float)(raw < 128 ? (int)raw : (int)raw - 256) : (float)raw;
        const float scale =
            weights->n_scale == 0 ? 1 : weights->scale[weights->n_scale > 1 ? channel : 0];
        const float bias =
            weights->n_bias == 0 ? 0 : weights->bias[weights->n_bias > 1 ? channel : 0];
        ret[i] = value * scale + bias;
    }
}

model_status coreml_weights_to_float32(const struct coreml_weights *weights, uint64_t n_elements,
                                       uint64_t n_channels, const char *what, float *ret,
                                       struct model_error *err)
{
    model_status status = coreml_weights_check(weights, n_elements, n_channels, what, err);
    if (status != MODEL_OK || n_elements == 0)
        return status;
    switch (weights->form) {
    case COREML_WEIGHTS_F32:
        memcpy(ret, weights->data, weights->size_bytes);
        return MODEL_OK;
    case COREML_WEIGHTS_F16:
        for (uint64_t i = 0; i < n_elements; i++) {
            uint16_t half;
            memcpy(&half, (const uint8_t *)weights->data + 2 * i, sizeof half);
            ret[i] = coreml_half_to_float(half);
        }
        return MODEL_OK;
    default:
        decode_quantised(weights, n_elements, n_channels > 0 ? n_elements / n_channels : n_elements,
                         ret);
        return MODEL_OK;
    }
}
