/* textgenrnn.c - a network that writes texts character by character: the last 40 characters ->
 * embedding -> two LSTMs -> at each position what all three say, weighed by how much it matters -> the
 * next character.
 *
 * It has no memory between calls: the host gives it the whole text at each step. It reads what it was
 * trained to read: the last 40 characters, or fewer behind zeros. */
#include "kernels.h"

#include <string.h>

MODEL_PLUGIN_NOTE("textgenrnn", "1.0.0", "textgenrnn");

enum { N_LAYERS = 2, GROUP = 32 /* texts computed together */ };
struct textgenrnn {
    struct plugin_model base;
    size_t vocab_size, embedding_dim, hidden_size, window, width; /* width: of a joint row */
    struct embedding embedding;
    struct lstm_cell cells[N_LAYERS];
    const struct linear *attention, *output;
};

/* The buffers of a run of n texts. Rows stand position by position: row t n + i is text i. */
struct run {
    const struct textgenrnn *model;
    struct linear_runner *runner;
    const int64_t *ids, *mask; /* (batch, n_ids); mask may be NULL */
    size_t n_ids, first, n;    /* texts [first, first + n) of the batch */
    float *x;                  /* (window n, the largest width): a layer's input, then its output */
    float *gates;              /* (window n, 4 hidden) */
    float *state;              /* c and h, (2, n, hidden) */
    float *joint;              /* (window n, width): embedding, LSTM, LSTM */
    float *scores, *weights;   /* (window n) of all positions, (window) of one text's */
    float *pooled, *logits;    /* (n, width), (n, vocab_size) */
};

static void layout(void *context, struct scratch *scratch)
{
    struct run *run = context;
    const struct textgenrnn *model = run->model;
    const size_t n = run->n, rows = n * model->window, hidden = model->hidden_size;
    const size_t widest = hidden > model->embedding_dim ? hidden : model->embedding_dim;
    run->x = scratch_take(scratch, rows * widest, sizeof(float));
    run->gates = scratch_take(scratch, rows * 4 * hidden, sizeof(float));
    run->state = scratch_take(scratch, 2 * n * hidden, sizeof(float));
    run->joint = scratch_take(scratch, rows * model->width, sizeof(float));
    run->scores = scratch_take(scratch, rows, sizeof(float));
    run->weights = scratch_take(scratch, model->window, sizeof(float));
    run->pooled = scratch_take(scratch, n * model->width, sizeof(float));
    run->logits = scratch_take(scratch, n * model->vocab_size, sizeof(float));
}

/* Puts the rows of x(rows, width) into the joint rows at column `first`. */
static void join(struct run *run, size_t first, size_t width)
{
    for (size_t row = 0; row < run->n * run->model->window; row++)
        memcpy(run->joint + row * run->model->width + first, run->x + row * width,
               width * sizeof(float));
}

/* The visible ids of text i at the right end of its window, as embeddings. */
static void embed(struct run *run, size_t i)
{
    const struct textgenrnn *model = run->model;
    const size_t first = (run->first + i) * run->n_ids;
    size_t t = model->window;
    for (size_t at = first + run->n_ids; at > first && t > 0; at--)
        if (run->mask == NULL || run->mask[at - 1] != 0)
            embedding_read(&model->embedding, (size_t)run->ids[at - 1],
                           run->x + (--t * run->n + i) * model->embedding_dim);
    while (t > 0)
        embedding_read(&model->embedding, 0, run->x + (--t * run->n + i) * model->embedding_dim);
}

/* x(window n, ...) -> x(window n, hidden) */
static void run_layer(struct run *run, const struct lstm_cell *cell)
{
    const size_t size = run->n * cell->hidden_size;
    lstm_cell_read(run->runner, cell, run->x, run->n * run->model->window, run->gates);
    float *c = run->state, *h = c + size;
    memset(run->state, 0, 2 * size * sizeof(float));
    for (size_t t = 0; t < run->model->window; t++) {
        lstm_cell_step(run->model->base.kernels, run->runner, cell, run->gates + t * 4 * size,
                       run->n, c, h);
        memcpy(run->x + t * size, h, size * sizeof(float));
    }
}

/* The joint rows of text i, weighed by the softmax of their scores. */
static void pool(struct run *run, size_t i)
{
    const struct textgenrnn *model = run->model;
    const size_t width = model->width;
    float *pooled = run->pooled + i * width;
    for (size_t t = 0; t < model->window; t++)
        run->weights[t] = run->scores[t * run->n + i];
    softmax_rows(model->base.kernels, run->weights, run->weights, 1, model->window);
    memset(pooled, 0, width * sizeof *pooled);
    for (size_t t = 0; t < model->window; t++)
        for (size_t k = 0; k < width; k++)
            pooled[k] += run->weights[t] * run->joint[(t * run->n + i) * width + k];
}

