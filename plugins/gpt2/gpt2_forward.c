/* gpt2_forward.c - one run: embeddings, decoder, heads, on the positions that the mask shows, after
 * what the slots hold. [lane-thread] */
#include "gpt2.h"

#include <string.h>

struct run {
    const struct gpt2 *gpt2;
    const int64_t *input_ids;  /* (batch, sequence) */
    float *results[N_RESULTS]; /* (batch, ...) or (batch, sequence, ...); NULL: not wanted */
    struct decoder_run decoder;
    int64_t *scored; /* (batch): the element of input_ids whose score an item gets */
    float *block;    /* (PACKED_BLOCK_ROWS, vocab_size) */
};

static void embed(const struct run *run)
{
    const struct gpt2_weights *w = &run->gpt2->weights;
    const struct decoder_rows *rows = &run->decoder.rows;
    for (size_t i = 0; i < rows->n_rows; i++) {
        float *x = run->decoder.hidden + i * w->norm.width;
        embedding_read(&w->word, (size_t)run->input_ids[rows->source[i]], x);
        embedding_add(&w->position, (size_t)rows->positions[i], x);
    }
}

/* The words after the items that end in this group. */
static void forward_next_words(const struct run *run)
{
    const struct decoder_run *d = &run->decoder;
    const struct linear *head = run->gpt2->weights.head;
    const size_t width = run->gpt2->weights.norm.width, n = d->rows.n_ended;
    for (size_t i = 0; i < n; i++)
        memcpy(d->hidden + i * width, d->normed + d->rows.last_rows[i] * width,
               width * sizeof(float));
    linear_run(d->runner, head, d->hidden, n, n,
               run->results[NEXT_WORDS] + d->rows.first_ended * (size_t)linear_out_features(head));
}

/* The scores of the items whose row is in this group. */
static void forward_labels(const struct run *run)
{
    const struct decoder_run *d = &run->decoder;
    const struct linear *head = run->gpt2->weights.head;
    for (size_t row = 0; row < d->rows.n_rows; row++) {
        const size_t item = (size_t)d->rows.source[row] / d->rows.sequence_length;
        if (run->scored[item] == d->rows.source[row])
            linear_run(d->runner, head, d->normed + row * run->gpt2->weights.norm.width, 1, 1,
                       run->results[LABELS] + item * (size_t)linear_out_features(head));
    }
}

static void forward(const struct run *run)
{
    const struct gpt2_weights *w = &run->gpt2->weights;
    const struct decoder_run *d = &run->decoder;
    float *const *out = run->results;
    embed(run);
    decoder_forward(&run->gpt2->base.decoder, d);
    if (linear_runner_status(d->runner) != MODEL_OK)
        return;
    layer_norm_rows(run->gpt2->base.model.kernels, &w->norm, d->hidden, d->normed, d->rows.n_rows);
    if (out[HIDDEN] != NULL)
        decoder_rows_scatter(&d->rows, d->normed, w->norm.width, out[HIDDEN]);
    if (out[WORDS] != NULL)
        decoder_rows_linear(&d->rows, d->runner, w->head, d->normed, run->block, out[WORDS]);
    if (out[NEXT_WORDS] != NULL)
        forward_next_words(run);
    if (out[LABELS] != NULL)
        forward_labels(run);
}

/* Divides the scratch, for groups as decoder_rows_begin() has measured them. */
static void layout(struct run *run, struct scratch *scratch)
{
    const size_t columns = run->results[WORDS] == NULL ? 0 : (size_t)run->gpt2->config.vocab_size;
    decoder_layout(&run->gpt2->base.decoder, scratch, &run->decoder);
    run->scored = scratch_take(scratch, run->decoder.rows.batch, sizeof *run->scored);
    run->block = scratch_take(scratch, PACKED_BLOCK_ROWS, columns * sizeof(float));
}

static model_status run_groups(struct run *run, struct model_error *err)
{
    const struct model_services *services = kernels_services(run->gpt2->base.model.kernels);
    struct decoder_rows *rows = &run->decoder.rows;
    const struct linear_runner *runner = run->decoder.runner;
    struct scratch scratch = {NULL, 0};
    model_status status = decoder_rows_begin(rows, err);
    if (status != MODEL_OK)
        return status;
    layout(run, &scratch);
    scratch = (struct scratch){services->scratch(services->context, scratch.used), 0};
    if (scratch.memory == NULL)
        return kernels_no_memory(err, "the activations of a run");
    layout(run, &scratch);
    if (run->results[LABELS] != NULL &&
        MODEL_OK != (status = decoder_rows_last_tokens(
                         rows, run->input_ids, run->gpt2->config.pad_token_id, run->scored, err)))
        return status;
    if (run->results[HIDDEN] != NULL)
        decoder_rows_clear(rows, run->gpt2->weights.norm.width, run->results[HIDDEN]);
    if (run->results[WORDS] != NULL)
        decoder_rows_clear(rows, (size_t)run->gpt2->config.vocab_size, run->results[WORDS]);
    while (linear_runner_status(runner) == MODEL_OK && decoder_rows_next(rows))
        forward(run);
    return linear_runner_status(runner);
}

model_status gpt2_run(struct model_instance *self, const struct model_call *call,
                      struct model_error *err)
{
    const struct gpt2 *gpt2 = (const struct gpt2 *)((struct plugin_instance *)self)->model;
    const struct model_description *description = &gpt2->base.model.description;
    struct call_reader r = call_read(call, "input_ids", err);
    struct run run = {.gpt2 = gpt2, .decoder = decoder_run_begin(self, &r)};
    run.input_ids = take_ids(&r, "input_ids", gpt2->config.vocab_size, "vocab_size");
    for (uint32_t i = 0; i < description->n_outputs; i++)
        run.results[gpt2->results[i]] = take_described(&r, description->outputs[i]);
    if (r.status == MODEL_OK)
        r.status = run_groups(&run, err);
    if (r.status == MODEL_OK)
        decoder_rows_commit(&run.decoder.rows);
    return r.status;
}
