/* ane_features.c - what a model takes and gives as inputs and outputs of the graph; in a pipeline, as what goes on from part
 * to part by its name; see coreml_ane.h. */
#include "coreml_ane.h"

#include "graph_compose.h"

#include <string.h>

const struct ane_passed *ane_find_passed(const struct ane_pipeline *pipeline, const char *name)
{
    for (uint32_t i = pipeline->n; i-- > 0;)
        if (strcmp(pipeline->passed[i].feature.name, name) == 0)
            return &pipeline->passed[i];
    return NULL;
}

static void pass(struct ane_pipeline *pipeline, struct graph_builder *b,
                 const struct ane_feature *feature, uint32_t value, bool is_input)
{
    if (pipeline->n == COREML_ANE_MAX_PASSED)
        graph_fail(b, MODEL_UNSUPPORTED, "more than %d features of a pipeline's parts",
                   COREML_ANE_MAX_PASSED);
    if (b->status == MODEL_OK)
        pipeline->passed[pipeline->n++] = (struct ane_passed){*feature, value, is_input};
}

/* What is there already, in the shape that the part wants. */
static uint32_t take(struct graph_builder *b, const struct ane_passed *passed,
                     const struct ane_feature *wanted)
{
    const struct ane_feature *have = &passed->feature;
    char first[GRAPH_SHAPE_BYTES], second[GRAPH_SHAPE_BYTES];
    if (passed->is_input && (have->dtype != wanted->dtype || have->flags != wanted->flags))
        graph_fail(b, MODEL_UNSUPPORTED, "parts take it as a picture, as an array or as int32");
    else if ((wanted->flags & MODEL_SPEC_BYTES) != 0 && !passed->is_input)
        graph_fail(b, MODEL_UNSUPPORTED, "a picture that another part makes");
    else if (graph_shape_size(&have->shape) != graph_shape_size(&wanted->shape))
        graph_fail(b, MODEL_CORRUPT, "a part takes it as %s, and it is %s",
                   graph_shape_text(&wanted->shape, first), graph_shape_text(&have->shape, second));
    return b->status == MODEL_OK ? graph_shape_to(b, passed->value, &wanted->shape) : GRAPH_NONE;
}

int32_t ane_dtype_of(struct graph_builder *b, const struct coreml_feature *feature)
{
    const bool is_array = feature->kind == COREML_FEATURE_ARRAY;
    if (is_array && (feature->dtype == 0 || feature->dtype == MODEL_I8))
        graph_fail(b, MODEL_UNSUPPORTED,
                   "an array of dataType %s, want FLOAT32, DOUBLE, FLOAT16 or INT32",
                   feature->dtype == 0 ? "0, which is none" : "INT8, which is not computed");
    return feature->dtype == MODEL_I32 ? MODEL_I32 : MODEL_F32;
}

uint32_t ane_add_input(struct ane_variant *variant, struct graph_builder *b,
                       const struct ane_feature *feature)
{
    struct ane_pipeline *pipeline = variant->pipeline;
    const struct ane_passed *passed =
        pipeline != NULL ? ane_find_passed(pipeline, feature->name) : NULL;
    if (passed != NULL)
        return take(b, passed, feature);
    if (variant->n_inputs == COREML_ANE_MAX_FEATURES) {
        graph_fail(b, MODEL_UNSUPPORTED, "more than %d inputs", COREML_ANE_MAX_FEATURES);
        return GRAPH_NONE;
    }
    variant->inputs[variant->n_inputs++] = *feature;
    uint32_t x = graph_add_input(b, feature->name, &feature->shape);
    if ((feature->flags & MODEL_SPEC_BYTES) != 0)
        graph_take_bytes(b, x);
    if (feature->dtype == MODEL_I32)
        x = graph_map(b, x, MAP_FROM_INTEGER, 0, 0);
    if (pipeline != NULL)
        pass(pipeline, b, feature, x, true);
    return x;
}

void ane_add_output(struct ane_variant *variant, struct graph_builder *b,
                    const struct ane_feature *feature, uint32_t value)
{
    if (variant->pipeline != NULL) {
        pass(variant->pipeline, b, feature, value, false);
    } else if (variant->n_outputs == COREML_ANE_MAX_FEATURES) {
        graph_fail(b, MODEL_UNSUPPORTED, "more than %d outputs", COREML_ANE_MAX_FEATURES);
    } else {
        variant->outputs[variant->n_outputs++] = *feature;
        graph_add_output(b, value);
    }
}