static void forward(struct run *run)
{
    const struct textgenrnn *model = run->model;
    size_t column = model->embedding_dim, rows = run->n * model->window;
    for (size_t i = 0; i < run->n; i++)
        embed(run, i);
    join(run, 0, model->embedding_dim);
    for (size_t i = 0; i < N_LAYERS; i++, column += model->hidden_size) {
        run_layer(run, &model->cells[i]);
        join(run, column, model->hidden_size);
    }
    linear_run(run->runner, model->attention, run->joint, rows, rows, run->scores);
    for (size_t i = 0; i < run->n; i++)
        pool(run, i);
    linear_run(run->runner, model->output, run->pooled, run->n, run->n, run->logits);
}

/* input_ids [batch, sequence] -> next_token_logits [batch, vocab_size]. */
static model_status textgenrnn_run(struct model_instance *self, const struct model_call *call,
                                   struct model_error *err)
{
    const struct plugin_instance *instance = (const struct plugin_instance *)self;
    const struct textgenrnn *model = (const struct textgenrnn *)instance->model;
    struct call_reader reader = call_read(call, "input_ids", err);
    const size_t batch = (size_t)reader.batch;
    struct run run = {
        .model = model, .runner = instance->runner, .n = batch < GROUP ? batch : GROUP};
    float *logits = take_described(&reader, model->base.description.outputs[0]);
    run.n_ids = (size_t)reader.sequence;
    run.ids = take_ids(&reader, "input_ids", (int64_t)model->vocab_size, "vocab_size");
    run.mask = take_mask(&reader, "attention_mask");
    if (reader.status == MODEL_OK)
        reader.status = scratch_layout(model->base.kernels, layout, &run, err);
    linear_runner_begin(run.runner, call->cancel, err);
    for (; run.first < batch && reader.status == MODEL_OK; run.first += GROUP) {
        run.n = batch - run.first < GROUP ? batch - run.first : GROUP;
        forward(&run);
        reader.status = linear_runner_status(run.runner);
        if (reader.status == MODEL_OK && logits != NULL)
            memcpy(logits + run.first * model->vocab_size, run.logits,
                   run.n * model->vocab_size * sizeof *logits);
    }
    return reader.status;
}

static model_status read_config(struct textgenrnn *model, struct model_error *err)
{
    struct config_reader reader = {kernels_services(model->base.kernels), err, MODEL_OK};
    model->vocab_size = (size_t)config_integer(&reader, "vocab_size", 1, 1 << 24, CONFIG_REQUIRED);
    model->embedding_dim = (size_t)config_integer(&reader, "embedding_dim", 1, 1 << 16, 100);
    model->hidden_size = (size_t)config_integer(&reader, "hidden_size", 1, 1 << 16, 128);
    model->window = (size_t)config_integer(&reader, "max_length", 1, 1 << 16, 40);
    (void)config_integer(&reader, "num_layers", 2, 2, 2);
    (void)config_integer(&reader, "pad_token_id", 0, 0, 0);
    model->width = model->embedding_dim + N_LAYERS * model->hidden_size;
    return reader.status;
}

static model_status load_weights(struct textgenrnn *model, struct model_error *err)
{
    struct loader loader = {model->base.kernels, err, MODEL_OK};
    const int64_t embedding = (int64_t)model->embedding_dim, hidden = (int64_t)model->hidden_size;
    const struct linear_shape one = {.out_features = 1, .in_features = (int64_t)model->width};
    const struct linear_shape output = {.out_features = (int64_t)model->vocab_size,
                                        .in_features = (int64_t)model->width};
    model->embedding = load_embedding(&loader, (int64_t)model->vocab_size, embedding, "embedding");
    model->cells[0] = load_lstm_cell(&loader, embedding, hidden, "rnn_1.", "_l0");
    model->cells[1] = load_lstm_cell(&loader, hidden, hidden, "rnn_2.", "_l0");
    model->attention = load_linear_named(&loader, one, "attention.weight", NULL);
    model->output = load_linear(&loader, output, "output");
    return loader.status;
}

static model_status build(struct plugin_model *base, struct model_error *err)
{
    struct textgenrnn *model = (struct textgenrnn *)base;
    struct spec_list in = {.kernels = base->kernels,
                           .batch = {"batch", 1, INT64_MAX},
                           .sequence = {"sequence", 0, INT64_MAX}},
                     out = in;
    model_status status = read_config(model, err);
    status = status == MODEL_OK ? load_weights(model, err) : status;
    if (status != MODEL_OK)
        return status;
    base->run = textgenrnn_run;
    spec_add_ids(&in, "input_ids", 0);
    spec_add_ids(&in, "attention_mask", MODEL_SPEC_OPTIONAL);
    spec_add_sequences(&out, "next_token_logits", 0, (int64_t)model->vocab_size);
    base->description.architecture = "TextGenRnn";
    base->description.task = "text-generation";
    return spec_describe(&in, &out, &base->description, err);
}

PLUGIN_CREATE_MODEL(struct textgenrnn, build)
