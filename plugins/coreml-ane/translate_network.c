/* translate_network.c - the layers of a NeuralNetwork as a graph, and its inputs and outputs as callers see
 * them; see translate.h for what blobs become. */
#include "translate.h"

#include "blob_names.h"
#include "translate_kinds.h"

#include <string.h>

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

/* What stands before the last three dimensions of a blob. */
static int64_t leading(const struct graph_shape *exact)
{
    int64_t n = 1;
    for (uint32_t i = 0; i + 3 < exact->rank; i++)
        n *= exact->size[i];
    return n;
}

/* Whether maps are broadcast as their exact forms are: those that have several have the same before the last
 * three dimensions. */
static bool go_together(const struct translation *t, const uint32_t *inputs)
{
    struct graph_shape most = {.rank = 0};
    for (size_t i = 0; i < t->layer->n_inputs; i++) {
        struct graph_shape shape = blob_shape(t, inputs[i]);
        if (!blob_is_map(t, inputs[i]))
            return false;
        if (leading(&shape) == 1)
            continue;
        shape.rank -= 3;
        if (most.rank != 0 && !graph_shape_equal(&shape, &most))
            return false;
        most = shape;
    }
    return true;
}

/* Inputs in the form that the layer takes; whether that is maps. */
static bool take_inputs(struct translation *t, enum layer_takes takes, uint32_t *inputs)
{
    const size_t n = t->layer->n_inputs;
    bool maps = takes == MAPS;
    if (takes == EACH)
        maps = n > 0 && go_together(t, inputs);
    else if (takes == PRODUCT)
        maps = n > 0 && blob_shape(t, inputs[0]).rank > 3;
    for (size_t i = 0; i < n; i++)
        inputs[i] = maps ? blob_map(t, inputs[i]) : blob_exact(t, inputs[i]);
    return maps;
}

/* Before the channels a map has the dimensions of an input that has as many items, or one. */
static void set_output(struct translation *t, size_t i, bool maps)
{
    const uint32_t y = t->outputs[i];
    const struct graph_shape map = value_shape(t, y);
    const bool exact = t->file->network->array_mapping == COREML_EXACT_ARRAYS;
    struct graph_shape shape = {exact ? 1 : 2, {map.size[MAP_N], 1}};
    if (y == GRAPH_NONE) {
        graph_fail(&t->builder, MODEL_UNSUPPORTED, "%s has no output %zu", t->layer->kind_name, i);
        return;
    }
    for (size_t k = 0; k < t->layer->n_inputs && maps; k++) {
        const struct graph_shape from = blob_shape(t, t->inputs[k]);
        if (leading(&from) == map.size[MAP_N]) {
            shape = from;
            shape.rank = from.rank > 3 ? from.rank - 3 : 0;
            break;
        }
    }
    if (maps && map.rank == 4) {
        shape.size[shape.rank++] = map.size[MAP_C];
        shape.size[shape.rank++] = map.size[MAP_H];
        shape.size[shape.rank++] = map.size[MAP_W];
        blob_set_map(t, y, &shape);
    }
    blob_names_set(t->names, t->layer->outputs[i], y);
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
    const struct layer_kind *kind = layer_kind_find(layer->kind);
    if (layer->params == NULL)
        graph_fail(&t->builder, MODEL_UNSUPPORTED,
                   "a layer of %s, which this plugin does not know: convert the model for an older "
                   "version of Core ML, or ask for this kind",
                   layer->kind_name);
    else if (kind == NULL)
        graph_fail(&t->builder, MODEL_UNSUPPORTED, "a layer of kind '%.60s' (%ld) is not computed",
                   layer->kind_name, (long)layer->kind);
    if (t->builder.status != MODEL_OK)
        return;
    const bool maps = take_inputs(t, kind->takes, inputs);
    for (size_t k = 0; k < layer->n_outputs; k++)
        outputs[k] = GRAPH_NONE;
    t->argument = kind->argument;
    t->builder.has_maps = maps;
    kind->translate(t);
    t->builder.has_maps = false;
    for (size_t k = 0; k < layer->n_outputs && t->builder.status == MODEL_OK; k++)
        set_output(t, k, maps);
}

/* ---- inputs */

/* The default size of an input, if it is one that can be a blob. */
static struct graph_shape input_shape_of(struct translation *t,
                                         const struct coreml_feature *feature)
{
    const bool exact = t->file->network->array_mapping == COREML_EXACT_ARRAYS;
    const struct graph_shape shape = input_default_shape(feature);
    if ((feature->kind != COREML_FEATURE_ARRAY || shape.rank == 0 ||
         (!exact && (shape.rank == 2 || shape.rank > 5))) &&
        (feature->kind != COREML_FEATURE_IMAGE || shape.rank != 4))
        graph_fail(&t->builder, MODEL_UNSUPPORTED,
                   "an input that is not a picture, nor an array of %s dimensions",
                   exact ? "one or more" : "1, 3, 4 or 5");
    return shape;
}

