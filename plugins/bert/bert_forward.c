/* bert_forward.c - one run: embeddings, encoder, heads, on the rows that the mask shows.
 *
 * A batch is computed in groups of sequences of about GROUP_ROWS rows together, so that memory stays
 * bounded and activations stay in the caches. [lane-thread] */
#include "bert.h"

#include <string.h>

#define GROUP_ROWS 512

struct run {
    const struct bert *bert;
    const int64_t *mask, *input_ids, *token_type_ids, *position_ids; /* (batch, seq), or NULL */
    float *results[N_RESULTS]; /* (batch, ...) or (batch, seq, ...); NULL: not wanted */
    struct encoder_run encoder;
    float *first, *pooled; /* (sequences of a group, hidden) */
    float *block;          /* (PACKED_BLOCK_ROWS, vocab_size or num_labels) */
};

/* Position 0 of each sequence, for the heads on the whole sequence. */
static void forward_pooled(const struct run *run)
{
    const struct bert_weights *w = &run->bert->weights;
    const struct packed_rows *rows = &run->encoder.rows;
    const size_t n = rows->n_sequences, begin = rows->first_sequence, width = w->norm.width;
    const size_t num_labels = (size_t)run->bert->config.num_labels;
    struct linear_runner *runner = run->encoder.runner;
    float *const *out = run->results;
    packed_rows_first(rows, run->encoder.hidden, width, run->first);
    linear_run(runner, w->pooler, run->first, n, n, run->pooled);
    if (out[POOLED] != NULL)
        memcpy(out[POOLED] + begin * width, run->pooled, n * width * sizeof(float));
    if (out[PAIR] != NULL)
        linear_run(runner, w->next, run->pooled, n, n, out[PAIR] + begin * 2);
    if (out[LABELS] != NULL)
        linear_run(runner, w->classifier, run->pooled, n, n, out[LABELS] + begin * num_labels);
}

static void forward(const struct run *run)
{
    const struct bert_weights *w = &run->bert->weights;
    const struct encoder_run *e = &run->encoder;
    const struct packed_rows *rows = &e->rows;
    float *const *out = run->results;
    packed_rows_embed(rows, &w->word, run->input_ids, false, false, e->hidden);
    packed_rows_embed(rows, &w->token_type, run->token_type_ids, false, true, e->hidden);
    packed_rows_embed(rows, &w->position, run->position_ids, true, true, e->hidden);
    encoder_norm(&w->encoder, e, &w->norm, e->hidden);
    encoder_forward(&w->encoder, e);
    if (linear_runner_status(e->runner) != MODEL_OK)
        return;
    if (out[HIDDEN] != NULL)
        packed_rows_scatter(rows, e->hidden, w->norm.width, out[HIDDEN]);
    if (out[POOLED] != NULL || out[PAIR] != NULL || out[LABELS] != NULL)
        forward_pooled(run);
    if (out[TAGS] != NULL)
        encoder_scatter(e, w->classifier, e->hidden, run->block, out[TAGS]);
    if (out[START] != NULL || out[END] != NULL)
        encoder_linear(e, w->classifier, e->hidden, e->inner);
    if (out[START] != NULL)
        packed_rows_scatter_column(rows, e->inner, 2, 0, out[START]);
    if (out[END] != NULL)
        packed_rows_scatter_column(rows, e->inner, 2, 1, out[END]);
    if (out[WORDS] != NULL) {
        encoder_linear(e, w->transform, e->hidden, e->inner);
        encoder_norm(&w->encoder, e, &w->transform_norm, e->inner);
        encoder_scatter(e, w->decoder, e->inner, run->block, out[WORDS]);
    }
}

/* Divides the scratch: for groups of n_rows rows in at most n_sequences. */
static void layout(struct run *run, size_t n_rows, size_t n_sequences, size_t sequence,
                   struct scratch *scratch)
{
    const struct bert_config *config = &run->bert->config;
    const size_t width = (size_t)config->encoder.hidden_size * sizeof(float);
    const bool words = run->results[WORDS] != NULL && config->vocab_size > config->num_labels;
    const size_t columns = (size_t)(words ? config->vocab_size : config->num_labels);
    encoder_layout(&run->bert->weights.encoder, n_rows, n_sequences, sequence, scratch,
                   &run->encoder);
    run->first = scratch_take(scratch, n_sequences, width);
    run->pooled = scratch_take(scratch, n_sequences, width);
    run->block = scratch_take(scratch, PACKED_BLOCK_ROWS, columns * sizeof(float));
}

size_t bert_scratch_bytes(const struct bert *bert, size_t sequence)
{
    struct run run = {.bert = bert};
    struct scratch scratch = {NULL, 0};
    layout(&run, sequence, 1, sequence, &scratch);
    return scratch.used;
}

static model_status run_groups(struct run *run, size_t batch, size_t sequence,
                               struct model_error *err)
{
    const struct model_services *services = kernels_services(run->bert->model.kernels);
    const struct linear_runner *runner = run->encoder.runner;
    const size_t n_rows = packed_rows_largest(run->mask, batch, sequence, GROUP_ROWS);
    const size_t n_sequences = batch < n_rows ? batch : n_rows;
    struct scratch scratch = {NULL, 0};
    layout(run, n_rows, n_sequences, sequence, &scratch);
    scratch = (struct scratch){services->scratch(services->context, scratch.used), 0};
    if (scratch.memory == NULL)
        return kernels_no_memory(err, "the activations of a run");
    layout(run, n_rows, n_sequences, sequence, &scratch);
    for (size_t next = 0; next < batch && linear_runner_status(runner) == MODEL_OK;) {
        next = packed_rows_fill(&run->encoder.rows, run->mask, batch, sequence, next, GROUP_ROWS);
        forward(run);
    }
    return linear_runner_status(runner);
}

model_status bert_run(struct model_instance *self, const struct model_call *call,
                      struct model_error *err)
{
    const struct plugin_instance *instance = (const struct plugin_instance *)self;
    const struct bert *bert = (const struct bert *)instance->model;
    const struct bert_config *config = &bert->config;
    struct call_reader r = call_read(call, "input_ids", err);
    struct run run = {.bert = bert, .encoder.runner = instance->runner};
    const struct model_description *description = &bert->model.description;
    float *outputs[MAX_SPECS];
    linear_runner_begin(instance->runner, call->cancel, err);
    run.mask = take_mask(&r, "attention_mask");
    run.input_ids = take_ids(&r, "input_ids", config->vocab_size, "vocab_size");
    run.token_type_ids = take_ids(&r, "token_type_ids", config->type_vocab_size, "type_vocab_size");
    run.position_ids =
        take_ids(&r, "position_ids", config->max_position_embeddings, "max_position_embeddings");
    for (uint32_t i = 0; i < description->n_outputs; i++)
        if ((outputs[i] = take_described(&r, description->outputs[i])) != NULL)
            run.results[bert->results[i]] = outputs[i];
    if (r.status == MODEL_OK)
        r.status = run_groups(&run, (size_t)r.batch, (size_t)r.sequence, err);
    for (uint32_t i = 0; i < description->n_outputs && r.status == MODEL_OK; i++)
        take_again(&r, description->outputs[i], run.results[bert->results[i]], outputs[i]);
    return r.status;
}
