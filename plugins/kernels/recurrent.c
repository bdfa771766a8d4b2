/* recurrent.c - see recurrent.h: the layers of a model, and a segment's way through them. */
#include "linear_source.h"
#include "recurrent_steps.h"

#include <string.h>

#define GROUP_ITEMS 32  /* items of a batch that are computed together */
#define PIECE_ROWS  256 /* steps times items of one product of the input; small enough for caches */
#define MIN_STEPS   8   /* of a piece */
#define TABLE_BYTES (8u << 20) /* of products by id, at most */
#define TABLE_ROWS  64         /* of it that are computed at a time */

struct recurrent {
    struct kernels *kernels;
    enum recurrent_kind kind;
    size_t input, hidden, gates, proj; /* proj 0: no projection */
    size_t n_layers, n_directions;
    struct recurrent_layer *layers; /* (n_layers, n_directions) */
    float *tables[2];               /* of each direction (n_ids, gates * hidden), or NULL */
};

size_t recurrent_input_width(const struct recurrent *recurrent)
{
    return recurrent->input;
}

size_t recurrent_h_width(const struct recurrent *recurrent)
{
    return recurrent->proj > 0 ? recurrent->proj : recurrent->hidden;
}

size_t recurrent_c_width(const struct recurrent *recurrent)
{
    return recurrent->kind == RECURRENT_LSTM ? recurrent->hidden : 0;
}

size_t recurrent_n_states(const struct recurrent *recurrent)
{
    return recurrent->n_layers * recurrent->n_directions;
}

size_t recurrent_output_width(const struct recurrent *recurrent)
{
    return recurrent->n_directions * recurrent_h_width(recurrent);
}

/* ---- loading */

static struct recurrent_panels hidden_panels(const struct recurrent *recurrent)
{
    return (struct recurrent_panels){.n_parts = recurrent->gates,
                                     .width = RECURRENT_UNITS,
                                     .depth = recurrent_h_width(recurrent)};
}

/* A layer whose gates have weights of their own. */
static void load_gates(struct loader *loader, const struct recurrent *recurrent,
                       const struct recurrent_config *config, size_t layer, const char *suffix,
                       struct linear_shape shape, struct recurrent_layer *ret)
{
    static const char *const lstm[] = {"i", "f", "g", "o", NULL}, *const gru[] = {"r", "z", "n",
                                                                                  NULL};
    const char *const *gates = config->kind == RECURRENT_LSTM ? lstm : gru;
    char names[4][WEIGHT_NAME_BYTES];
    const char *weights[4] = {NULL};
    for (size_t i = 0; gates[i] != NULL; i++)
        weights[i] =
            weight_name(names[i], "%shh_l%zu%s.%s.weight", config->prefix, layer, suffix, gates[i]);
    ret->input = load_stacked(loader, shape, gates, "%sih_l%zu%s", config->prefix, layer, suffix);
    ret->recurrent = hidden_panels(recurrent);
    load_panels(loader, weights, recurrent->gates, NULL, recurrent->hidden, &ret->recurrent,
                &ret->bias);
}

static void load_layer(struct loader *loader, const struct recurrent *recurrent,
                       const struct recurrent_config *config, size_t layer, size_t direction,
                       struct recurrent_layer *ret)
{
    const size_t in = layer == 0 ? recurrent->input : recurrent_output_width(recurrent);
    const struct linear_shape shape = {(int64_t)(recurrent->gates * recurrent->hidden), (int64_t)in,
                                       .accumulate = false};
    static const char *const kinds[] = {"weight_ih", "bias_ih", "weight_hh", "bias_hh",
                                        "weight_hr"};
    char names[5][WEIGHT_NAME_BYTES];
    if (config->gates_apart) {
        load_gates(loader, recurrent, config, layer, direction > 0 ? "_reverse" : "", shape, ret);
        return;
    }
    for (size_t i = 0; i < 5; i++)
        weight_name(names[i], "%s%s_l%zu%s", config->prefix, kinds[i], layer,
                    direction > 0 ? "_reverse" : "");
    ret->input = load_linear_named(loader, shape, names[0], config->bias ? names[1] : NULL);
    ret->recurrent = hidden_panels(recurrent);
    load_panels(loader, (const char *[]){names[2]}, 1, config->bias ? names[3] : NULL,
                recurrent->hidden, &ret->recurrent, &ret->bias);
    if (recurrent->proj == 0)
        return;
    ret->projection = (struct recurrent_panels){
        .n_parts = 1, .width = PROJECTION_COLUMNS, .depth = recurrent->hidden};
    load_panels(loader, (const char *[]){names[4]}, 1, NULL, recurrent->proj, &ret->projection,
                NULL);
}

