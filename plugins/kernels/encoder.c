/* encoder.c - see encoder.h. */
#include "kernels_internal.h"

#include <string.h>

struct encoder_config encoder_config_read(struct config_reader *reader)
{
    const int64_t must = CONFIG_REQUIRED;
    struct encoder_config config = {
        .hidden_size = config_integer(reader, "hidden_size", 1, 1 << 16, must),
        .intermediate_size = config_integer(reader, "intermediate_size", 1, 1 << 18, must),
        .num_layers = config_integer(reader, "num_hidden_layers", 1, 1 << 10, must),
        .num_heads = config_integer(reader, "num_attention_heads", 1, 1 << 16, must),
        .activation = config_activation(reader, "hidden_act", ACTIVATION_GELU),
        .layer_norm_eps = config_number(reader, "layer_norm_eps", 0, 1, 1e-12),
    };
    if (reader->status == MODEL_OK && config.hidden_size % config.num_heads != 0)
        reader->status = kernels_fail(reader->err, MODEL_INVALID_ARGUMENT,
                                      "config.json: 'hidden_size' is %lld, want a multiple of "
                                      "'num_attention_heads', which is %lld",
                                      (long long)config.hidden_size, (long long)config.num_heads);
    return config;
}

static void load_layer(struct loader *loader, const struct encoder_config *config,
                       const struct encoder_names *names, const char *name,
                       struct encoder_layer *ret)
{
    const double eps = config->layer_norm_eps;
    const int64_t hidden = config->hidden_size, inner = config->intermediate_size;
    const struct linear_shape query_key_value = {3 * hidden, hidden, .accumulate = false};
    const struct linear_shape attention_output = {hidden, hidden, .accumulate = true};
    const struct linear_shape intermediate = {inner, hidden, .activation = config->activation};
    const struct linear_shape output = {hidden, inner, .accumulate = true};
    ret->query_key_value =
        load_stacked(loader, query_key_value, names->query_key_value, "%s", name);
    ret->attention_output =
        load_linear(loader, attention_output, "%s.%s", name, names->attention_output);
    ret->attention_norm =
        load_layer_norm(loader, hidden, eps, "%s.%s", name, names->attention_norm);
    ret->intermediate = load_linear(loader, intermediate, "%s.%s", name, names->intermediate);
    ret->output = load_linear(loader, output, "%s.%s", name, names->output);
    ret->output_norm = load_layer_norm(loader, hidden, eps, "%s.%s", name, names->output_norm);
}

struct encoder encoder_load(struct loader *loader, const struct encoder_config *config,
                            const struct encoder_names *names, const char *prefix)
{
    struct encoder encoder = {.config = *config, .kernels = loader->kernels};
    char name[WEIGHT_NAME_BYTES];
    encoder.layers =
        kernels_allocate(loader->kernels, (size_t)config->num_layers * sizeof *encoder.layers);
    if (encoder.layers == NULL && loader->status == MODEL_OK)
        loader->status = kernels_no_memory(loader->err, "the layers");
    for (int64_t i = 0; i < config->num_layers && loader->status == MODEL_OK; i++) {
        weight_name(name, "%s%lld", prefix, (long long)i);
        load_layer(loader, config, names, name, &encoder.layers[i]);
    }
    return encoder;
}

void encoder_layout(const struct encoder *encoder, size_t n_rows, size_t n_sequences,
                    size_t sequence_length, struct scratch *scratch, struct encoder_run *ret)
{
    const size_t hidden = (size_t)encoder->config.hidden_size;
    const size_t head_size = hidden / (size_t)encoder->config.num_heads;
    size_t inner = (size_t)encoder->config.intermediate_size;
    inner = inner > 4 * hidden ? inner : 4 * hidden;
    ret->capacity = linear_row_capacity(n_rows);
    ret->rows.source = scratch_take(scratch, n_rows, sizeof *ret->rows.source);
    ret->rows.sequences = scratch_take(scratch, n_sequences, sizeof *ret->rows.sequences);
    ret->hidden = scratch_take(scratch, ret->capacity, hidden * sizeof(float));
    ret->inner = scratch_take(scratch, ret->capacity, inner * sizeof(float));
    ret->workspace = scratch_take(
        scratch, attention_workspace_bytes(encoder->kernels, head_size, sequence_length), 1);
    ret->query_key_value = ret->inner;
    ret->context = ret->inner == NULL ? NULL : ret->inner + ret->capacity * 3 * hidden;
}

void encoder_linear(const struct encoder_run *run, const struct linear *linear, const float *x,
                    float *y)
{
    linear_run(run->runner, linear, x, run->rows.n_rows, run->capacity, y);
}

void encoder_norm(const struct encoder *encoder, const struct encoder_run *run,
                  const struct layer_norm *norm, float *x)
{
    layer_norm_rows(encoder->kernels, norm, x, x, run->rows.n_rows);
}

void encoder_scatter(const struct encoder_run *run, const struct linear *linear, const float *x,
                     float *block, float *y)
{
    packed_rows_linear(&run->rows, run->runner, linear, x, run->capacity, block, y);
}

/* Scores, and what they weigh, of each row and the keys that it sees. */
static size_t attention_multiply_adds(const struct packed_rows *rows, size_t hidden)
{
    size_t pairs = 0;
    for (size_t i = 0; i < rows->n_sequences; i++)
        pairs += rows->sequences[i].n_rows * rows->sequences[i].n_keys;
    return 2 * pairs * hidden;
}

static void forward_layer(const struct encoder *encoder, const struct encoder_run *run,
                          const struct encoder_layer *layer)
{
    const size_t num_heads = (size_t)encoder->config.num_heads;
    const size_t head_size = (size_t)encoder->config.hidden_size / num_heads;
    float *x = run->hidden;
    encoder_linear(run, layer->query_key_value, x, run->query_key_value);
    packed_rows_attend(encoder->kernels, &run->rows, run->query_key_value, num_heads, head_size,
                       run->workspace, run->context);
    linear_runner_count(run->runner, attention_multiply_adds(&run->rows, num_heads * head_size));
    encoder_linear(run, layer->attention_output, run->context, x); /* x += */
    encoder_norm(encoder, run, &layer->attention_norm, x);
    encoder_linear(run, layer->intermediate, x, run->inner);
    encoder_linear(run, layer->output, run->inner, x); /* x += */
    encoder_norm(encoder, run, &layer->output_norm, x);
}

/* Rows behind n_rows are computed along: they begin as zeros, so that they stay numbers. */
static void clear_spare_rows(const struct encoder *encoder, const struct encoder_run *run)
{
    const size_t hidden = (size_t)encoder->config.hidden_size, n_rows = run->rows.n_rows;
    const size_t size_bytes = (run->capacity - n_rows) * hidden * sizeof(float);
    memset(run->hidden + n_rows * hidden, 0, size_bytes);
    memset(run->context + n_rows * hidden, 0, size_bytes);
}

void encoder_forward(const struct encoder *encoder, const struct encoder_run *run)
{
    clear_spare_rows(encoder, run);
    for (int64_t i = 0; i < encoder->config.num_layers; i++) {
        if (linear_runner_status(run->runner) != MODEL_OK)
            return;
        forward_layer(encoder, run, &encoder->layers[i]);
    }
}
