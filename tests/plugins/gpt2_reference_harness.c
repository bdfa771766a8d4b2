/* gpt2_reference_harness.c - see gpt2_reference_harness.h. */
#include "gpt2_reference_harness.h"

#include "bert_reference_harness.h" /* toy_activation(), toy_random() */

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOLERANCE 2e-5

const struct gpt gpt_default = {.hidden = 24,
                                .layers = 3,
                                .heads = 3,
                                .vocab = 50,
                                .positions = 150,
                                .labels = 4,
                                .pad = -1,
                                .prefix = "transformer.",
                                .activation = "gelu_new",
                                .class = "GPT2LMHeadModel",
                                .dtype = MODEL_F32,
                                .eps = 1e-3,
                                .threads = 1};

/* ---- weights */

/* f16 numbers are cut to what the format holds. */
static uint16_t half_bits(double x)
{
    int exponent = 0;
    double m = frexp(fabs(x), &exponent);
    uint16_t sign = x < 0 ? 0x8000 : 0;
    if (exponent < -13)
        return (uint16_t)(sign | (uint16_t)ldexp(fabs(x), 24));
    return (uint16_t)(sign | (uint16_t)((exponent + 14) << 10) | (uint16_t)((m - 0.5) * 2048));
}

static double half_value(uint16_t bits)
{
    int exponent = bits >> 10 & 31;
    double m = bits & 1023, sign = bits & 0x8000 ? -1 : 1;
    return sign * (exponent == 0 ? ldexp(m, -24) : ldexp(m + 1024, exponent - 25));
}

