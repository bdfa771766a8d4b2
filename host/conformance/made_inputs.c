/* made_inputs.c - see made_inputs.h. */
#include "made_inputs.h"
#include "dtype.h"
#include "errors.h"
#include "size.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_INPUT_BYTES ((uint64_t)256 << 20)

/* SplitMix64 (Steele et al. 2014). */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

int made_inputs_batch_axis(const struct model_tensor_spec *spec)
{
    for (uint32_t i = 0; i < spec->rank; i++)
        if (spec->shape[i].name != NULL && strcmp(spec->shape[i].name, "batch") == 0)
            return (int)i;
    return -1;
}

void made_inputs_cut(const struct model_tensor *whole, int axis, int64_t item,
                     struct model_tensor *ret, void *data)
{
    int64_t shape[MODEL_MAX_RANK];
    memcpy(shape, whole->shape, sizeof shape);
    const uint64_t n_items = (uint64_t)shape[axis];
    uint64_t n_rows = 1; /* before the axis */
    for (int i = 0; i < axis; i++)
        n_rows *= (uint64_t)shape[i];
    shape[axis] = 1;
    tensor_init(ret, whole->name, whole->dtype, whole->rank, shape, data);
    if (data == NULL || n_rows == 0 || ret->size_bytes == 0)
        return;
    const size_t piece = (size_t)(ret->size_bytes / n_rows);
    for (uint64_t row = 0; row < n_rows; row++)
        memcpy((char *)data + row * piece,
               (const char *)whole->data + (row * n_items + (uint64_t)item) * piece, piece);
}

static int64_t clamp(int64_t size, int64_t min, int64_t max)
{
    return size < min ? min : size > max ? max : size;
}

static int64_t size_of(const struct model_dimension *dimension, const struct made_options *options)
{
    if (dimension->name == NULL)
        return dimension->min;
    if (options->at != NULL && options->at->name != NULL &&
        strcmp(options->at->name, dimension->name) == 0)
        return options->at_size;
    int64_t size = options->other;
    if (strcmp(dimension->name, "batch") == 0)
        size = options->batch;
    else if (strcmp(dimension->name, "width") == 0 && options->picture_width > 0)
        size = options->picture_width;
    else if (strcmp(dimension->name, "height") == 0 || strcmp(dimension->name, "width") == 0)
        size = options->picture;
    return clamp(size, dimension->min, dimension->max);
}

/* How many ids there are: [0, n) is what the input's values may be. */
static int64_t ids_of(const char *name, const json_node *config)
{
    static const struct {
        const char *input, *field;
    } known[] = {{"input_ids", "vocab_size"},
                 {"input_ids", "n_vocab"},
                 {"input_ids", "num_embeddings"},
                 {"input_ids", "text_config.vocab_size"},
                 {"token_type_ids", "type_vocab_size"}};
    int64_t n = 0;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(name, known[i].input) == 0 &&
            json_integer(json_path(config, known[i].field), 1, INT32_MAX, &n))
            return n;
    return 2;
}

/* Integers of an input: of which kind, and how many values there are. */
struct integers {
    bool is_mask, is_position;
    int64_t n_ids, row; /* row: elements along the last dimension */
    int64_t largest;
};

static int64_t integer_at(const struct integers *kind, const struct made_options *options,
                          uint64_t index, uint64_t *state)
{
    switch (options->values) {
    case MADE_NEGATIVE:
        return -1;
    case MADE_BEYOND:
        return kind->n_ids < kind->largest ? kind->n_ids : kind->largest;
    case MADE_LARGEST:
        return kind->largest;
    default:
        break;
    }
    if (kind->is_mask)
        return 1;
    if (kind->is_position)
        return kind->row > 0 ? (int64_t)(index % (uint64_t)kind->row) : 0;
    return (int64_t)(next_random(state) % (uint64_t)kind->n_ids);
}

static double number_at(const struct made_options *options, uint64_t *state)
{
    switch (options->values) {
    case MADE_NEGATIVE:
        return NAN;
    case MADE_BEYOND:
        return INFINITY;
    case MADE_LARGEST:
        return 3e38;
    default:
        return (double)(next_random(state) >> 11) * 0x1p-52 - 1;
    }
}

static void put_number(int32_t dtype, double value, unsigned char *to)
{
    const float single = (float)value;
    uint32_t bits = 0;
    memcpy(&bits, &single, sizeof bits);
    if (dtype == MODEL_F64) {
        memcpy(to, &value, sizeof value);
    } else if (dtype == MODEL_F32) {
        memcpy(to, &single, sizeof single);
    } else if (dtype == MODEL_BF16) {
        const uint16_t half = (uint16_t)(bits >> 16);
        memcpy(to, &half, sizeof half);
    } else if (dtype == MODEL_F16) { /* to fewer bits without rounding; what is too small is 0 */
        const uint32_t exponent = (bits >> 23) & 0xFF;
        uint32_t half = exponent >= 143 ? 31u << 10 : exponent <= 112 ? 0 : (exponent - 112) << 10;
        if (exponent > 112 && exponent < 143)
            half |= (bits >> 13) & 0x3FF;
        if (value != value)
            half |= 1;
        const uint16_t narrow = (uint16_t)(half | (bits >> 31) << 15);
        memcpy(to, &narrow, sizeof narrow);
    }
}

static bool is_float(int32_t dtype)
{
    return dtype >= MODEL_F16 && dtype <= MODEL_F64;
}

