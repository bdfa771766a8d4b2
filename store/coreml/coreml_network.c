/* coreml_network.c - see coreml_network.h. Nested networks (branches and loops) share their names with the network
 * around them: what they write can be read behind them. */
#include "coreml_build.h"
#include "coreml_scope.h"

#include <stdio.h>
#include <string.h>

#define KIND_NAME_BYTES 24 /* "kind " and a number */

struct network_reader {
    const struct coreml_build *build;
    struct coreml_scope scope; /* names of blobs */
    unsigned depth;            /* of nested networks */
};

static model_status build_network(struct network_reader *reader, const coreml_message *message,
                                  const struct coreml_network **ret);

static model_status define(struct network_reader *reader, const char *name)
{
    return coreml_scope_define(&reader->scope, name, NULL) != COREML_SCOPE_NO_MEMORY
               ? MODEL_OK
               : coreml_build_no_memory(reader->build);
}

/* Copies may write a blob again, and nested networks: both branches make the same one, loops that of the round before. */
static model_status define_outputs(struct network_reader *reader, const struct coreml_layer *layer)
{
    const bool may_repeat = reader->depth > 0 || strcmp(layer->kind_name, "copy") == 0;
    model_status status = MODEL_OK;
    const void *ignored;
    for (size_t i = 0; i < layer->n_outputs && status == MODEL_OK; i++)
        status = !may_repeat && coreml_scope_find(&reader->scope, layer->outputs[i], &ignored)
                     ? coreml_build_refuse(reader->build,
                                           "the layer '%.200s' writes '%.200s', which is there "
                                           "before it",
                                           layer->name, layer->outputs[i])
                     : define(reader, layer->outputs[i]);
    return status;
}

static model_status build_nested(struct network_reader *reader, struct coreml_layer *layer)
{
    static const struct {
        const char *kind, *fields[2];
    } nested[] = {{"branch", {"ifBranch", "elseBranch"}},
                  {"loop", {"conditionNetwork", "bodyNetwork"}}};
    model_status status = MODEL_OK;
    reader->depth++;
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < 2 && strcmp(layer->kind_name, nested[i].kind) == 0; j++) {
            const coreml_message *network = coreml_child(layer->params, nested[i].fields[j]);
            if (network != NULL && status == MODEL_OK)
                status = build_network(reader, network, &layer->networks[j]);
        }
    reader->depth--;
    return status;
}

static model_status check_inputs(struct network_reader *reader, const struct coreml_layer *layer)
{
    const void *ignored;
    for (size_t i = 0; i < layer->n_inputs; i++)
        if (!coreml_scope_find(&reader->scope, layer->inputs[i], &ignored))
            return coreml_build_refuse(
                reader->build, "the layer '%.200s' reads '%.200s', which no layer before it writes",
                layer->name, layer->inputs[i]);
    return MODEL_OK;
}

/* What the layer does, or the number of a kind that is not known. */
static model_status read_kind(const struct coreml_build *build, struct coreml_layer *ret)
{
    const char *known = coreml_choice(ret->message);
    ret->kind = coreml_choice_number(ret->message);
    ret->kind_name = known != NULL ? known : "no kind";
    ret->params = coreml_chosen(ret->message);
    if (known != NULL || (ret->kind = coreml_unknown_number(ret->message)) == 0)
        return MODEL_OK;
    char *name = coreml_arena_take(build->arena, KIND_NAME_BYTES, 1);
    if (name == NULL)
        return coreml_build_no_memory(build);
    (void)snprintf(name, KIND_NAME_BYTES, "kind %ld", (long)ret->kind);
    ret->kind_name = name;
    return MODEL_OK;
}

