/* bert_reference_harness.c - see bert_reference_harness.h. */
#include "bert_reference_harness.h"

#include "dtype.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct toy toy_default = {.hidden = 24,
                                .inner = 40,
                                .layers = 2,
                                .heads = 3,
                                .vocab = 50,
                                .positions = 20,
                                .types = 3,
                                .prefix = "bert.",
                                .activation = "gelu",
                                .dtype = MODEL_F32,
                                .pooler = true,
                                .threads = 1};

double toy_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-52 - 1.0;
}

/* ---- writing weights */

/* Truncated rather than rounded: any representable number will do as a weight. */
static uint16_t half_of(double x)
{
    int exponent = 0;
    double m = frexp(fabs(x), &exponent); /* in [0.5, 1) */
    uint16_t sign = x < 0 ? 0x8000 : 0;
    if (exponent < -13) /* subnormal */
        return (uint16_t)(sign | (uint16_t)ldexp(fabs(x), 24));
    return (uint16_t)(sign | (uint16_t)((exponent + 14) << 10) | (uint16_t)((m - 0.5) * 2048));
}

static void add_random(struct harness *h, int32_t dtype, double mean, double spread, uint32_t rank,
                       const int64_t *shape, const char *format, ...)
    __attribute__((format(printf, 7, 8)));