static void fill(const struct model_tensor *tensor, const json_node *config,
                 const struct made_options *options, void *data)
{
    const size_t width = dtype_size_bytes(tensor->dtype);
    const uint64_t n = tensor_elements(tensor);
    const unsigned bits = (unsigned)width * 8;
    const bool is_signed = tensor->dtype == MODEL_I8 || tensor->dtype == MODEL_I16 ||
                           tensor->dtype == MODEL_I32 || tensor->dtype == MODEL_I64;
    uint64_t state = options->seed + 1;
    struct integers kind = {
        .is_mask = strstr(tensor->name, "mask") != NULL,
        .is_position = strstr(tensor->name, "position") != NULL,
        .n_ids = ids_of(tensor->name, config),
        .row = tensor->rank > 0 ? tensor->shape[tensor->rank - 1] : 1,
        .largest = bits == 64 ? INT64_MAX : ((int64_t)1 << (bits - (is_signed ? 1 : 0))) - 1,
    };
    if (tensor->dtype == MODEL_BOOL)
        kind.largest = 1;
    else if (tensor->dtype == MODEL_U8 && options->values == MADE_USUAL && !kind.is_mask)
        kind.n_ids = 256;
    for (const char *c = tensor->name; *c != '\0'; c++)
        state = (state ^ (unsigned char)*c) * 1099511628211u;
    for (uint64_t i = 0; i < n; i++) {
        unsigned char *to = (unsigned char *)data + i * width;
        if (is_float(tensor->dtype)) {
            put_number(tensor->dtype, number_at(options, &state), to);
        } else {
            const int64_t value = integer_at(&kind, options, i, &state);
            memcpy(to, &value, width); /* little-endian */
        }
    }
}

bool made_inputs_add(struct made_inputs *inputs, const struct model_tensor *like, const void *data,
                     enum guarded_place place)
{
    struct guarded *block = guarded_create("input", like->name, (size_t)like->size_bytes,
                                           dtype_size_bytes(like->dtype), place);
    if (block == NULL || inputs->n == SCHEMA_MAX_TENSORS) {
        guarded_destroy(block);
        return false;
    }
    if (data != NULL && like->size_bytes > 0)
        memcpy(guarded_data(block), data, (size_t)like->size_bytes);
    struct model_tensor *tensor = &inputs->tensors[inputs->n];
    *tensor = *like;
    tensor->struct_size = sizeof *tensor;
    tensor->data = guarded_data(block);
    tensor->flags = MODEL_TENSOR_READ_ONLY;
    inputs->blocks[inputs->n] = block;
    inputs->list[inputs->n++] = tensor;
    return true;
}

static model_status make_one(struct made_inputs *inputs, const struct model_tensor_spec *spec,
                             int32_t dtype, const json_node *config,
                             const struct made_options *options, struct model_error *err)
{
    int64_t shape[MODEL_MAX_RANK];
    uint64_t n = dtype_size_bytes(dtype);
    for (uint32_t i = 0; i < spec->rank; i++) {
        shape[i] = size_of(&spec->shape[i], options);
        if (!size_multiply(n, (uint64_t)shape[i], &n) || n > MAX_INPUT_BYTES)
            return error_set(err, MODEL_UNSUPPORTED,
                             "input '%s' would be larger than 256 MiB; want fewer or smaller items",
                             spec->name);
    }
    struct model_tensor like;
    tensor_init(&like, spec->name, dtype, spec->rank, shape, NULL);
    if (!made_inputs_add(inputs, &like, NULL, options->place))
        return error_no_memory(err, "inputs");
    fill(&like, config, options, guarded_data(inputs->blocks[inputs->n - 1]));
    guarded_freeze(inputs->blocks[inputs->n - 1]);
    return MODEL_OK;
}

struct made_inputs *made_inputs_create(const struct model_description *description,
                                       const json_node *config, const struct made_options *options,
                                       struct model_error *err)
{
    struct made_inputs *inputs = calloc(1, sizeof *inputs);
    model_status status = inputs != NULL ? MODEL_OK : error_no_memory(err, "inputs");
    for (uint32_t i = 0; i < description->n_inputs && status == MODEL_OK; i++) {
        const struct model_tensor_spec *spec = description->inputs[i];
        const bool as_bytes = i < 64 && (options->bytes >> i & 1) != 0;
        if (i >= 64 || (options->absent >> i & 1) == 0)
            status =
                make_one(inputs, spec, as_bytes ? MODEL_U8 : spec->dtype, config, options, err);
    }
    if (status == MODEL_OK)
        return inputs;
    made_inputs_destroy(inputs);
    return NULL;
}

struct made_inputs *made_inputs_item(const struct model_description *description,
                                     const struct made_inputs *batch, int64_t item,
                                     struct model_error *err)
{
    struct made_inputs *inputs = calloc(1, sizeof *inputs);
    bool good = inputs != NULL;
    for (uint32_t i = 0; i < batch->n && good; i++) {
        const struct model_tensor *whole = batch->list[i];
        const struct model_tensor_spec *spec =
            schema_find(description->inputs, description->n_inputs, whole->name);
        const int axis = made_inputs_batch_axis(spec);
        struct model_tensor part = *whole;
        if (axis >= 0)
            made_inputs_cut(whole, axis, item, &part, NULL);
        good = made_inputs_add(inputs, &part, axis >= 0 ? NULL : whole->data, GUARDED_AT_END);
        if (good && axis >= 0)
            made_inputs_cut(whole, axis, item, &part, guarded_data(inputs->blocks[inputs->n - 1]));
        if (good)
            guarded_freeze(inputs->blocks[inputs->n - 1]);
    }
    if (good)
        return inputs;
    made_inputs_destroy(inputs);
    (void)error_no_memory(err, "inputs");
    return NULL;
}

void made_inputs_destroy(struct made_inputs *inputs)
{
    for (uint32_t i = 0; inputs != NULL && i < inputs->n; i++)
        guarded_destroy(inputs->blocks[i]);
    free(inputs);
}
