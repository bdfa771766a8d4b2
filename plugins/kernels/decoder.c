/* decoder.c - see decoder.h. */
#include "kernels_internal.h"

#include <math.h>
#include <string.h>

static void load_layer(struct loader *loader, const struct decoder_config *config,
                       const struct decoder_names *names, const char *name,
                       struct decoder_layer *ret)
{
    const double eps = config->layer_norm_eps;
    const int64_t hidden = config->hidden_size, inner = config->intermediate_size;
    const struct linear_shape query_key_value = {3 * hidden, hidden,
                                                 .transposed = config->transposed};
    const struct linear_shape attention_output = {hidden, hidden, .accumulate = true,
                                                  .transposed = config->transposed};
    const struct linear_shape intermediate = {inner, hidden, .activation = config->activation,
                                              .transposed = config->transposed};
    const struct linear_shape output = {hidden, inner, .accumulate = true,
                                        .transposed = config->transposed};
    ret->attention_norm =
        load_layer_norm(loader, hidden, eps, "%s.%s", name, names->attention_norm);
    ret->query_key_value =
        load_linear(loader, query_key_value, "%s.%s", name, names->query_key_value);
    ret->attention_output =
        load_linear(loader, attention_output, "%s.%s", name, names->attention_output);
    ret->inner_norm = load_layer_norm(loader, hidden, eps, "%s.%s", name, names->inner_norm);
    ret->intermediate = load_linear(loader, intermediate, "%s.%s", name, names->intermediate);
    ret->output = load_linear(loader, output, "%s.%s", name, names->output);
}

struct decoder decoder_load(struct loader *loader, const struct decoder_config *config,
                            const struct decoder_names *names, const char *prefix)
{
    struct decoder decoder = {.config = *config, .kernels = loader->kernels};
    char name[WEIGHT_NAME_BYTES];
    decoder.layers =
        kernels_allocate(loader->kernels, (size_t)config->num_layers * sizeof *decoder.layers);
    if (decoder.layers == NULL && loader->status == MODEL_OK)
        loader->status = kernels_no_memory(loader->err, "the layers");
    for (int64_t i = 0; i < config->num_layers && loader->status == MODEL_OK; i++) {
        weight_name(name, "%s%lld", prefix, (long long)i);
        load_layer(loader, config, names, name, &decoder.layers[i]);
    }
    return decoder;
}

void decoder_layout(const struct decoder *decoder, struct scratch *scratch, struct decoder_run *run)
{
    const size_t hidden = (size_t)decoder->config.hidden_size;
    const size_t head_size = hidden / (size_t)decoder->config.num_heads;
    size_t inner = (size_t)decoder->config.intermediate_size;
    inner = inner > 3 * hidden ? inner : 3 * hidden;
    /* As many as pages hold: a text that grows token by token asks for more memory with each page only. */
    const size_t max_keys = (run->rows.max_keys + PAST_PAGE - 1) / PAST_PAGE * PAST_PAGE;
    decoder_rows_layout(&run->rows, scratch);
    run->capacity = linear_row_capacity(run->rows.max_rows);
    run->hidden = scratch_take(scratch, run->capacity, hidden * sizeof(float));
    run->normed = scratch_take(scratch, run->capacity, hidden * sizeof(float));
    run->inner = scratch_take(scratch, run->capacity, inner * sizeof(float));
    run->workspace = scratch_take(
        scratch, causal_attention_workspace_bytes(decoder->kernels, head_size, max_keys), 1);
}

/* Scores, and what they weigh, of each row and the positions that it sees. */
static size_t attention_multiply_adds(const struct decoder_rows *rows, size_t hidden)
{
    size_t pairs = 0;
    for (size_t i = 0; i < rows->n_sequences; i++) {
        const struct causal_sequence *sequence = &rows->sequences[i];
        pairs +=
            sequence->n_rows * sequence->n_past + sequence->n_rows * (sequence->n_rows + 1) / 2;
    }
    return 2 * pairs * hidden;
}

static void attend(const struct decoder *decoder, const struct decoder_run *run, size_t layer)
{
    const struct decoder_config *config = &decoder->config;
    const struct decoder_rows *rows = &run->rows;
    const size_t num_heads = (size_t)config->num_heads;
    const size_t head_size = (size_t)config->hidden_size / num_heads;
    float scale = config->scale_by_head_size ? 1.0f / sqrtf((float)head_size) : 1.0f;
    if (config->scale_by_layer)
        scale /= (float)(layer + 1);
    struct causal_attention attention = {
        .query_key_value = run->inner,
        .context = run->normed,
        .num_heads = num_heads,
        .head_size = head_size,
        .scale = scale,
        .page_positions = rows->page_positions,
        .page_offset = rows->slots == NULL ? 0
                                           : layer * past_layer_bytes(decoder->kernels, num_heads,
                                                                      head_size, PAST_PAGE),
        .sequences = rows->sequences,
        .n_sequences = rows->n_sequences,
        .workspace = run->workspace};
    causal_attention_run(decoder->kernels, &attention);
    linear_runner_count(run->runner, attention_multiply_adds(rows, (size_t)config->hidden_size));
}

static void linear(const struct decoder_run *run, const struct linear *weights, const float *x,
                   float *y)
{
    linear_run(run->runner, weights, x, run->rows.n_rows, run->capacity, y);
}

/* Rows behind n_rows are computed along: they begin as zeros, so that they stay numbers. */
static void clear_spare_rows(const struct decoder *decoder, const struct decoder_run *run)
{
    const size_t hidden = (size_t)decoder->config.hidden_size, n_rows = run->rows.n_rows;
    const size_t size_bytes = (run->capacity - n_rows) * hidden * sizeof(float);
    memset(run->hidden + n_rows * hidden, 0, size_bytes);
    memset(run->normed + n_rows * hidden, 0, size_bytes);
}

void decoder_forward(const struct decoder *decoder, const struct decoder_run *run)
{
    const size_t n_rows = run->rows.n_rows;
    clear_spare_rows(decoder, run);
    for (size_t i = 0; i < (size_t)decoder->config.num_layers; i++) {
        const struct decoder_layer *layer = &decoder->layers[i];
        layer_norm_rows(decoder->kernels, &layer->attention_norm, run->hidden, run->normed, n_rows);
        linear(run, layer->query_key_value, run->normed, run->inner);
        if (linear_runner_status(run->runner) != MODEL_OK)
            return;
        attend(decoder, run, i);
        linear(run, layer->attention_output, run->normed, run->hidden); /* hidden += */
        layer_norm_rows(decoder->kernels, &layer->inner_norm, run->hidden, run->normed, n_rows);
        linear(run, layer->intermediate, run->normed, run->inner);
        linear(run, layer->output, run->inner, run->hidden); /* hidden += */
    }
}
