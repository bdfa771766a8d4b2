/* coreml_summary.c - see coreml_summary.h. */
#include "coreml_summary.h"
#include "coreml_weights.h"
#include "errors.h"
#include "string_map.h"

#include <stdlib.h>
#include <string.h>

#define MIN_WEIGHT_ELEMENTS 10u

struct tallies {
    struct string_map places;
    struct coreml_tally *items;
    size_t n, capacity;
};

struct counting {
    struct tallies operators, dtypes;
    struct coreml_summary summary;
    bool is_failed; /* no memory */
};

static void count(struct counting *counting, struct tallies *tallies, const char *name, uint64_t n)
{
    const int64_t known = string_map_find(&tallies->places, name, strlen(name));
    if (known >= 0) {
        tallies->items[known].n += n;
        return;
    }
    if (tallies->n == tallies->capacity) {
        const size_t capacity = tallies->capacity == 0 ? 32 : tallies->capacity * 2;
        struct coreml_tally *grown = realloc(tallies->items, capacity * sizeof *grown);
        if (grown == NULL) {
            counting->is_failed = true;
            return;
        }
        tallies->items = grown;
        tallies->capacity = capacity;
    }
    if (string_map_add(&tallies->places, name, strlen(name), (uint32_t)tallies->n) != MODEL_OK)
        counting->is_failed = true;
    else
        tallies->items[tallies->n++] = (struct coreml_tally){name, n};
}

static void count_weights(struct counting *counting, const char *dtype, uint64_t n_elements,
                          uint64_t size_bytes)
{
    counting->summary.n_weights++;
    counting->summary.weights_bytes += size_bytes;
    count(counting, &counting->dtypes, dtype, n_elements);
}

static void count_operator(struct counting *counting, const char *name)
{
    counting->summary.n_operations++;
    count(counting, &counting->operators, name, 1);
}

/* ---- networks */

static void count_message(void *context, const coreml_message *message)
{
    static const char *const forms[] = {"", "fp32", "fp16", "int8", "linear", "lut"};
    static const char *const linear[] = {"",        "linear1", "linear2", "linear3", "linear4",
                                         "linear5", "linear6", "linear7", "linear8"};
    static const char *const tables[] = {"",     "lut1", "lut2", "lut3", "lut4",
                                         "lut5", "lut6", "lut7", "lut8"};
    struct coreml_weights weights = {.form = COREML_WEIGHTS_NONE};
    if (strcmp(coreml_message_name(message), "WeightParams") != 0 ||
        coreml_weights_read(message, "a layer", &weights, NULL) != MODEL_OK ||
        weights.form == COREML_WEIGHTS_NONE)
        return;
    const char *name = weights.form == COREML_WEIGHTS_LINEAR ? linear[weights.n_bits]
                       : weights.form == COREML_WEIGHTS_LUT  ? tables[weights.n_bits]
                                                             : forms[weights.form];
    count_weights(context, name, coreml_weights_elements(&weights), weights.size_bytes);
}

static void count_layers(struct counting *counting, const struct coreml_network *network)
{
    for (size_t i = 0; i < network->n_layers; i++) {
        const struct coreml_layer *layer = &network->layers[i];
        count_operator(counting, layer->kind_name);
        for (size_t j = 0; j < 2; j++)
            if (layer->networks[j] != NULL)
                count_layers(counting, layer->networks[j]);
    }
}

/* ---- programs */

static void note_file(struct coreml_summary *summary, const char *file)
{
    for (size_t i = 0; i < summary->n_files; i++)
        if (strcmp(summary->files[i], file) == 0)
            return;
    if (summary->n_files < COREML_MAX_BLOB_FILES)
        summary->files[summary->n_files++] = file;
}

static void count_value(struct counting *counting, const struct coreml_value *value)
{
    const unsigned n_bits = coreml_dtype_bits(value->type.dtype);
    if (value->type.kind != COREML_TYPE_TENSOR || n_bits == 0 ||
        (value->file == NULL && value->n_elements < MIN_WEIGHT_ELEMENTS))
        return;
    if (value->file != NULL)
        note_file(&counting->summary, value->file);
    count_weights(counting, coreml_dtype_name(value->type.dtype), value->n_elements,
                  value->data != NULL ? value->size_bytes : (value->n_elements * n_bits + 7) / 8);
}

static void count_block(struct counting *counting, const struct coreml_block *block);

static void count_operation(struct counting *counting, const struct coreml_operation *operation)
{
    if (strcmp(operation->type, "const") != 0)
        count_operator(counting, operation->type);
    for (size_t i = 0; i < operation->n_attributes; i++)
        count_value(counting, operation->attributes[i].value);
    for (size_t i = 0; i < operation->n_inputs; i++)
        for (size_t j = 0; j < operation->inputs[i].n_bindings; j++)
            if (operation->inputs[i].bindings[j].name == NULL)
                count_value(counting, operation->inputs[i].bindings[j].value);
    for (size_t i = 0; i < operation->n_blocks; i++)
        count_block(counting, &operation->blocks[i]);
}

static void count_block(struct counting *counting, const struct coreml_block *block)
{
    for (size_t i = 0; i < block->n_operations; i++)
        count_operation(counting, &block->operations[i]);
}

/* ---- the whole */

static int compare(const void *a, const void *b)
{
    const struct coreml_tally *first = a, *second = b;
    if (first->n != second->n)
        return first->n > second->n ? -1 : 1;
    return strcmp(first->name, second->name);
}

static void count_model(struct counting *counting, const struct coreml_model *model)
{
    if (model->network != NULL) {
        count_layers(counting, model->network);
        for (size_t i = 0; i < model->network->n_layers; i++)
            coreml_walk(model->network->layers[i].params, count_message, counting);
    }
    for (size_t i = 0; model->program != NULL && i < model->program->n_functions; i++)
        count_block(counting, &model->program->functions[i].block);
    for (size_t i = 0; i < model->n_parts; i++)
        count_model(counting, &model->parts[i]);
}

model_status coreml_summarise(const struct coreml_model *model, struct coreml_summary *ret,
                              struct model_error *err)
{
    struct counting counting = {.is_failed = false};
    counting.is_failed = string_map_init(&counting.operators.places, 64) != MODEL_OK ||
                         string_map_init(&counting.dtypes.places, 16) != MODEL_OK;
    if (!counting.is_failed)
        count_model(&counting, model);
    string_map_finish(&counting.operators.places);
    string_map_finish(&counting.dtypes.places);
    counting.summary.operators = counting.operators.items;
    counting.summary.n_operators = counting.operators.n;
    counting.summary.dtypes = counting.dtypes.items;
    counting.summary.n_dtypes = counting.dtypes.n;
    if (counting.is_failed) {
        coreml_summary_finish(&counting.summary);
        return error_no_memory(err, "a model's figures");
    }
    if (counting.summary.n_operators > 0)
        qsort(counting.summary.operators, counting.summary.n_operators, sizeof(struct coreml_tally),
              compare);
    if (counting.summary.n_dtypes > 0)
        qsort(counting.summary.dtypes, counting.summary.n_dtypes, sizeof(struct coreml_tally),
              compare);
    *ret = counting.summary;
    return MODEL_OK;
}

void coreml_summary_finish(struct coreml_summary *summary)
{
    free(summary->operators);
    free(summary->dtypes);
    *summary = (struct coreml_summary){.operators = NULL};
}
