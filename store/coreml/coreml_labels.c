/* coreml_labels.c - the class labels of a Core ML classifier (coreml_model.h): a network's lie in its message, an ML
 * Program's in the list that its classify operation chooses from. */
#include "coreml_build.h"

#include <stdio.h>
#include <string.h>

#define NUMBER_BYTES 24

static model_status take_texts(const struct coreml_build *build, size_t n, const char ***ret)
{
    *ret = coreml_arena_take(build->arena, n, sizeof **ret);
    return *ret != NULL ? MODEL_OK : coreml_build_no_memory(build);
}

static model_status print_number(const struct coreml_build *build, int64_t number, const char **ret)
{
    char *text = coreml_arena_take(build->arena, 1, NUMBER_BYTES);
    if (text == NULL)
        return coreml_build_no_memory(build);
    (void)snprintf(text, NUMBER_BYTES, "%lld", (long long)number);
    *ret = text;
    return MODEL_OK;
}

static bool makes(const struct coreml_network *network, const char *blob)
{
    for (size_t i = 0; network != NULL && i < network->n_layers; i++) {
        const struct coreml_layer *layer = &network->layers[i];
        for (size_t k = 0; k < layer->n_outputs; k++)
            if (strcmp(layer->outputs[k], blob) == 0)
                return true;
        if (makes(layer->networks[0], blob) || makes(layer->networks[1], blob))
            return true;
    }
    return false;
}

static model_status of_network(const struct coreml_build *build, const coreml_message *body,
                               struct coreml_model *model)
{
    const coreml_message *texts = coreml_child(body, "stringClassLabels");
    const coreml_message *numbers = coreml_child(body, "int64ClassLabels");
    const char *probabilities = model->network->probabilities_layer;
    if (probabilities[0] != '\0' && !makes(model->network, probabilities))
        return coreml_build_refuse(
            build, "labelProbabilityLayerName is '%.200s', and no layer has an output of that name",
            probabilities);
    if (texts != NULL)
        return coreml_build_texts(build, texts, "vector", &model->labels, &model->n_labels);
    const size_t n = coreml_count(numbers, "vector");
    const char **labels = NULL;
    model_status status = take_texts(build, n, &labels);
    for (size_t i = 0; i < n && status == MODEL_OK; i++)
        status = print_number(build, coreml_int_at(numbers, "vector", i), &labels[i]);
    if (status != MODEL_OK)
        return status;
    model->labels = labels;
    model->n_labels = n;
    model->labels_are_numbers = n > 0;
    return MODEL_OK;
}

/* A list of strings or whole numbers, or a tensor of strings. */
static model_status of_values(const struct coreml_build *build, const struct coreml_value *classes,
                              struct coreml_model *model)
{
    const char **labels = NULL;
    if (classes->strings != NULL) {
        model->labels = classes->strings;
        model->n_labels = (size_t)classes->n_elements;
        return MODEL_OK;
    }
    model_status status = take_texts(build, classes->n_items, &labels);
    for (size_t i = 0; i < classes->n_items && status == MODEL_OK; i++) {
        const struct coreml_value *item = &classes->items[i];
        int64_t number;
        labels[i] = coreml_value_text(item);
        if (labels[i] != NULL)
            continue;
        if (item->type.kind != COREML_TYPE_TENSOR || item->n_elements != 1 ||
            coreml_value_to_int64(item, &number, build->err) != MODEL_OK)
            return coreml_build_refuse(build, "a class label is no string and no whole number");
        model->labels_are_numbers = true;
        status = print_number(build, number, &labels[i]);
    }
    if (status != MODEL_OK)
        return status;
    model->labels = labels;
    model->n_labels = classes->n_items;
    return MODEL_OK;
}

model_status coreml_build_labels(const struct coreml_build *build, const coreml_message *body,
                                 struct coreml_model *model)
{
    if (model->network != NULL)
        return strcmp(coreml_message_name(body), "NeuralNetworkClassifier") == 0
                   ? of_network(build, body, model)
                   : MODEL_OK;
    const struct coreml_block *block = &model->program->main->block;
    for (size_t i = 0; i < block->n_operations; i++) {
        if (strcmp(block->operations[i].type, "classify") != 0)
            continue;
        const struct coreml_value *classes =
            coreml_operation_constant(&block->operations[i], "classes");
        return classes != NULL ? of_values(build, classes, model) : MODEL_OK;
    }
    return MODEL_OK;
}
