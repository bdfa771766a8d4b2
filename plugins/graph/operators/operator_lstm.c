/* operator_lstm.c - a layer of an LSTM in one direction, by the kernels. Backwards, the steps are handed to them in the
 * other order. The result [s + 1, b, h] has h of each step, where its step stands, and the last c behind them. */
#include "operators.h"

#include <string.h>

enum { X, INPUT_WEIGHTS, STATE_WEIGHTS = 5, BIASES = 9, H = 13, C, N_INPUTS, TABLE = N_INPUTS };

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
    const struct recurrent *recurrent = load_recurrent(&loader, &config);
    prepare->node->prepared = recurrent;
    if (node->attributes.lstm.by_places) {
        const struct graph_value *rows = &prepare->graph->values[node->inputs[TABLE]];
        const struct embedding table = {
            .table = {.dtype = MODEL_F32, .data = (void *)(uintptr_t)rows->numbers},
            .n_ids = (size_t)rows->shape.size[0],
            .width = (size_t)rows->shape.size[1]};
        load_recurrent_table(&loader, recurrent, &table);
    }
    return loader.status;
}

struct sizes {
    size_t n_steps, n_items, in, out;
};

static struct sizes sizes_of(const struct graph *graph, const struct graph_node *node)
{
    const struct graph_shape *y = &graph->values[node->output].shape;
    return (struct sizes){(size_t)y->size[0] - 1, (size_t)y->size[1],
                          (size_t)input_shape(graph, node, INPUT_WEIGHTS)->size[1],
                          (size_t)y->size[2]};
}

/* Memory of a run of n_items at a time. */
static void layout(const struct graph *graph, const struct graph_node *node,
                   struct scratch *scratch, struct recurrent_run *run)
{
    const struct sizes n = sizes_of(graph, node);
    recurrent_layout(node->prepared, recurrent_group_items(n.n_items), n.n_steps, scratch, run);
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
    const size_t n = sizes_of(call->graph, call->node).n_steps;
    return call->node->attributes.lstm.reverse ? n - 1 - i : i;
}

/* Step i of the segment, which stands at `step`, out of the rows of the table. */
static void read_places(const struct operator_call *call, struct recurrent_run *run, size_t i,
                        size_t step, size_t first_item)
{
    const struct sizes n = sizes_of(call->graph, call->node);
    const bool item_first = call->node->attributes.lstm.item_first;
    const int64_t n_rows = input_shape(call->graph, call->node, TABLE)->size[0];
    for (size_t k = 0; k < run->n_items; k++) {
        const size_t item = first_item + k, row = i * run->n_items + k;
        const size_t at = item_first ? item * n.n_steps + step : step * n.n_items + item;
        const size_t id = gather_place(input_data(call, X)[at], n_rows);
        if (recurrent_takes_ids(call->node->prepared))
            run->ids[row] = (int64_t)id;
        else
            memcpy(run->input + row * n.in, input_data(call, TABLE) + id * n.in,
                   n.in * sizeof(float));
    }
}

/* The steps [first, + run->n_steps) of the items from first_item on. */
static void run_segment(const struct operator_call *call, struct recurrent_run *run, size_t first,
                        size_t first_item)
{
    const struct sizes n = sizes_of(call->graph, call->node);
    for (size_t i = 0; i < run->n_steps; i++) {
        const size_t step = place_of(call, first + i);
        if (call->node->attributes.lstm.by_places)
            read_places(call, run, i, step, first_item);
        else
            memcpy(run->input + i * run->n_items * n.in,
                   input_data(call, X) + (step * n.n_items + first_item) * n.in,
                   run->n_items * n.in * sizeof(float));
    }
    const float *y = recurrent_forward(call->node->prepared, run);
    if (linear_runner_status(call->runner) != MODEL_OK)
        return;
    for (size_t i = 0; i < run->n_steps; i++)
        memcpy(call->y + (place_of(call, first + i) * n.n_items + first_item) * n.out,
               y + i * run->n_items * n.out, run->n_items * n.out * sizeof(float));
}

static void run(const struct operator_call *call)
{
    const struct sizes n = sizes_of(call->graph, call->node);
    float *c = call->y + n.n_steps * n.n_items * n.out;
    struct scratch scratch = {(char *)call->scratch, 0};
    struct recurrent_run run = {.runner = call->runner,
                                .all_visible = true,
                                .c_limit = call->node->attributes.lstm.c_limit};
    layout(call->graph, call->node, &scratch, &run);
    const size_t n_group = run.n_items;
    for (size_t item = 0; item < n.n_items; item += n_group) {
        run.n_items = n.n_items - item < n_group ? n.n_items - item : n_group;
        const size_t state_bytes = run.n_items * n.out * sizeof(float);
        memcpy(run.h, input_data(call, H) + item * n.out, state_bytes);
        memcpy(run.c, input_data(call, C) + item * n.out, state_bytes);
        for (size_t first = 0; first < n.n_steps; first += run.n_steps) {
            run.n_steps = n.n_steps - first < run.max_steps ? n.n_steps - first : run.max_steps;
            run_segment(call, &run, first, item);
            if (linear_runner_status(call->runner) != MODEL_OK)
                return;
        }
        memcpy(c + item * n.out, run.c, state_bytes);
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