static const char *name_of(const struct gpt *gpt, char name[256], const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static const char *name_of(const struct gpt *gpt, char name[256], const char *format, ...)
{
    va_list arguments;
    int used = snprintf(name, 256, "%s", gpt->prefix);
    va_start(arguments, format);
    (void)vsnprintf(name + used, 256 - (size_t)used, format, arguments);
    va_end(arguments);
    return name;
}

static void add(struct harness *h, const struct gpt *gpt, const char *name, double mean,
                double spread, int64_t rows, int64_t columns)
{
    const size_t n = (size_t)(rows * (columns > 0 ? columns : 1));
    char *data = malloc(n * 8);
    uint64_t seed = 99;
    for (const char *c = name; *c != '\0'; c++)
        seed = seed * 31 + (uint8_t)*c;
    for (size_t i = 0; i < n; i++) {
        double value = mean + spread * toy_random(&seed);
        float single = (float)value;
        uint32_t bits;
        memcpy(&bits, &single, sizeof bits);
        if (gpt->dtype == MODEL_F64)
            ((double *)(void *)data)[i] = value;
        else if (gpt->dtype == MODEL_F32)
            ((float *)(void *)data)[i] = single;
        else
            ((uint16_t *)(void *)data)[i] =
                gpt->dtype == MODEL_BF16 ? (uint16_t)(bits >> 16) : half_bits(value);
    }
    harness_add(h, name, gpt->dtype, columns > 0 ? 2 : 1, (int64_t[]){rows, columns}, data);
    free(data);
}

static void add_pair(struct harness *h, const struct gpt *gpt, const char *name, int64_t in,
                     int64_t out)
{
    char full[300];
    (void)snprintf(full, sizeof full, "%s.weight", name);
    if (out > 0)
        add(h, gpt, full, 0, 1.7 / sqrt((double)in), in, out);
    else
        add(h, gpt, full, 1, 0.5, in, 0);
    (void)snprintf(full, sizeof full, "%s.bias", name);
    add(h, gpt, full, 0, 0.5, out > 0 ? out : in, 0);
}

static int64_t inner_size(const struct gpt *gpt)
{
    return gpt->inner > 0 ? gpt->inner : 4 * gpt->hidden;
}

char *gpt_config(const struct gpt *gpt, const char *more)
{
    char *text = malloc(2048), class[128] = "", inner[32] = "null", pad[64] = "";
    if (gpt->class != NULL)
        (void)snprintf(class, sizeof class, "\"architectures\": [\"%s\"],", gpt->class);
    if (gpt->inner > 0)
        (void)snprintf(inner, sizeof inner, "%d", (int)gpt->inner);
    if (gpt->pad >= 0)
        (void)snprintf(pad, sizeof pad, "\"pad_token_id\": %d,", (int)gpt->pad);
    (void)snprintf(text, 2048,
                   "{%s %s %s \"model_type\": \"gpt2\", \"n_embd\": %d, \"n_inner\": %s,"
                   " \"n_layer\": %d, \"n_head\": %d, \"vocab_size\": %d, \"n_positions\": %d,"
                   " \"num_labels\": %d, \"activation_function\": \"%s\","
                   " \"layer_norm_epsilon\": %g, \"scale_attn_weights\": %s,"
                   " \"scale_attn_by_inverse_layer_idx\": %s, \"reorder_and_upcast_attn\": %s,"
                   " \"tie_word_embeddings\": %s}",
                   more, class, pad, (int)gpt->hidden, inner, (int)gpt->layers, (int)gpt->heads,
                   (int)gpt->vocab, (int)gpt->positions, (int)gpt->labels, gpt->activation,
                   gpt->eps, gpt->plain_scores ? "false" : "true", gpt->by_layer ? "true" : "false",
                   gpt->upcast ? "true" : "false", gpt->untied ? "false" : "true");
    return text;
}

static void add_layer(struct harness *h, const struct gpt *gpt, int layer)
{
    const int64_t n = gpt->hidden, inner = inner_size(gpt);
    char name[256];
    const int64_t one[] = {1, 1, 1, 1};
    const float mask = 1;
    add_pair(h, gpt, name_of(gpt, name, "h.%d.ln_1", layer), n, 0);
    add_pair(h, gpt, name_of(gpt, name, "h.%d.attn.c_attn", layer), n, 3 * n);
    add_pair(h, gpt, name_of(gpt, name, "h.%d.attn.c_proj", layer), n, n);
    add_pair(h, gpt, name_of(gpt, name, "h.%d.ln_2", layer), n, 0);
    add_pair(h, gpt, name_of(gpt, name, "h.%d.mlp.c_fc", layer), n, inner);
    add_pair(h, gpt, name_of(gpt, name, "h.%d.mlp.c_proj", layer), inner, n);
    if (!gpt->buffers)
        return;
    harness_add(h, name_of(gpt, name, "h.%d.attn.bias", layer), MODEL_U8, 4, one, &mask);
    harness_add(h, name_of(gpt, name, "h.%d.attn.masked_bias", layer), MODEL_F32, 0, one, &mask);
}

struct harness *gpt_create(const struct gpt *gpt)
{
    char name[256], *config = gpt_config(gpt, "");
    struct harness *h = harness_create("gpt2", config, gpt->threads);
    free(config);
    if (!gpt->word_under_head)
        add(h, gpt, name_of(gpt, name, "wte.weight"), 0, 1, gpt->vocab, gpt->hidden);
    add(h, gpt, name_of(gpt, name, "wpe.weight"), 0, 1, gpt->positions, gpt->hidden);
    for (int i = 0; i < gpt->layers; i++)
        add_layer(h, gpt, i);
    add_pair(h, gpt, name_of(gpt, name, "ln_f"), gpt->hidden, 0);
    if (gpt->own_head || gpt->word_under_head)
        add(h, gpt, "lm_head.weight", 0, 0.5, gpt->vocab, gpt->hidden);
    if (gpt->score)
        add(h, gpt, "score.weight", 0, 0.5, gpt->labels, gpt->hidden);
    return h;
}

struct harness *gpt_loaded(const struct gpt *gpt)
{
    struct harness *h = gpt_create(gpt);
    if (harness_load(h) != MODEL_OK)
        fail_msg("%s", h->err.message);
    return h;
}

/* ---- the formulas */

static const struct model_tensor *weight(const struct harness *h, const char *name)
{
    const struct model_tensor *tensor = harness_tensor(h, name);
    if (tensor == NULL)
        fail_msg("the reference has no weight '%s'", name);
    return tensor;
}

static double element(const struct model_tensor *tensor, size_t i)
{
    uint32_t bits;
    float value;
    if (tensor->dtype == MODEL_F64)
        return ((const double *)tensor->data)[i];
    if (tensor->dtype == MODEL_F32)
        return (double)((const float *)tensor->data)[i];
    if (tensor->dtype == MODEL_F16)
        return half_value(((const uint16_t *)tensor->data)[i]);
    bits = (uint32_t)((const uint16_t *)tensor->data)[i] << 16;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

/* Conv1D: x(rows, in) W(in, out) + b. */
static double *conv1d(const struct harness *h, const char *name, const double *x, size_t rows)
{
    char full[300];
    (void)snprintf(full, sizeof full, "%s.weight", name);
    const struct model_tensor *w = weight(h, full);
    (void)snprintf(full, sizeof full, "%s.bias", name);
    const struct model_tensor *b = weight(h, full);
    const size_t in = (size_t)w->shape[0], out = (size_t)w->shape[1];
    double *y = calloc(rows * out, sizeof *y);
    for (size_t r = 0; r < rows; r++)
        for (size_t o = 0; o < out; o++) {
            y[r * out + o] = element(b, o);
            for (size_t i = 0; i < in; i++)
                y[r * out + o] += x[r * in + i] * element(w, i * out + o);
        }
    return y;
}

static double *normalised(const struct harness *h, const struct gpt *gpt, const char *name,
                          const double *x, size_t rows)
{
    char full[300];
    (void)snprintf(full, sizeof full, "%s.weight", name);
    const struct model_tensor *gamma = weight(h, full);
    (void)snprintf(full, sizeof full, "%s.bias", name);
    const struct model_tensor *beta = weight(h, full);
    const size_t n = (size_t)gpt->hidden;
    double *y = calloc(rows * n, sizeof *y);
    for (size_t r = 0; r < rows; r++) {
        double mean = 0, variance = 0;
        for (size_t i = 0; i < n; i++)
            mean += x[r * n + i] / (double)n;
        for (size_t i = 0; i < n; i++)
            variance += (x[r * n + i] - mean) * (x[r * n + i] - mean) / (double)n;
        for (size_t i = 0; i < n; i++)
            y[r * n + i] = (x[r * n + i] - mean) / sqrt(variance + gpt->eps) * element(gamma, i) +
                           element(beta, i);
    }
    return y;
}

/* One query of one head of a sequence whose queries, keys and values are qkv(sequence, 3, hidden). */
static void attend(const struct gpt *gpt, const double *qkv, const int64_t *mask, size_t position,
                   size_t first, double divisor, double *context)
{
    const size_t n = (size_t)gpt->hidden, head = n / (size_t)gpt->heads;
    double *scores = calloc(position + 1, sizeof *scores), sum = 0, max = -INFINITY;
    for (size_t j = 0; j <= position; j++) {
        for (size_t d = first; d < first + head; d++)
            scores[j] += qkv[position * 3 * n + d] * qkv[j * 3 * n + n + d] / divisor;
        if (mask != NULL && mask[j] == 0)
            scores[j] = -INFINITY;
        max = fmax(max, scores[j]);
    }
    for (size_t j = 0; j <= position; j++)
        sum += scores[j] = max == -INFINITY ? 0 : exp(scores[j] - max);
    for (size_t d = first; d < first + head; d++)
        for (size_t j = 0; j <= position && sum > 0; j++)
            context[d] += scores[j] / sum * qkv[j * 3 * n + 2 * n + d];
    free(scores);
}

static void add_to(double *x, double *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] += y[i];
    free(y);
}

static void layer(const struct harness *h, const struct gpt *gpt,
                  const struct harness_inputs *inputs, int index, double *x)
{
    char name[256];
    const size_t n = (size_t)gpt->hidden, sequence = (size_t)inputs->sequence;
    const size_t rows = (size_t)inputs->batch * sequence, head = n / (size_t)gpt->heads;
    double divisor = gpt->plain_scores ? 1 : sqrt((double)head);
    divisor *= gpt->by_layer ? index + 1 : 1;
    double *y = normalised(h, gpt, name_of(gpt, name, "h.%d.ln_1", index), x, rows);
    double *qkv = conv1d(h, name_of(gpt, name, "h.%d.attn.c_attn", index), y, rows);
    double *context = calloc(rows * n, sizeof *context);
    for (size_t r = 0; r < rows; r++) {
        const size_t first = r / sequence * sequence;
        for (size_t c = 0; c < n; c += head)
            attend(gpt, qkv + first * 3 * n,
                   inputs->attention_mask == NULL ? NULL : inputs->attention_mask + first,
                   r - first, c, divisor, context + r * n);
    }
    add_to(x, conv1d(h, name_of(gpt, name, "h.%d.attn.c_proj", index), context, rows), rows * n);
    free(y);
    y = normalised(h, gpt, name_of(gpt, name, "h.%d.ln_2", index), x, rows);
    double *inner = conv1d(h, name_of(gpt, name, "h.%d.mlp.c_fc", index), y, rows);
    for (size_t i = 0; i < rows * (size_t)inner_size(gpt); i++)
        inner[i] = toy_activation(gpt->activation, inner[i]);
    add_to(x, conv1d(h, name_of(gpt, name, "h.%d.mlp.c_proj", index), inner, rows), rows * n);
    free(inner);
    free(context);
    free(qkv);
    free(y);
}

double *gpt_hidden(const struct harness *h, const struct gpt *gpt,
                   const struct harness_inputs *inputs)
{
    char name[256];
    const size_t n = (size_t)gpt->hidden, sequence = (size_t)inputs->sequence;
    const size_t rows = (size_t)inputs->batch * sequence;
    double *x = calloc(rows * n, sizeof *x);
    const struct model_tensor *word =
        weight(h, gpt->word_under_head ? "lm_head.weight" : name_of(gpt, name, "wte.weight"));
    const struct model_tensor *position = weight(h, name_of(gpt, name, "wpe.weight"));
    for (size_t r = 0; r < rows; r++) {
        size_t id = (size_t)inputs->input_ids[r];
        size_t at = inputs->position_ids == NULL ? r % sequence : (size_t)inputs->position_ids[r];
        for (size_t i = 0; i < n; i++)
            x[r * n + i] = element(word, id * n + i) + element(position, at * n + i);
    }
    for (int i = 0; i < gpt->layers; i++)
        layer(h, gpt, inputs, i, x);
    double *y = normalised(h, gpt, name_of(gpt, name, "ln_f"), x, rows);
    free(x);
    return y;
}

double *gpt_head(const struct harness *h, const char *name, const double *x, size_t rows)
{
    const struct model_tensor *w = weight(h, name);
    const size_t out = (size_t)w->shape[0], in = (size_t)w->shape[1];
    double *y = calloc(rows * out, sizeof *y);
    for (size_t r = 0; r < rows; r++)
        for (size_t o = 0; o < out; o++)
            for (size_t i = 0; i < in; i++)
                y[r * out + o] += x[r * in + i] * element(w, o * in + i);
    return y;
}

const char *gpt_head_name(const struct gpt *gpt)
{
    if (gpt->untied || gpt->word_under_head)
        return "lm_head.weight";
    return gpt->prefix[0] != '\0' ? "transformer.wte.weight" : "wte.weight";
}

/* ---- comparing and running */

void gpt_assert_close(const char *what, const float *found, const double *want, size_t n)
{
    double worst = 0;
    for (size_t i = 0; i < n; i++) {
        double difference = fabs((double)found[i] - want[i]) / (1 + fabs(want[i]));
        worst = difference > worst || difference != difference ? difference : worst;
    }
    if (!(worst <= TOLERANCE))
        fail_msg("%s: differs by %g", what, worst);
}

void gpt_assert_rows(const char *what, const struct model_tensor *found, const double *want,
                     size_t width, const int64_t *mask)
{
    const float *x = found->data;
    for (size_t row = 0; row < found->size_bytes / sizeof(float) / width; row++) {
        if (mask == NULL || mask[row] != 0)
            gpt_assert_close(what, x + row * width, want + row * width, width);
        for (size_t i = 0; i < width && mask != NULL && mask[row] == 0; i++)
            assert_true(x[row * width + i] == 0);
    }
}

float *gpt_read(struct harness *h, int slot, const int64_t *ids, int64_t n, const char *name,
                model_status status)
{
    const uint32_t slots[] = {(uint32_t)slot};
    const char *const names[] = {name, NULL};
    struct harness_inputs inputs = {1, n, ids, NULL, NULL, NULL};
    struct harness_outputs outputs;
    float *copy = NULL;
    h->slots = slot >= 0 ? slots : NULL;
    model_status found = harness_run(h, &inputs, names, &outputs);
    h->slots = NULL;
    if (found != status)
        fail_msg("status %d: %s", (int)found, h->err.message);
    if (found == MODEL_OK) {
        copy = malloc(outputs.tensors[0].size_bytes);
        memcpy(copy, outputs.tensors[0].data, outputs.tensors[0].size_bytes);
    }
    harness_outputs_free(&outputs);
    return copy;
}

void gpt_keep(struct harness *h, uint32_t to, uint32_t from, int64_t n_tokens)
{
    int64_t kept = -1;
    if (h->instance->keep(h->instance, to, from, n_tokens, &kept, &h->err) != MODEL_OK)
        fail_msg("%s", h->err.message);
    assert_int_equal(kept, n_tokens);
}
