/* operator_lstm.c - a layer of an LSTM in one direction, by the kernels. Backwards, the steps are handed to them in the
 * other order. The result [s + 1, b, h] has h of each step, where its step stands, and the last c behind them. */
#include "operators.h"

#include <string.h>

enum { X, INPUT_WEIGHTS, STATE_WEIGHTS = 5, BIASES = 9, H = 13, C, N_INPUTS };

static void infer(struct operator_shapes *shapes)
{
    const struct graph *graph = shapes->graph;
    const struct graph_node *node = shapes->node;
    const struct graph_shape *x = input_shape(graph, node, X), *h = input_shape(graph, node, H);
    char first[GRAPH_SHAPE_BYTES], second[GRAPH_SHAPE_BYTES];
    bool fits = x->rank == 3 && h->rank == 2 && h->size[0] == x->size[1] &&
                graph_shape_equal(h, input_shape(graph, node, C));
    for (uint32_t i = 0; i < 4 && fits; i++) {
        const struct graph_shape *ih = input_shape(graph, node, INPUT_WEIGHTS + i);
        const struct graph_shape *hh = input_shape(graph, node, STATE_WEIGHTS + i);
        fits = ih->rank == 2 && ih->size[0] == h->size[1] && ih->size[1] == x->size[2] &&
               hh->rank == 2 && hh->size[0] == h->size[1] && hh->size[1] == h->size[1];
    }
    if (!fits) {
        graph_fail(shapes->builder, MODEL_CORRUPT,
                   "an LSTM of a value of shape %s with a state of %s, or weights that do not fit",
                   graph_shape_text(x, first), graph_shape_text(h, second));
        return;
    }
    for (uint32_t i = 0; i < 4; i++)
        if (!input_is_vector(shapes, BIASES + i, h->size[1]))
            return;
    *shapes->ret = (struct graph_shape){3, {x->size[0] + 1, h->size[0], h->size[1]}};
}

static model_status prepare(struct operator_prepare *prepare)
{
    const struct graph_node *node = prepare->node;
    const struct graph_shape *weight = input_shape(prepare->graph, node, INPUT_WEIGHTS);
    struct loader loader = {prepare->graph->kernels, prepare->err, MODEL_OK};
    char prefix[WEIGHT_NAME_BYTES];
    const struct recurrent_config config = {.kind = RECURRENT_LSTM,
                                            .prefix = weight_name(prefix, "%s.", prepare->weights),
                                            .input_size = weight->size[1],
                                            .hidden_size = weight->size[0],
                                            .num_layers = 1,
                                            .gates_apart = true};
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

const struct operator_type operator_lstm = {
    .name = "an LSTM",
    .min_inputs = N_INPUTS,
    .max_inputs = N_INPUTS,
    .prepared = true,
    .weights = {NULL, "ih_l0.i.weight", "ih_l0.f.weight", "ih_l0.g.weight", "ih_l0.o.weight",
                "hh_l0.i.weight", "hh_l0.f.weight", "hh_l0.g.weight", "hh_l0.o.weight",
                "ih_l0.i.bias", "ih_l0.f.bias", "ih_l0.g.bias", "ih_l0.o.bias"},
    .infer = infer,
    .prepare = prepare,
    .scratch_size = scratch_size,
    .run = run};
