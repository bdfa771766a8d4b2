/* translate_places.c - layers of specification 4 and later that take, put and order numbers by places; see
 * translate.h. */
#include "translate.h"

static uint32_t axis_of(struct translation *t)
{
    return value_axis(t, coreml_int(t->layer->params, "axis"), value_shape(t, t->inputs[0]).rank);
}

/* argument: what the places are. */
void exact_gather(struct translation *t)
{
    const enum graph_places form = (enum graph_places)t->argument;
    if (expects(t, 2, 2, 1))
        t->outputs[0] = graph_gather(&t->builder, t->inputs[0], t->inputs[1], form,
                                     form == PLACES_POINT ? 0 : axis_of(t), 0);
}

/* Inputs: data, places, updates. */
void exact_scatter(struct translation *t)
{
    const enum graph_places form = (enum graph_places)t->argument;
    if (!expects(t, 3, 3, 1))
        return;
    const uint32_t mode = read_choice(t, t->layer->params, "mode", N_GRAPH_SCATTERS);
    const struct graph_attributes a = {.places = {.form = form,
                                                  .axis = form == PLACES_POINT ? 0 : axis_of(t),
                                                  .mode = (enum graph_scatter)mode}};
    t->outputs[0] = graph_add(&t->builder, GRAPH_SCATTER, 3, t->inputs, &a);
}

void exact_reverse(struct translation *t)
{
    const coreml_message *params = t->layer->params;
    const size_t n = coreml_count(params, "reverseDim");
    uint32_t axes = 0;
    if (!expects(t, 1, 1, 1))
        return;
    if (n != value_shape(t, t->inputs[0]).rank)
        graph_fail(&t->builder, MODEL_CORRUPT, "%zu truths for %u dimensions", n,
                   value_shape(t, t->inputs[0]).rank);
    for (uint32_t i = 0; i < n && i < MODEL_MAX_RANK; i++)
        axes |= coreml_bool_at(params, "reverseDim", i) ? 1u << i : 0;
    t->outputs[0] = graph_reverse(&t->builder, t->inputs[0], axes);
}

void exact_reverse_sequence(struct translation *t)
{
    const coreml_message *params = t->layer->params;
    if (!expects(t, 2, 2, 1))
        return;
    const uint32_t rank = value_shape(t, t->inputs[0]).rank;
    const uint32_t seq_axis = value_axis(t, coreml_int(params, "sequenceAxis"), rank);
    t->outputs[0] = graph_reverse_sequence(&t->builder, t->inputs[0], t->inputs[1], seq_axis,
                                           value_axis(t, coreml_int(params, "batchAxis"), rank));
}

void exact_windows(struct translation *t)
{
    const coreml_message *params = t->layer->params;
    if (expects(t, 1, 1, 1))
        t->outputs[0] = graph_windows(&t->builder, t->inputs[0], axis_of(t),
                                      coreml_int(params, "windowSize"), coreml_int(params, "step"));
}

/* The numbers, and their places when there is a second output. */
void exact_top_k(struct translation *t)
{
    const coreml_message *params = t->layer->params;
    if (!expects(t, 1, 1, t->layer->n_outputs == 1 ? 1 : 2))
        return;
    const uint32_t axis = axis_of(t);
    const uint32_t places = graph_sort(&t->builder, t->inputs[0], axis, coreml_int(params, "K"),
                                       coreml_bool(params, "useBottomK"));
    t->outputs[0] = graph_take_along(&t->builder, t->inputs[0], places, axis);
    t->outputs[1] = places;
}

void exact_argsort(struct translation *t)
{
    if (!expects(t, 1, 1, 1))
        return;
    const uint32_t axis = axis_of(t);
    t->outputs[0] =
        graph_sort(&t->builder, t->inputs[0], axis, value_shape(t, t->inputs[0]).size[axis],
                   !coreml_bool(t->layer->params, "descending"));
}

void exact_one_hot(struct translation *t)
{
    const coreml_message *params = t->layer->params;
    if (!expects(t, 1, 1, 1))
        return;
    const uint32_t axis =
        value_axis(t, coreml_int(params, "axis"), value_shape(t, t->inputs[0]).rank + 1);
    t->outputs[0] =
        graph_one_hot(&t->builder, t->inputs[0], axis, coreml_int(params, "oneHotVectorSize"),
                      coreml_float(params, "onValue"), coreml_float(params, "offValue"));
}

void exact_cumsum(struct translation *t)
{
    const coreml_message *params = t->layer->params;
    if (expects(t, 1, 1, 1))
        t->outputs[0] =
            graph_cumsum(&t->builder, t->inputs[0], axis_of(t),
                         coreml_bool(params, "excludeFinalSum"), coreml_bool(params, "reverse"));
}