const struct recurrent *load_recurrent(struct loader *loader, const struct recurrent_config *config)
{
    if (loader->status != MODEL_OK)
        return NULL;
    struct recurrent *recurrent = kernels_allocate(loader->kernels, sizeof *recurrent);
    const size_t n_layers = (size_t)config->num_layers, n = config->bidirectional ? 2 : 1;
    struct recurrent_layer *layers =
        kernels_allocate(loader->kernels, n_layers * n * sizeof *layers);
    if (recurrent == NULL || layers == NULL) {
        loader->status = kernels_no_memory(loader->err, "recurrent layers");
        return NULL;
    }
    *recurrent = (struct recurrent){.kernels = loader->kernels,
                                    .kind = config->kind,
                                    .input = (size_t)config->input_size,
                                    .hidden = (size_t)config->hidden_size,
                                    .gates = config->kind == RECURRENT_LSTM ? 4 : 3,
                                    .proj = (size_t)config->proj_size,
                                    .n_layers = n_layers,
                                    .n_directions = n,
                                    .layers = layers};
    for (size_t i = 0; i < n_layers * n && loader->status == MODEL_OK; i++)
        load_layer(loader, recurrent, config, i / n, i % n, &layers[i]);
    return loader->status == MODEL_OK ? recurrent : NULL;
}

static void fill_table(const struct embedding *embedding, const struct linear *linear,
                       struct linear_runner *runner, float *x, float *table)
{
    const size_t width = embedding->width, out = (size_t)linear_out_features(linear);
    for (size_t id = 0; id < embedding->n_ids; id += TABLE_ROWS) {
        const size_t left = embedding->n_ids - id, n = left < TABLE_ROWS ? left : TABLE_ROWS;
        for (size_t i = 0; i < n; i++)
            embedding_read(embedding, id + i, x + i * width);
        linear_run(runner, linear, x, n, n, table + id * out);
    }
}

void load_recurrent_table(struct loader *loader, const struct recurrent *recurrent,
                          const struct embedding *embedding)
{
    if (loader->status != MODEL_OK)
        return;
    const size_t out = recurrent->gates * recurrent->hidden;
    if (embedding->n_ids > TABLE_BYTES / sizeof(float) / out)
        return;
    struct recurrent *own = (struct recurrent *)(uintptr_t)recurrent; /* not shared yet */
    const struct model_services *services = loader->kernels->services;
    struct linear_runner *runner = NULL;
    float *x = services->allocate(services->context, TABLE_ROWS * embedding->width * sizeof *x);
    loader->status = x == NULL ? kernels_no_memory(loader->err, "an embedding")
                               : linear_runner_create(loader->kernels, &runner, loader->err);
    for (size_t i = 0; i < recurrent->n_directions && loader->status == MODEL_OK; i++) {
        own->tables[i] = kernels_allocate(loader->kernels, embedding->n_ids * out * sizeof(float));
        if (own->tables[i] == NULL) {
            loader->status = kernels_no_memory(loader->err, "an embedding");
            break;
        }
        linear_runner_begin(runner, NULL, loader->err);
        fill_table(embedding, recurrent->layers[i].input, runner, x, own->tables[i]);
        loader->status = linear_runner_status(runner);
    }
    linear_runner_destroy(runner);
    services->release(services->context, x);
}

bool recurrent_takes_ids(const struct recurrent *recurrent)
{
    return recurrent->tables[0] != NULL;
}

/* ---- memory of a run */

size_t recurrent_group_items(size_t batch)
{
    return batch < GROUP_ITEMS ? batch : GROUP_ITEMS;
}

/* Steps of one product of the input. */
static size_t piece_steps(size_t n_items)
{
    const size_t n = PIECE_ROWS / n_items;
    return n > MIN_STEPS ? n : MIN_STEPS;
}

size_t recurrent_row_capacity(const struct recurrent_run *run)
{
    return linear_row_capacity(run->max_steps * run->n_items);
}

void recurrent_layout(const struct recurrent *recurrent, size_t n_items, size_t sequence,
                      struct scratch *scratch, struct recurrent_run *run)
{
    const size_t h_width = recurrent_h_width(recurrent), n_states = recurrent_n_states(recurrent);
    const size_t c_width = recurrent_c_width(recurrent);
    const size_t piece = piece_steps(n_items) < sequence ? piece_steps(n_items) : sequence;
    const size_t hidden = recurrent->hidden, gates = recurrent->gates * hidden;
    const size_t wider = hidden > h_width ? hidden : h_width;
    run->n_items = n_items;
    run->max_steps = recurrent->n_directions > 1 ? sequence : piece;
    const size_t n_rows = recurrent_row_capacity(run), of_float = sizeof(float);
    const bool by_ids = recurrent_takes_ids(recurrent);
    run->input = scratch_take(scratch, by_ids ? 0 : n_rows, recurrent->input * of_float);
    run->ids = scratch_take(scratch, by_ids ? n_rows : 0, sizeof *run->ids);
    run->visible = scratch_take(scratch, n_rows, 1);
    run->h = scratch_take(scratch, n_states * n_items, h_width * of_float);
    run->c = scratch_take(scratch, n_states * n_items, c_width * of_float);
    for (size_t i = 0; i < 2; i++) {
        run->layers[i] =
            scratch_take(scratch, n_rows, recurrent_output_width(recurrent) * of_float);
        run->step_h[i] = scratch_take(scratch, n_items, h_width * of_float);
    }
    run->products = scratch_take(scratch, linear_row_capacity(piece * n_items), gates * of_float);
    run->inner = scratch_take(scratch, n_items, hidden * of_float);
    run->claims = scratch_take(scratch, wider / RECURRENT_UNITS + 1, sizeof(_Atomic uint32_t));
}

