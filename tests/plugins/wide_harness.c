/* wide_harness.c - see wide_harness.h. */
#include "wide_harness.h"
#include "bert_reference_harness.h"
#include "gpt2_reference_harness.h"
#include "kernel_random.h"

#include <stdio.h>

static void add_random(struct harness *h, const char *name, uint32_t rank, const int64_t *shape)
{
    size_t n = 1;
    for (uint32_t i = 0; i < rank; i++)
        n *= (size_t)shape[i];
    float *numbers = random_floats(n, 0.1f);
    harness_add(h, name, MODEL_F32, rank, shape, numbers);
    free(numbers);
}

struct harness *wide_bert_create(void)
{
    struct toy toy = toy_default;
    toy.hidden = toy.vocab = 96;
    toy.inner = 128;
    toy.positions = 200;
    return toy_create(&toy);
}

struct harness *wide_gpt2_create(void)
{
    struct gpt gpt = gpt_default;
    gpt.hidden = gpt.vocab = 96;
    gpt.positions = 200;
    return gpt_create(&gpt);
}

struct harness *wide_lstm_create(void)
{
    enum { IN = 48, HIDDEN = 64, GATES = 4 * HIDDEN };
    struct harness *h = harness_create("lstm",
                                       "{\"model_type\": \"lstm\", \"input_size\": 48, "
                                       "\"hidden_size\": 64, \"num_layers\": 2, "
                                       "\"batch_first\": true}",
                                       1);
    for (int layer = 0; layer < 2; layer++) {
        const int64_t ih[] = {GATES, layer == 0 ? IN : HIDDEN}, hh[] = {GATES, HIDDEN};
        char name[32];
        (void)snprintf(name, sizeof name, "lstm.weight_ih_l%d", layer);
        add_random(h, name, 2, ih);
        (void)snprintf(name, sizeof name, "lstm.weight_hh_l%d", layer);
        add_random(h, name, 2, hh);
        (void)snprintf(name, sizeof name, "lstm.bias_ih_l%d", layer);
        add_random(h, name, 1, ih);
        (void)snprintf(name, sizeof name, "lstm.bias_hh_l%d", layer);
        add_random(h, name, 1, ih);
    }
    return h;
}

/* A convolution (out, in, k, k) and its batch norm, with variances that are none below 0. */
static void add_conv(struct harness *h, const char *name, int64_t out, int64_t in, int64_t k)
{
    static const char *const parts[] = {"weight", "bias", "running_mean", "running_var"};
    const int64_t shape[] = {out, in, k, k};
    float ones[128];
    char full[120];
    (void)snprintf(full, sizeof full, "resnet.%s.convolution.weight", name);
    add_random(h, full, 4, shape);
    for (size_t i = 0; i < 128; i++)
        ones[i] = 1;
    for (size_t i = 0; i < 4; i++) {
        (void)snprintf(full, sizeof full, "resnet.%s.normalization.%s", name, parts[i]);
        harness_add(h, full, MODEL_F32, 1, shape, ones);
    }
}

struct harness *wide_resnet_create(void)
{
    const int64_t head[] = {70, 128};
    struct harness *h =
        harness_create("resnet",
                       "{\"model_type\": \"resnet\", \"layer_type\": \"basic\", "
                       "\"hidden_act\": \"relu\", \"num_channels\": 3, \"embedding_size\": 64, "
                       "\"hidden_sizes\": [64, 128], \"depths\": [1, 1], \"num_labels\": 70, "
                       "\"architectures\": [\"ResNetForImageClassification\"]}",
                       1);
    add_conv(h, "embedder.embedder", 64, 3, 7);
    add_conv(h, "encoder.stages.0.layers.0.layer.0", 64, 64, 3);
    add_conv(h, "encoder.stages.0.layers.0.layer.1", 64, 64, 3);
    add_conv(h, "encoder.stages.1.layers.0.layer.0", 128, 64, 3);
    add_conv(h, "encoder.stages.1.layers.0.layer.1", 128, 128, 3);
    add_conv(h, "encoder.stages.1.layers.0.shortcut", 128, 64, 1);
    add_random(h, "classifier.1.weight", 2, head);
    add_random(h, "classifier.1.bias", 1, head);
    return h;
}
