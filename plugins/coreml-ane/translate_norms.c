/* translate_norms.c - layers that compare the numbers of a map with each other: norms, dot products; and blocks of a map
 * and its channels. See translate.h. */
#include "translate.h"

#define CHANNELS (1u << MAP_C)
#define PLACES   (1u << MAP_H | 1u << MAP_W)

/* Left out or 0 is 1e-6. */
static float epsilon(const coreml_message *params)
{
    const float given = coreml_float(params, "epsilon");
    return given > 0 ? given : 1e-6f;
}

void translate_l2_normalize(struct translation *t)
{
    if (expects(t, 1, 1, 1))
        t->outputs[0] =
            graph_l2_norm(&t->builder, t->inputs[0], CHANNELS | PLACES, epsilon(t->layer->params));
}

void translate_mvn(struct translation *t)
{
    const coreml_message *params = t->layer->params;
    const uint32_t axes = coreml_bool(params, "acrossChannels") ? CHANNELS | PLACES : PLACES;
    if (expects(t, 1, 1, 1))
        t->outputs[0] =
            graph_standardize(&t->builder, t->inputs[0], axes,
                              coreml_bool(params, "normalizeVariance"), epsilon(params));
}

/* k left out or 0 is 1. */
void translate_lrn(struct translation *t)
{
    const coreml_message *params = t->layer->params;
    const float k = coreml_float(params, "k");
    const struct graph_local_norm norm = {.size = coreml_int(params, "localSize"),
                                          .alpha = coreml_float(params, "alpha"),
                                          .beta = coreml_float(params, "beta"),
                                          .k = k != 0 ? k : 1};
    if (expects(t, 1, 1, 1))
        t->outputs[0] = graph_local_norm(&t->builder, t->inputs[0], &norm);
}

/* Of two maps, item by item; the cosine divides both by their length. */
void translate_dot(struct translation *t)
{
    const uint32_t axes = CHANNELS | PLACES;
    uint32_t sides[2];
    if (!expects(t, 2, 2, 1))
        return;
    for (uint32_t i = 0; i < 2; i++)
        sides[i] = coreml_bool(t->layer->params, "cosineSimilarity")
                       ? graph_l2_norm(&t->builder, t->inputs[i], axes, 0)
                       : t->inputs[i];
    t->outputs[0] =
        graph_reduce(&t->builder, graph_binary(&t->builder, BINARY_MULTIPLY, sides[0], sides[1]),
                     REDUCE_SUM, axes);
}

void translate_reorganize(struct translation *t)
{
    static const enum graph_blocks forms[] = {SPACE_TO_DEPTH, DEPTH_TO_SPACE, PIXEL_SHUFFLE};
    if (!expects(t, 1, 1, 1))
        return;
    const uint32_t mode = read_choice(t, t->layer->params, "mode", 3);
    const uint32_t planes = map_to_planes(t, t->inputs[0]);
    t->outputs[0] = map_from_planes(t, graph_blocks(&t->builder, planes, forms[mode],
                                                    coreml_int(t->layer->params, "blockSize")));
}
