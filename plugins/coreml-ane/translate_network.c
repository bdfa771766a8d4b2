/* translate_network.c - the layers of a NeuralNetwork as a graph, and its inputs and outputs as callers see
 * them; see translate.h for what blobs become. */
#include "translate.h"

#include "blob_names.h"

#include <string.h>

static const struct {
    int32_t kind;
    translate_layer *translate;
} layers[] = {{100, translate_convolution}, {120, translate_pooling},
              {130, translate_activation},  {140, translate_inner_product},
              {160, translate_batchnorm},   {175, translate_softmax},
              {190, translate_crop},        {200, translate_padding},
              {210, translate_upsample},    {211, translate_resize_bilinear},
              {220, translate_unary},       {230, translate_add},
              {231, translate_multiply},    {240, translate_average},
              {245, translate_scale},       {250, translate_bias},
              {260, translate_max},         {261, translate_min},
              {280, translate_reduce},      {290, translate_load_constant},
              {300, translate_reshape},     {301, translate_flatten},
              {310, translate_permute},     {320, translate_concat},
              {330, translate_split},       {350, translate_slice},
              {600, translate_copy},        {660, translate_clip}};

/* A copy of the file's text, which is closed before the graph is. */
static const char *keep(struct translation *t, const char *text)
{
    char *copy = NULL;
    if (t->builder.status == MODEL_OK)
        copy = kernels_allocate(t->builder.graph->kernels, strlen(text) + 1);
    if (copy == NULL) {
        graph_fail(&t->builder, MODEL_OUT_OF_MEMORY, "no memory for its name");
        return "";
    }
    return memcpy(copy, text, strlen(text) + 1);
}

static void translate(struct translation *t, const struct coreml_layer *layer)
{
    uint32_t inputs[GRAPH_MAX_INPUTS], outputs[GRAPH_MAX_INPUTS];
    t->builder.layer = keep(t, layer->name);
    t->layer = layer;
    t->inputs = inputs;
    t->outputs = outputs;
    if (layer->n_inputs > GRAPH_MAX_INPUTS || layer->n_outputs > GRAPH_MAX_INPUTS) {
        graph_fail(&t->builder, MODEL_UNSUPPORTED, "%zu inputs and %zu outputs, at most %d",
                   layer->n_inputs, layer->n_outputs, GRAPH_MAX_INPUTS);
        return;
    }
    for (size_t i = 0; i < layer->n_inputs; i++)
        if ((inputs[i] = blob_names_find(t->names, layer->inputs[i])) == GRAPH_NONE)
            graph_fail(&t->builder, MODEL_UNSUPPORTED, "input '%.100s' is no tensor",
                       layer->inputs[i]);
    for (size_t i = 0; i < sizeof layers / sizeof *layers && t->builder.status == MODEL_OK; i++) {
        if (layers[i].kind != layer->kind)
            continue;
        layers[i].translate(t);
        for (size_t k = 0; k < layer->n_outputs && t->builder.status == MODEL_OK; k++)
            blob_names_set(t->names, layer->outputs[k], outputs[k]);
        return;
    }
    graph_fail(&t->builder, MODEL_UNSUPPORTED, "a layer of kind '%.60s' (%ld) is not computed",
               layer->kind_name, (long)layer->kind);
}

/* ---- inputs */

/* What callers pass for a feature: a picture as [1, C, H, W], an array as it is declared. */
static void input_shape_of(struct translation *t, const struct coreml_feature *feature,
                           struct graph_shape *ret)
{
    const struct coreml_network *network = t->file->network;
    if (feature->kind == COREML_FEATURE_IMAGE && feature->rank == 2) {
        const bool gray = feature->color == COREML_GRAY || feature->color == COREML_GRAY_F16;
        *ret = (struct graph_shape){4, {1, gray ? 1 : 3, feature->shape[0], feature->shape[1]}};
        return;
    }
    ret->rank = feature->rank;
    memcpy(ret->size, feature->shape, feature->rank * sizeof feature->shape[0]);
    const bool exact = network->array_mapping == COREML_EXACT_ARRAYS;
    if (feature->kind != COREML_FEATURE_ARRAY ||
        !(feature->rank == 4 || (!exact && (feature->rank == 1 || feature->rank == 3))))
        graph_fail(&t->builder, MODEL_UNSUPPORTED,
                   "an input that is not a picture, nor an array of %s dimensions",
                   exact ? "4" : "1 or 3");
}