static void add_random(struct harness *h, int32_t dtype, double mean, double spread, uint32_t rank,
                       const int64_t *shape, const char *format, ...)
{
    char name[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    size_t n = (size_t)shape[0] * (size_t)(rank > 1 ? shape[1] : 1);
    char *data = malloc(n * 8);
    uint64_t seed = 1469598103934665603u;
    for (const char *c = name; *c != '\0'; c++)
        seed = (seed ^ (uint8_t)*c) * 1099511628211u;
    for (size_t i = 0; i < n; i++) {
        double value = mean + spread * toy_random(&seed);
        float single = (float)value;
        uint32_t bits;
        memcpy(&bits, &single, sizeof bits);
        if (dtype == MODEL_F64)
            ((double *)(void *)data)[i] = value;
        else if (dtype == MODEL_F32)
            ((float *)(void *)data)[i] = single;
        else
            ((uint16_t *)(void *)data)[i] =
                dtype == MODEL_BF16 ? (uint16_t)(bits >> 16) : half_of(value);
    }
    harness_add(h, name, dtype, rank, shape, data);
    free(data);
}

static void add_linear(struct harness *h, const struct toy *toy, const char *name, int64_t out,
                       int64_t in)
{
    add_random(h, toy->dtype, 0, 1.7 / sqrt((double)in), 2, (int64_t[]){out, in}, "%s.weight",
               name);
    add_random(h, toy->dtype, 0, 0.5, 1, &out, "%s.bias", name);
}

static void add_norm(struct harness *h, const struct toy *toy, const char *name)
{
    add_random(h, toy->dtype, 1, 0.5, 1, &toy->hidden, "%s.%s", name,
               toy->gamma ? "gamma" : "weight");
    add_random(h, toy->dtype, 0, 0.5, 1, &toy->hidden, "%s.%s", name, toy->gamma ? "beta" : "bias");
}

static const char *format_name(char name[256], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static const char *format_name(char name[256], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(name, 256, format, arguments);
    va_end(arguments);
    return name;
}

static void add_heads(struct harness *h, const struct toy *toy)
{
    char name[256];
    int64_t hidden = toy->hidden;
    if (toy->pooler)
        add_linear(h, toy, format_name(name, "%spooler.dense", toy->prefix), hidden, hidden);
    if (toy->next)
        add_linear(h, toy, "cls.seq_relationship", 2, hidden);
    if (toy->classifier != NULL)
        add_linear(h, toy, toy->classifier, toy->labels, hidden);
    if (!toy->predictions)
        return;
    add_linear(h, toy, "cls.predictions.transform.dense", hidden, hidden);
    add_norm(h, toy, "cls.predictions.transform.LayerNorm");
    add_random(h, toy->dtype, 0, 0.5, 1, &toy->vocab, "cls.predictions.%sbias",
               toy->decoder_bias ? "decoder." : "");
    if (toy->own_decoder)
        add_random(h, toy->dtype, 0, 0.5, 2, (int64_t[]){toy->vocab, hidden},
                   "cls.predictions.decoder.weight");
}

char *toy_config(const struct toy *toy, const char *more)
{
    char *text = malloc(2048), class[128] = "";
    if (toy->class != NULL)
        (void)snprintf(class, sizeof class, "\"architectures\": [\"%s\"],", toy->class);
    (void)snprintf(
        text, 2048,
        "{%s %s \"model_type\": \"bert\", \"hidden_size\": %d, \"intermediate_size\": %d,"
        " \"num_hidden_layers\": %d, \"num_attention_heads\": %d, \"vocab_size\": %d,"
        " \"max_position_embeddings\": %d, \"type_vocab_size\": %d,"
        " \"hidden_act\": \"%s\", \"layer_norm_eps\": 0.001}",
        more, class, (int)toy->hidden, (int)toy->inner, (int)toy->layers, (int)toy->heads,
        (int)toy->vocab, (int)toy->positions, (int)toy->types, toy->activation);
    return text;
}

struct harness *toy_create(const struct toy *toy)
{
    char name[256], *config = toy_config(toy, "");
    const char *p = toy->prefix;
    int64_t hidden = toy->hidden;
    struct harness *h = harness_create("bert", config, toy->threads);
    free(config);
    const struct {
        const char *name;
        int64_t rows;
    } tables[] = {{"word", toy->vocab}, {"position", toy->positions}, {"token_type", toy->types}};
    for (size_t i = 0; i < 3; i++)
        add_random(h, toy->dtype, 0, 1, 2, (int64_t[]){tables[i].rows, hidden},
                   "%sembeddings.%s_embeddings.weight", p, tables[i].name);
    add_norm(h, toy, format_name(name, "%sembeddings.LayerNorm", p));
    static const char *const dense[] = {"attention.self.query", "attention.self.key",
                                        "attention.self.value", "attention.output.dense",
                                        "intermediate.dense",   "output.dense"};
    for (int i = 0; i < (int)toy->layers; i++) {
        for (size_t j = 0; j < 6; j++)
            add_linear(h, toy, format_name(name, "%sencoder.layer.%d.%s", p, i, dense[j]),
                       j == 4 ? toy->inner : hidden, j == 5 ? toy->inner : hidden);
        add_norm(h, toy, format_name(name, "%sencoder.layer.%d.attention.output.LayerNorm", p, i));
        add_norm(h, toy, format_name(name, "%sencoder.layer.%d.output.LayerNorm", p, i));
    }
    add_heads(h, toy);
    return h;
}

/* ---- reading weights */

static double element(const struct model_tensor *tensor, size_t i)
{
    if (tensor->dtype == MODEL_F64)
        return ((const double *)tensor->data)[i];
    if (tensor->dtype == MODEL_F32)
        return (double)((const float *)tensor->data)[i];
    uint16_t bits = ((const uint16_t *)tensor->data)[i];
    double sign = bits & 0x8000 ? -1.0 : 1.0;
    int bf16 = tensor->dtype == MODEL_BF16;
    int exponent = bf16 ? (bits >> 7) & 0xFF : (bits >> 10) & 0x1F;
    double fraction = bf16 ? (bits & 0x7F) / 128.0 : (bits & 0x3FF) / 1024.0;
    int bias = bf16 ? 127 : 15;
    return sign *
           (exponent == 0 ? ldexp(fraction, 1 - bias) : ldexp(1.0 + fraction, exponent - bias));
}

static const struct model_tensor *weight(const struct harness *h, const char *name)
{
    const struct model_tensor *tensor = harness_tensor(h, name);
    if (tensor == NULL)
        fail_msg("the test has no weight %s", name);
    return tensor;
}

double *toy_linear(const struct harness *h, const char *weight_name, const char *bias_name,
                   const double *x, int64_t rows)
{
    const struct model_tensor *w = weight(h, weight_name);
    const struct model_tensor *b = bias_name == NULL ? NULL : weight(h, bias_name);
    size_t out = (size_t)w->shape[0], in = (size_t)w->shape[1];
    double *y = calloc((size_t)rows * out, sizeof *y);
    for (size_t r = 0; r < (size_t)rows; r++) {
        for (size_t o = 0; o < out; o++) {
            double sum = b == NULL ? 0 : element(b, o);
            for (size_t i = 0; i < in; i++)
                sum += x[r * in + i] * element(w, o * in + i);
            y[r * out + o] = sum;
        }
    }
    return y;
}

static double *dense(const struct harness *h, const char *name, const double *x, int64_t rows)
{
    char w[256], b[256];
    format_name(w, "%s.weight", name);
    format_name(b, "%s.bias", name);
    return toy_linear(h, w, b, x, rows);
}

static void normalise(const struct harness *h, const struct toy *toy, const char *name, double *x,
                      int64_t rows)
{
    char w[256], b[256];
    size_t n = (size_t)toy->hidden;
    format_name(w, "%s.%s", name, toy->gamma ? "gamma" : "weight");
    format_name(b, "%s.%s", name, toy->gamma ? "beta" : "bias");
    for (size_t r = 0; r < (size_t)rows; r++, x += n) {
        double mean = 0, variance = 0;
        for (size_t i = 0; i < n; i++)
            mean += x[i] / (double)n;
        for (size_t i = 0; i < n; i++)
            variance += (x[i] - mean) * (x[i] - mean) / (double)n;
        for (size_t i = 0; i < n; i++)
            x[i] = (x[i] - mean) / sqrt(variance + 0.001) * element(weight(h, w), i) +
                   element(weight(h, b), i);
    }
}

double toy_activation(const char *name, double x)
{
    double sigmoid = 1 / (1 + exp(-x)), gelu = x * 0.5 * erfc(-x / sqrt(2));
    if (strcmp(name, "gelu") == 0 || strcmp(name, "gelu_python") == 0)
        return gelu;
    if (strcmp(name, "gelu_10") == 0)
        return fmax(-10, fmin(10, gelu));
    if (strcmp(name, "gelu_new") == 0 || strcmp(name, "gelu_pytorch_tanh") == 0 ||
        strcmp(name, "gelu_accurate") == 0)
        return 0.5 * x * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
    if (strcmp(name, "gelu_fast") == 0)
        return 0.5 * x * (1 + tanh(x * 0.7978845608 * (1 + 0.044715 * x * x)));
    if (strcmp(name, "quick_gelu") == 0)
        return x / (1 + exp(-1.702 * x));
    if (strcmp(name, "relu") == 0)
        return fmax(x, 0);
    if (strcmp(name, "relu2") == 0)
        return fmax(x, 0) * fmax(x, 0);
    if (strcmp(name, "relu6") == 0)
        return fmin(fmax(x, 0), 6);
    if (strcmp(name, "leaky_relu") == 0)
        return x > 0 ? x : 0.01 * x;
    if (strcmp(name, "sigmoid") == 0)
        return sigmoid;
    if (strcmp(name, "silu") == 0 || strcmp(name, "swish") == 0)
        return x * sigmoid;
    if (strcmp(name, "mish") == 0)
        return x * tanh(log1p(exp(x)));
    if (strcmp(name, "tanh") == 0)
        return tanh(x);
    if (strcmp(name, "laplace") == 0)
        return 0.5 * (1 + erf((x - 0.707107) / (0.282095 * sqrt(2))));
    assert_string_equal(name, "linear");
    return x;
}

/* ---- the model */

static double *embed(const struct harness *h, const struct toy *toy,
                     const struct harness_inputs *inputs)
{
    char name[256];
    size_t n = (size_t)toy->hidden, sequence = (size_t)inputs->sequence;
    size_t rows = (size_t)inputs->batch * sequence;
    double *x = calloc(rows * n, sizeof *x);
    const struct model_tensor *tables[3];
    static const char *const names[] = {"word", "token_type", "position"};
    for (size_t i = 0; i < 3; i++)
        tables[i] = weight(
            h, format_name(name, "%sembeddings.%s_embeddings.weight", toy->prefix, names[i]));
    for (size_t r = 0; r < rows; r++) {
        size_t ids[] = {(size_t)inputs->input_ids[r],
                        inputs->token_type_ids == NULL ? 0 : (size_t)inputs->token_type_ids[r],
                        inputs->position_ids == NULL ? r % sequence
                                                     : (size_t)inputs->position_ids[r]};
        for (size_t i = 0; i < n; i++)
            x[r * n + i] = element(tables[0], ids[0] * n + i) + element(tables[1], ids[1] * n + i) +
                           element(tables[2], ids[2] * n + i);
    }
    normalise(h, toy, format_name(name, "%sembeddings.LayerNorm", toy->prefix), x, (int64_t)rows);
    return x;
}

/* One query of one head; hidden keys weigh exactly nothing, as exp(-3.4e38) does. */
static void attend(const double *q, const double *k, const double *v, const int64_t *mask,
                   size_t sequence, size_t width, size_t head, double *context)
{
    double weights[64], sum = 0, max = -INFINITY;
    for (size_t j = 0; j < sequence; j++) {
        weights[j] = 0;
        for (size_t d = 0; d < head; d++)
            weights[j] += q[d] * k[j * width + d] / sqrt((double)head);
        if (mask != NULL && mask[j] == 0)
            weights[j] = -INFINITY;
        max = fmax(max, weights[j]);
    }
    for (size_t j = 0; j < sequence; j++)
        sum += weights[j] = max == -INFINITY ? 0 : exp(weights[j] - max);
    for (size_t d = 0; d < head; d++) {
        context[d] = 0;
        for (size_t j = 0; j < sequence && sum > 0; j++)
            context[d] += weights[j] / sum * v[j * width + d];
    }
}

static void layer(const struct harness *h, const struct toy *toy,
                  const struct harness_inputs *inputs, int index, double *x)
{
    char name[256], prefix[128];
    (void)snprintf(prefix, sizeof prefix, "%sencoder.layer.%d", toy->prefix, index);
    size_t n = (size_t)toy->hidden, head = n / (size_t)toy->heads;
    size_t sequence = (size_t)inputs->sequence;
    int64_t rows = inputs->batch * inputs->sequence;
    double *q = dense(h, format_name(name, "%s.attention.self.query", prefix), x, rows);
    double *k = dense(h, format_name(name, "%s.attention.self.key", prefix), x, rows);
    double *v = dense(h, format_name(name, "%s.attention.self.value", prefix), x, rows);
    double *context = calloc((size_t)rows * n, sizeof *context);
    for (size_t r = 0; r < (size_t)rows; r++) {
        size_t first = r / sequence * sequence;
        for (size_t c = 0; c < n; c += head)
            attend(q + r * n + c, k + first * n + c, v + first * n + c,
                   inputs->attention_mask == NULL ? NULL : inputs->attention_mask + first, sequence,
                   n, head, context + r * n + c);
    }
    double *y = dense(h, format_name(name, "%s.attention.output.dense", prefix), context, rows);
    for (size_t i = 0; i < (size_t)rows * n; i++)
        x[i] += y[i];
    normalise(h, toy, format_name(name, "%s.attention.output.LayerNorm", prefix), x, rows);
    double *inner = dense(h, format_name(name, "%s.intermediate.dense", prefix), x, rows);
    for (size_t i = 0; i < (size_t)(rows * toy->inner); i++)
        inner[i] = toy_activation(toy->activation, inner[i]);
    double *z = dense(h, format_name(name, "%s.output.dense", prefix), inner, rows);
    for (size_t i = 0; i < (size_t)rows * n; i++)
        x[i] += z[i];
    normalise(h, toy, format_name(name, "%s.output.LayerNorm", prefix), x, rows);
    double *all[] = {q, k, v, context, y, inner, z};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]);
}

