/* operator_lstm.c - a layer of an LSTM in one direction, by the kernels. Backwards, the steps are handed to them in the
 * other order. The result [s + 1, b, h] has h of each step, where its step stands, and the last c behind them. */
#include "operators.h"

#include <string.h>

enum { X, WEIGHT_IH, WEIGHT_HH, BIAS, RECURRENT_BIAS, H, C };

static void infer(struct operator_shapes *shapes)
{
    const struct graph *graph = shapes->graph;
    const struct graph_node *node = shapes->node;
    const struct graph_shape *x = input_shape(graph, node, X), *h = input_shape(graph, node, H);
    const struct graph_shape *ih = input_shape(graph, node, WEIGHT_IH);
    const struct graph_shape *hh = input_shape(graph, node, WEIGHT_HH);
    char first[GRAPH_SHAPE_BYTES], second[GRAPH_SHAPE_BYTES];
    if (x->rank != 3 || h->rank != 2 || !graph_shape_equal(h, input_shape(graph, node, C)) ||
        h->size[0] != x->size[1] || ih->rank != 2 || hh->rank != 2 || hh->size[1] != h->size[1] ||
        hh->size[0] != 4 * h->size[1] || ih->size[0] != hh->size[0] || ih->size[1] != x->size[2]) {
        graph_fail(shapes->builder, MODEL_CORRUPT,
                   "an LSTM of a value of shape %s with a state of %s", graph_shape_text(x, first),
                   graph_shape_text(h, second));
        return;
    }
    if (input_is_vector(shapes, BIAS, hh->size[0]) &&
        input_is_vector(shapes, RECURRENT_BIAS, hh->size[0]))
        *shapes->ret = (struct graph_shape){3, {x->size[0] + 1, h->size[0], h->size[1]}};
}

static model_status prepare(struct operator_prepare *prepare)
{
    const struct graph_node *node = prepare->node;
    const struct graph_shape *weight = input_shape(prepare->graph, node, WEIGHT_IH);
    struct loader loader = {prepare->graph->kernels, prepare->err, MODEL_OK};
    char prefix[WEIGHT_NAME_BYTES];
    const struct recurrent_config config = {.kind = RECURRENT_LSTM,
                                            .prefix = weight_name(prefix, "%s.", prepare->weights),
                                            .input_size = weight->size[1],
                                            .hidden_size = weight->size[0] / 4,
                                            .num_layers = 1,
                                            .bias = true};
    prepare->node->prepared = load_recurrent(&loader, &config);
    return loader.status;
}

/* Memory of a run of n_items at a time. */
static void layout(const struct graph *graph, const struct graph_node *node,
                   struct scratch *scratch, struct recurrent_run *run)
{
    const struct graph_shape *x = input_shape(graph, node, X);
    const size_t n_items = recurrent_group_items((size_t)x->size[1]);
    recurrent_layout(node->prepared, n_items, (size_t)x->size[0], scratch, run);
}

static size_t scratch_size(const struct graph *graph, const struct graph_node *node)
{
    struct scratch scratch = {NULL, 0};
    struct recurrent_run run = {.all_visible = true};
    layout(graph, node, &scratch, &run);
    return (scratch.used + sizeof(float) - 1) / sizeof(float);
}

/* Where the i-th step that is read stands. */
static size_t place_of(const struct operator_call *call, size_t i)
{
    const size_t n = (size_t)input_shape(call->graph, call->node, X)->size[0];
    return call->node->attributes.lstm.reverse ? n - 1 - i : i;
}

/* The steps [first, + run->n_steps) of the items from first_item on. */
static void run_segment(const struct operator_call *call, struct recurrent_run *run, size_t first,
                        size_t first_item)
{
    const struct graph_shape *x = input_shape(call->graph, call->node, X);
    const struct graph_shape *h = input_shape(call->graph, call->node, H);
    const size_t n_items = (size_t)x->size[1], in = (size_t)x->size[2], out = (size_t)h->size[1];
    for (size_t i = 0; i < run->n_steps; i++)
        memcpy(run->input + i * run->n_items * in,
               input_data(call, X) + (place_of(call, first + i) * n_items + first_item) * in,
               run->n_items * in * sizeof(float));
    const float *y = recurrent_forward(call->node->prepared, run);
    if (linear_runner_status(call->runner) != MODEL_OK)
        return;
    for (size_t i = 0; i < run->n_steps; i++)
        memcpy(call->y + (place_of(call, first + i) * n_items + first_item) * out,
               y + i * run->n_items * out, run->n_items * out * sizeof(float));
}

static void run(const struct operator_call *call)
{
    const struct graph_shape *x = input_shape(call->graph, call->node, X);
    const struct graph_shape *h = input_shape(call->graph, call->node, H);
    const size_t n_steps = (size_t)x->size[0], n_items = (size_t)x->size[1];
    const size_t out = (size_t)h->size[1];
    float *c = call->y + n_steps * n_items * out;
    struct scratch scratch = {(char *)call->scratch, 0};
    struct recurrent_run run = {.runner = call->runner, .all_visible = true};
    layout(call->graph, call->node, &scratch, &run);
    const size_t n_group = run.n_items;
    for (size_t item = 0; item < n_items; item += n_group) {
        run.n_items = n_items - item < n_group ? n_items - item : n_group;
        memcpy(run.h, input_data(call, H) + item * out, run.n_items * out * sizeof(float));
        memcpy(run.c, input_data(call, C) + item * out, run.n_items * out * sizeof(float));
        for (size_t first = 0; first < n_steps; first += run.n_steps) {
            run.n_steps = n_steps - first < run.max_steps ? n_steps - first : run.max_steps;
            run_segment(call, &run, first, item);
            if (linear_runner_status(call->runner) != MODEL_OK)
                return;
        }
        memcpy(c + item * out, run.c, run.n_items * out * sizeof(float));
    }
}

const struct operator_type operator_lstm = {.name = "an LSTM",
                                            .min_inputs = 7,
                                            .max_inputs = 7,
                                            .prepared = true,
                                            .weights = {[WEIGHT_IH] = "weight_ih_l0",
                                                        [WEIGHT_HH] = "weight_hh_l0",
                                                        [BIAS] = "bias_ih_l0",
                                                        [RECURRENT_BIAS] = "bias_hh_l0"},
                                            .infer = infer,
                                            .prepare = prepare,
                                            .scratch_size = scratch_size,
                                            .run = run};