/* [C], [C, H, W] or [n, C, H, W] as a map. */
static uint32_t input_as_map(struct translation *t, uint32_t x, const struct graph_shape *shape)
{
    const int64_t *size = shape->size;
    if (shape->rank == 1)
        return graph_reshape(&t->builder, x, 4, (int64_t[]){1, 1, 1, size[0]});
    if (shape->rank == 3)
        x = graph_reshape(&t->builder, x, 4, (int64_t[]){1, size[0], size[1], size[2]});
    return map_from_planes(t, x);
}

/* y = scale x + bias by colour, in the order of the planes. */
static uint32_t scale_image(struct translation *t, const struct coreml_feature *feature,
                            const coreml_message *scaler, uint32_t x)
{
    static const char *const rgb[] = {"redBias", "greenBias", "blueBias"};
    const int64_t channels = map_extent(t, x, MAP_C);
    const float scale = coreml_float(scaler, "channelScale");
    float *biases = NULL;
    if (channels > 3)
        graph_fail(&t->builder, MODEL_UNSUPPORTED, "a picture of %lld planes", (long long)channels);
    if (t->builder.status == MODEL_OK)
        biases = kernels_allocate(t->builder.graph->kernels, (size_t)channels * sizeof *biases);
    if (biases == NULL) {
        graph_fail(&t->builder, MODEL_OUT_OF_MEMORY, "no memory for its biases");
        return GRAPH_NONE;
    }
    for (int64_t i = 0; i < channels; i++)
        biases[i] = coreml_float(
            scaler, channels == 1 ? "grayBias" : rgb[feature->color == COREML_BGR ? 2 - i : i]);
    x = graph_map(&t->builder, x, MAP_LINEAR, scale != 0 ? scale : 1, 0);
    bool any = false;
    for (int64_t i = 0; i < channels; i++)
        any = any || biases[i] != 0;
    return any ? graph_binary(&t->builder, BINARY_ADD, x,
                              graph_add_constant(&t->builder, MODEL_F32,
                                                 &(struct graph_shape){1, {channels}}, biases))
               : x;
}

static uint32_t subtract_mean(struct translation *t, const struct coreml_preprocessing *step,
                              uint32_t x)
{
    const struct graph_shape shape = graph_shape_of(&t->builder, x);
    const struct graph_shape planes = {
        4, {1, shape.size[MAP_C], shape.size[MAP_H], shape.size[MAP_W]}};
    float *negated = NULL;
    if (step->n_mean != graph_shape_size(&planes))
        graph_fail(&t->builder, MODEL_CORRUPT, "a mean image of %zu numbers", step->n_mean);
    if (t->builder.status == MODEL_OK)
        negated = kernels_allocate(t->builder.graph->kernels, step->n_mean * sizeof *negated);
    if (negated == NULL) {
        graph_fail(&t->builder, MODEL_OUT_OF_MEMORY, "no memory for its mean image");
        return GRAPH_NONE;
    }
    for (size_t i = 0; i < step->n_mean; i++)
        negated[i] = -step->mean_image[i];
    const uint32_t mean = graph_add_constant(&t->builder, MODEL_F32, &planes, negated);
    return graph_binary(&t->builder, BINARY_ADD, x, map_from_planes(t, mean));
}

static uint32_t preprocess(struct translation *t, const struct coreml_feature *feature, uint32_t x)
{
    const struct coreml_network *network = t->file->network;
    for (size_t i = 0; i < network->n_preprocessing; i++) {
        const struct coreml_preprocessing *step = &network->preprocessing[i];
        if (strcmp(step->feature, feature->name) != 0 && step->feature[0] != '\0')
            continue;
        if (step->scaler != NULL)
            x = scale_image(t, feature, step->scaler, x);
        else if (step->mean_image != NULL)
            x = subtract_mean(t, step, x);
    }
    return x;
}

static void add_inputs(struct translation *t, struct coreml_ane *ane)
{
    const struct coreml_features *features = &t->file->inputs;
    if (features->n > COREML_ANE_MAX_FEATURES)
        graph_fail(&t->builder, MODEL_UNSUPPORTED, "%zu inputs, at most %d", features->n,
                   COREML_ANE_MAX_FEATURES);
    for (size_t i = 0; i < features->n && t->builder.status == MODEL_OK; i++) {
        struct ane_feature *input = &ane->inputs[ane->n_inputs++];
        t->builder.layer = input->name = keep(t, features->items[i].name);
        input->dtype = MODEL_F32;
        input_shape_of(t, &features->items[i], &input->shape);
        uint32_t x = graph_add_input(&t->builder, input->name, &input->shape);
        if (features->items[i].kind == COREML_FEATURE_IMAGE) {
            input->flags = MODEL_SPEC_BYTES;
            graph_take_bytes(&t->builder, x);
        }
        x = input_as_map(t, x, &input->shape);
        if (features->items[i].kind == COREML_FEATURE_IMAGE)
            x = preprocess(t, &features->items[i], x);
        if (t->builder.status == MODEL_OK)
            blob_names_set(t->names, features->items[i].name, x);
    }
}