double *toy_hidden(const struct harness *h, const struct toy *toy,
                   const struct harness_inputs *inputs)
{
    double *x = embed(h, toy, inputs);
    for (int i = 0; i < (int)toy->layers; i++)
        layer(h, toy, inputs, i, x);
    return x;
}

double *toy_pooled(const struct harness *h, const struct toy *toy, const double *hidden,
                   int64_t batch, int64_t sequence)
{
    char name[256];
    size_t n = (size_t)toy->hidden;
    double *first = calloc((size_t)batch * n, sizeof *first);
    for (size_t b = 0; b < (size_t)batch; b++)
        memcpy(first + b * n, hidden + b * (size_t)sequence * n, n * sizeof *first);
    double *y = dense(h, format_name(name, "%spooler.dense", toy->prefix), first, batch);
    for (size_t i = 0; i < (size_t)batch * n; i++)
        y[i] = tanh(y[i]);
    free(first);
    return y;
}

double *toy_transform(const struct harness *h, const struct toy *toy, const double *hidden,
                      int64_t rows)
{
    double *y = dense(h, "cls.predictions.transform.dense", hidden, rows);
    for (size_t i = 0; i < (size_t)(rows * toy->hidden); i++)
        y[i] = toy_activation(toy->activation, y[i]);
    normalise(h, toy, "cls.predictions.transform.LayerNorm", y, rows);
    return y;
}
