/* fuzz_coreml_model.c - any bytes as a .mlmodel file are refused with a sentence, or give a model all of whose views can
 * be followed: names, values and weights as numbers, figures. */
#include "coreml_constexpr.h"
#include "coreml_summary.h"
#include "coreml_weights.h"
#include "errors.h"

#include <stdlib.h>
#include <string.h>

#define MAX_ELEMENTS 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static size_t length; /* keeps what is read from being dropped */

static void use_value(const struct coreml_value *value)
{
    static float floats[MAX_ELEMENTS];
    static int64_t whole[MAX_ELEMENTS];
    for (size_t i = 0; i < value->n_items; i++)
        use_value(&value->items[i]);
    if (value->n_elements <= MAX_ELEMENTS) {
        (void)coreml_value_to_float32(value, floats, NULL);
        (void)coreml_value_to_int64(value, whole, NULL);
    }
    const char *text = coreml_value_text(value);
    length += text != NULL ? strlen(text) : 0;
}

static void use_block(const struct coreml_block *block)
{
    static float floats[MAX_ELEMENTS];
    for (size_t i = 0; i < block->n_operations; i++) {
        const struct coreml_operation *operation = &block->operations[i];
        for (size_t j = 0; j < operation->n_attributes; j++)
            use_value(operation->attributes[j].value);
        for (size_t j = 0; j < operation->n_inputs; j++)
            for (size_t k = 0; k < operation->inputs[j].n_bindings; k++)
                if (operation->inputs[j].bindings[k].value != NULL)
                    use_value(operation->inputs[j].bindings[k].value);
        for (uint64_t n = 1; n <= MAX_ELEMENTS && coreml_is_constexpr(operation); n *= 2)
            (void)coreml_constexpr_to_float32(operation, n, floats, NULL);
        for (size_t j = 0; j < operation->n_blocks; j++)
            use_block(&operation->blocks[j]);
    }
}

static void use_message(void *context, const coreml_message *message)
{
    static float floats[MAX_ELEMENTS];
    struct coreml_weights weights;
    (void)context;
    if (strcmp(coreml_message_name(message), "WeightParams") != 0 ||
        coreml_weights_read(message, "w", &weights, NULL) != MODEL_OK)
        return;
    const uint64_t n = coreml_weights_elements(&weights);
    if (n <= MAX_ELEMENTS)
        (void)coreml_weights_to_float32(&weights, n, weights.n_scale, "w", floats, NULL);
}

static void use_network(const struct coreml_network *network)
{
    for (size_t i = 0; i < network->n_layers; i++) {
        const struct coreml_layer *layer = &network->layers[i];
        for (size_t j = 0; j < layer->n_inputs; j++)
            length += strlen(layer->inputs[j]);
        coreml_walk(layer->params, use_message, NULL);
        for (size_t j = 0; j < 2; j++)
            if (layer->networks[j] != NULL)
                use_network(layer->networks[j]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct coreml_model *model = NULL;
    struct coreml_summary summary;
    struct model_error err = MODEL_ERROR_INIT;
    if (coreml_model_parse(data, size_bytes, "m", &model, &err) != MODEL_OK) {
        if (err.message[0] == '\0' || model != NULL)
            abort();
        return 0;
    }
    for (size_t i = 0; i < model->n_labels; i++)
        length += strlen(model->labels[i]);
    if (model->network != NULL)
        use_network(model->network);
    for (size_t i = 0; model->program != NULL && i < model->program->n_functions; i++)
        use_block(&model->program->functions[i].block);
    if (coreml_summarise(model, &summary, NULL) == MODEL_OK)
        coreml_summary_finish(&summary);
    coreml_model_close(model);
    return 0;
}