/* ---- outputs */

/* A map as it is declared, if that has as many numbers; else as [C], [C, H, W] or [n, C, H, W]. */
static struct graph_shape output_shape_of(const struct graph_shape *map,
                                          const struct coreml_feature *feature)
{
    struct graph_shape declared = {.rank = feature->rank};
    int64_t n = (int64_t)graph_shape_size(map), left = n;
    memcpy(declared.size, feature->shape, feature->rank * sizeof feature->shape[0]);
    for (uint32_t i = 0; i < declared.rank; i++)
        left = declared.size[i] < 1 || left % declared.size[i] != 0 ? 0 : left / declared.size[i];
    if (feature->kind == COREML_FEATURE_ARRAY && declared.rank > 0 && left == 1)
        return declared;
    const int64_t *size = map->size;
    if (size[MAP_C] == n)
        return (struct graph_shape){1, {n}};
    if (size[MAP_N] == 1)
        return (struct graph_shape){3, {size[MAP_C], size[MAP_H], size[MAP_W]}};
    return (struct graph_shape){4, {size[MAP_N], size[MAP_C], size[MAP_H], size[MAP_W]}};
}

/* The blob of an output; GRAPH_NONE: it is no tensor (the predicted label), or there is none. */
static uint32_t output_blob(const struct translation *t, const struct coreml_feature *feature)
{
    const struct coreml_network *network = t->file->network;
    const struct coreml_layer *last = &network->layers[network->n_layers - 1];
    const uint32_t named = blob_names_find(t->names, feature->name);
    if (feature->kind == COREML_FEATURE_STRING || feature->kind == COREML_FEATURE_INT64)
        return GRAPH_NONE;
    if (named != GRAPH_NONE || feature->kind != COREML_FEATURE_DICTIONARY || last->n_outputs == 0)
        return named;
    return blob_names_find(t->names, network->probabilities_layer[0] != '\0'
                                         ? network->probabilities_layer
                                         : last->outputs[0]);
}

static void add_outputs(struct translation *t, struct coreml_ane *ane)
{
    const struct coreml_features *features = &t->file->outputs;
    for (size_t i = 0; i < features->n && t->builder.status == MODEL_OK; i++) {
        const uint32_t blob = output_blob(t, &features->items[i]);
        if (blob == GRAPH_NONE)
            continue;
        t->builder.layer = keep(t, features->items[i].name);
        if (ane->n_outputs == COREML_ANE_MAX_FEATURES) {
            graph_fail(&t->builder, MODEL_UNSUPPORTED, "more than %d outputs",
                       COREML_ANE_MAX_FEATURES);
            return;
        }
        struct ane_feature *output = &ane->outputs[ane->n_outputs++];
        const struct graph_shape map = graph_shape_of(&t->builder, blob);
        output->name = t->builder.layer;
        output->dtype = features->items[i].dtype == MODEL_I32 ? MODEL_I32 : MODEL_F32;
        output->shape = output_shape_of(&map, &features->items[i]);
        const uint32_t y = graph_reshape(&t->builder, map_to_planes(t, blob), output->shape.rank,
                                         output->shape.size);
        graph_add_output(&t->builder, y);
    }
    if (ane->n_outputs == 0)
        graph_fail(&t->builder, MODEL_UNSUPPORTED, "no output of this model is a tensor");
}

model_status translate_network(struct coreml_ane *ane, const struct coreml_model *file,
                               struct model_error *err)
{
    const struct coreml_network *network = file->network;
    struct translation t = {.builder = {.graph = ane->graph, .layer = "", .err = err},
                            .file = file};
    size_t n_names = file->inputs.n;
    for (size_t i = 0; i < network->n_layers; i++)
        n_names += network->layers[i].n_outputs;
    t.names = blob_names_create(ane->graph->kernels, n_names);
    if (t.names == NULL)
        return kernels_no_memory(err, "the names of a network");
    if (network->n_layers == 0)
        return kernels_fail(err, MODEL_CORRUPT, "the network has no layers");
    add_inputs(&t, ane);
    for (size_t i = 0; i < network->n_layers && t.builder.status == MODEL_OK; i++)
        translate(&t, &network->layers[i]);
    if (t.builder.status == MODEL_OK)
        add_outputs(&t, ane);
    return t.builder.status;
}