/* ---- a segment */

/* The input's part of n_rows from first_row on, into run->products; x NULL: by id. */
static void multiply_input(const struct recurrent *recurrent, const struct recurrent_run *run,
                           size_t index, size_t first_row, size_t n_rows, const float *x,
                           size_t x_width)
{
    const size_t out = recurrent->gates * recurrent->hidden;
    const size_t room = recurrent_row_capacity(run) - first_row;
    const size_t capacity = linear_row_capacity(n_rows);
    for (size_t row = 0; x == NULL && row < n_rows; row++)
        memcpy(run->products + row * out,
               recurrent->tables[index] + (size_t)run->ids[first_row + row] * out,
               out * sizeof *run->products);
    if (x != NULL)
        linear_run(run->runner, recurrent->layers[index].input, x + first_row * x_width, n_rows,
                   capacity < room ? capacity : room, run->products);
}

/* Steps [first, first + n) of one layer in one direction; the state is in step_h[0] and c. */
static void run_piece(const struct recurrent *recurrent, const struct recurrent_run *run,
                      size_t index, size_t first, size_t n, const float *x, size_t x_width,
                      float *y)
{
    const struct recurrent_layer *layer = &recurrent->layers[index];
    const size_t h_width = recurrent_h_width(recurrent), first_row = first * run->n_items;
    const size_t width = recurrent_output_width(recurrent);
    const size_t direction = index % recurrent->n_directions, n_rows = n * run->n_items;
    struct linear_progress *progress = (struct linear_progress *)run->runner;
    multiply_input(recurrent, run, index, first_row, n_rows, x, x_width);
    if (!linear_progress_ask(progress))
        return;
    const struct recurrent_steps steps = {
        .layer = layer,
        .kind = recurrent->kind,
        .n_items = run->n_items,
        .n_steps = n,
        .hidden = recurrent->hidden,
        .h_width = h_width,
        .backwards = direction > 0,
        .products = run->products,
        .visible = run->all_visible ? NULL : run->visible + first_row,
        .h = {run->step_h[0], run->step_h[1]},
        .c = run->c + index * run->n_items * recurrent_c_width(recurrent),
        .c_limit = run->c_limit,
        .inner = run->inner,
        .y = y + first_row * width + direction * h_width,
        .y_stride = width,
        .cancel = progress->cancel,
        .claims = run->claims};
    recurrent_steps_run(recurrent->kernels, &steps);
    linear_runner_count(run->runner,
                        n_rows * h_width *
                            (recurrent->gates * recurrent->hidden +
                             (layer->projection.n_panels > 0 ? recurrent->hidden : 0)));
    (void)linear_progress_ask(progress);
    if (n % 2 == 1)
        memcpy(run->step_h[0], run->step_h[1], run->n_items * h_width * sizeof(float));
}

/* All steps of the segment, in pieces. */
static void run_direction(const struct recurrent *recurrent, const struct recurrent_run *run,
                          size_t index, const float *x, size_t x_width, float *y)
{
    const size_t n_state = run->n_items * recurrent_h_width(recurrent);
    const size_t piece = piece_steps(run->n_items);
    const bool backwards = index % recurrent->n_directions > 0;
    float *h = run->h + index * n_state;
    memcpy(run->step_h[0], h, n_state * sizeof *h);
    for (size_t done = 0; done < run->n_steps;) {
        const size_t left = run->n_steps - done, n = left < piece ? left : piece;
        run_piece(recurrent, run, index, backwards ? left - n : done, n, x, x_width, y);
        if (linear_runner_status(run->runner) != MODEL_OK)
            return;
        done += n;
    }
    memcpy(h, run->step_h[0], n_state * sizeof *h);
}

const float *recurrent_forward(const struct recurrent *recurrent, struct recurrent_run *run)
{
    const float *x = recurrent_takes_ids(recurrent) ? NULL : run->input;
    size_t x_width = recurrent->input;
    const size_t n = recurrent->n_directions;
    for (size_t i = 0; i < recurrent->n_layers; i++) {
        float *y = run->layers[i % 2];
        for (size_t direction = 0; direction < n; direction++)
            run_direction(recurrent, run, i * n + direction, x, x_width, y);
        x = y;
        x_width = recurrent_output_width(recurrent);
    }
    return x;
}