static model_status build_layer(struct network_reader *reader, const coreml_message *message,
                                struct coreml_layer *ret)
{
    ret->message = message;
    ret->name = coreml_text(message, "name");
    model_status status = read_kind(reader->build, ret);
    if (status == MODEL_OK)
        status = coreml_build_texts(reader->build, message, "input", &ret->inputs, &ret->n_inputs);
    if (status == MODEL_OK)
        status =
            coreml_build_texts(reader->build, message, "output", &ret->outputs, &ret->n_outputs);
    if (status == MODEL_OK)
        status = check_inputs(reader, ret);
    if (status == MODEL_OK)
        status = build_nested(reader, ret);
    return status == MODEL_OK ? define_outputs(reader, ret) : status;
}

/* Without a name it is of any input; what is defined before the layers are the inputs. */
static model_status check_preprocessed(const struct network_reader *reader, const char *name)
{
    const void *ignored;
    return name[0] == '\0' || coreml_scope_find(&reader->scope, name, &ignored)
               ? MODEL_OK
               : coreml_build_refuse(reader->build,
                                     "the preprocessing of '%.200s' is of no input of the model",
                                     name);
}

static model_status build_preprocessing(const struct network_reader *reader,
                                        const coreml_message *message, struct coreml_network *ret)
{
    const struct coreml_build *build = reader->build;
    model_status status = MODEL_OK;
    const size_t n = coreml_count(message, "preprocessing");
    struct coreml_preprocessing *items = coreml_arena_take(build->arena, n, sizeof *items);
    if (items == NULL)
        return coreml_build_no_memory(build);
    for (size_t i = 0; i < n && status == MODEL_OK; i++) {
        const coreml_message *item = coreml_child_at(message, "preprocessing", i);
        items[i].feature = coreml_text(item, "featureName");
        items[i].scaler = coreml_child(item, "scaler");
        items[i].mean_image =
            coreml_floats(coreml_child(item, "meanImage"), "meanImage", &items[i].n_mean);
        status = check_preprocessed(reader, items[i].feature);
    }
    ret->preprocessing = items;
    ret->n_preprocessing = n;
    return status;
}

static model_status build_network(struct network_reader *reader, const coreml_message *message,
                                  const struct coreml_network **ret)
{
    const struct coreml_build *build = reader->build;
    const size_t n = coreml_count(message, "layers");
    struct coreml_network *network = coreml_arena_take(build->arena, 1, sizeof *network);
    struct coreml_layer *layers = coreml_arena_take(build->arena, n, sizeof *layers);
    if (network == NULL || layers == NULL)
        return coreml_build_no_memory(build);
    model_status status = build_preprocessing(reader, message, network);
    for (size_t i = 0; i < n && status == MODEL_OK; i++)
        status = build_layer(reader, coreml_child_at(message, "layers", i), &layers[i]);
    if (status != MODEL_OK)
        return status;
    network->layers = layers;
    network->n_layers = n;
    network->array_mapping = (int32_t)coreml_int(message, "arrayInputShapeMapping");
    network->image_mapping = (int32_t)coreml_int(message, "imageInputShapeMapping");
    network->probabilities_layer = "";
    if (strcmp(coreml_message_name(message), "NeuralNetworkClassifier") == 0)
        network->probabilities_layer = coreml_text(message, "labelProbabilityLayerName");
    *ret = network;
    return MODEL_OK;
}

static model_status define_features(struct network_reader *reader,
                                    const struct coreml_features *features)
{
    model_status status = MODEL_OK;
    for (size_t i = 0; i < features->n && status == MODEL_OK; i++)
        status = define(reader, features->items[i].name);
    return status;
}

model_status coreml_build_network(const struct coreml_build *build, const coreml_message *message,
                                  const struct coreml_model *model,
                                  const struct coreml_network **ret)
{
    struct network_reader reader = {.build = build};
    model_status status = string_map_init(&reader.scope.names, 256) == MODEL_OK
                              ? define_features(&reader, &model->inputs)
                              : coreml_build_no_memory(build);
    if (status == MODEL_OK)
        status = define_features(&reader, &model->states);
    if (status == MODEL_OK)
        status = build_network(&reader, message, ret);
    coreml_scope_finish(&reader.scope);
    return status;
}