/* The blob of an input: of a network whose shapes are not exact [C], [C, H, W] and [n, C, H, W] are parts of
 * [sequence, batch, C, H, W]. */
static uint32_t input_as_blob(struct translation *t, uint32_t x, const struct graph_shape *shape,
                              bool exact)
{
    const int64_t *size = shape->size;
    if (exact || shape->rank == 5)
        return x;
    const struct graph_shape five =
        shape->rank == 1   ? (struct graph_shape){5, {1, 1, size[0], 1, 1}}
        : shape->rank == 3 ? (struct graph_shape){5, {1, 1, size[0], size[1], size[2]}}
                           : (struct graph_shape){5, {size[0], 1, size[1], size[2], size[3]}};
    return graph_shape_to(&t->builder, x, &five);
}

/* y = scale x + bias by colour, in the order of the planes. Without a scale it is 1; one of 0 is one. */
static uint32_t scale_image(struct translation *t, const struct coreml_feature *feature,
                            const coreml_message *scaler, uint32_t x)
{
    static const char *const rgb[] = {"redBias", "greenBias", "blueBias"};
    const int64_t channels = map_extent(t, x, MAP_C);
    const float scale =
        coreml_count(scaler, "channelScale") > 0 ? coreml_float(scaler, "channelScale") : 1;
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
    x = graph_map(&t->builder, x, MAP_LINEAR, scale, 0);
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

/* How shapes are to be read. */
static void check_mappings(struct translation *t)
{
    const struct coreml_network *network = t->file->network;
    if (network->array_mapping != COREML_RANK5_ARRAYS &&
        network->array_mapping != COREML_EXACT_ARRAYS)
        graph_fail(&t->builder, MODEL_UNSUPPORTED, "arrayInputShapeMapping is %ld, want 0 or 1",
                   (long)network->array_mapping);
    if (network->image_mapping != COREML_RANK5_IMAGES &&
        network->image_mapping != COREML_RANK4_IMAGES)
        graph_fail(&t->builder, MODEL_UNSUPPORTED, "imageInputShapeMapping is %ld, want 0 or 1",
                   (long)network->image_mapping);
}

static void add_inputs(struct translation *t, struct ane_variant *variant)
{
    const struct coreml_features *features = &t->file->inputs;
    for (size_t i = 0; i < features->n && t->builder.status == MODEL_OK; i++) {
        const bool image = features->items[i].kind == COREML_FEATURE_IMAGE;
        const struct coreml_network *network = t->file->network;
        struct ane_feature input = {.name = keep(t, features->items[i].name),
                                    .dtype = MODEL_F32,
                                    .flags = image ? MODEL_SPEC_BYTES : 0};
        t->builder.layer = input.name;
        (void)ane_dtype_of(&t->builder, &features->items[i]); /* whole numbers, too, are as good */
        input.shape = variant->sizes != NULL ? variant->sizes[variant->n_inputs]
                                             : input_shape_of(t, &features->items[i]);
        uint32_t x = ane_add_input(variant, &t->builder, &input);
        x = input_as_blob(t, x, &input.shape,
                          image ? network->image_mapping == COREML_RANK4_IMAGES
                                : network->array_mapping == COREML_EXACT_ARRAYS);
        if (image) {
            const uint32_t map = blob_map(t, x);
            const struct graph_shape exact = blob_shape(t, map);
            t->builder.has_maps = true;
            x = preprocess(t, &features->items[i], map);
            t->builder.has_maps = false;
            blob_set_map(t, x, &exact);
        }
        if (t->builder.status == MODEL_OK)
            blob_names_set(t->names, features->items[i].name, x);
    }
}

/* ---- outputs */

/* A blob as it is declared, if that has as many numbers, a picture as [1, C, H, W]; else as it is, or, where shapes are not
 * exact, as [C], [C, H, W] or [n, C, H, W]. */
static struct graph_shape output_shape_of(const struct graph_shape *blob, bool exact,
                                          const struct coreml_feature *feature)
{
    struct graph_shape declared = {.rank = feature->rank};
    int64_t n = (int64_t)graph_shape_size(blob), left = n;
    memcpy(declared.size, feature->shape, feature->rank * sizeof feature->shape[0]);
    for (uint32_t i = 0; i < declared.rank; i++)
        left = declared.size[i] < 1 || left % declared.size[i] != 0 ? 0 : left / declared.size[i];
    if (feature->kind == COREML_FEATURE_ARRAY && declared.rank > 0 && left == 1)
        return declared;
    if (feature->kind == COREML_FEATURE_IMAGE && blob->rank >= 3 && leading(blob) == 1) {
        const int64_t *planes = blob->size + blob->rank - 3;
        return (struct graph_shape){4, {1, planes[0], planes[1], planes[2]}};
    }
    if (exact || blob->rank < 3)
        return *blob;
    const int64_t *size = blob->size + blob->rank - 3; /* C, H, W */
    if (size[0] == n)
        return (struct graph_shape){1, {n}};
    if (leading(blob) == 1)
        return (struct graph_shape){3, {size[0], size[1], size[2]}};
    return (struct graph_shape){4, {leading(blob), size[0], size[1], size[2]}};
}

static bool is_label(const struct coreml_feature *feature)
{
    return feature->kind == COREML_FEATURE_STRING || feature->kind == COREML_FEATURE_INT64;
}

/* The blob of an output; GRAPH_NONE: there is none. */
static uint32_t output_blob(const struct translation *t, const struct coreml_feature *feature)
{
    const struct coreml_network *network = t->file->network;
    const struct coreml_layer *last = &network->layers[network->n_layers - 1];
    const uint32_t named = blob_names_find(t->names, feature->name);
    if (named != GRAPH_NONE || feature->kind != COREML_FEATURE_DICTIONARY || last->n_outputs == 0)
        return named;
    return blob_names_find(t->names, network->probabilities_layer[0] != '\0'
                                         ? network->probabilities_layer
                                         : last->outputs[0]);
}

/* The probabilities of a classifier are one for each label. */
static void check_labels(struct translation *t, const struct coreml_feature *feature, uint32_t blob)
{
    const struct graph_shape shape = blob_shape(t, blob);
    if (feature->kind == COREML_FEATURE_DICTIONARY && t->builder.status == MODEL_OK &&
        graph_shape_size(&shape) != t->file->n_labels)
        graph_fail(&t->builder, MODEL_CORRUPT, "%zu probabilities for %zu class labels",
                   graph_shape_size(&shape), t->file->n_labels);
}

static void add_outputs(struct translation *t, struct ane_variant *variant)
{
    const struct coreml_features *features = &t->file->outputs;
    for (size_t i = 0; i < features->n && t->builder.status == MODEL_OK; i++) {
        if (is_label(&features->items[i]))
            continue;
        const uint32_t blob = output_blob(t, &features->items[i]);
        t->builder.layer = keep(t, features->items[i].name);
        if (blob == GRAPH_NONE) {
            graph_fail(&t->builder, MODEL_CORRUPT, "an output that no layer makes");
            return;
        }
        check_labels(t, &features->items[i], blob);
        const uint32_t y = blob_exact(t, blob);
        const struct graph_shape shape = value_shape(t, y);
        const struct ane_feature *usual =
            variant->usual != NULL ? &variant->usual->outputs[variant->n_outputs] : NULL;
        struct ane_feature output = {.name = t->builder.layer,
                                     .dtype = ane_dtype_of(&t->builder, &features->items[i]),
                                     .made = shape};
        if (usual == NULL || !output_sizes_like(&usual->made, &usual->shape, &shape, &output.shape))
            output.shape =
                output_shape_of(&shape, t->file->network->array_mapping == COREML_EXACT_ARRAYS,
                                &features->items[i]);
        ane_add_output(variant, &t->builder, &output,
                       graph_reshape(&t->builder, y, output.shape.rank, output.shape.size));
    }
}

model_status translate_network(struct ane_variant *variant, const struct coreml_model *file,
                               struct model_error *err)
{
    const struct coreml_network *network = file->network;
    struct translation t = {.builder = {.graph = variant->graph, .layer = "", .err = err},
                            .file = file};
    size_t n_names = file->inputs.n;
    for (size_t i = 0; i < network->n_layers; i++)
        n_names += network->layers[i].n_outputs;
    t.names = blob_names_create(variant->graph->kernels, n_names);
    if (t.names == NULL)
        return kernels_no_memory(err, "the names of a network");
    if (network->n_layers == 0)
        return kernels_fail(err, MODEL_CORRUPT, "the network has no layers; " MODEL_CONTRADICTS);
    check_mappings(&t);
    add_inputs(&t, variant);
    for (size_t i = 0; i < network->n_layers && t.builder.status == MODEL_OK; i++)
        translate(&t, &network->layers[i]);
    if (t.builder.status == MODEL_OK)
        add_outputs(&t, variant);
    return t.builder.status;
}
