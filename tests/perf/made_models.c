/* made_models.c - see made_models.h. One thread. */
#include "made_models.h"
#include "buffer.h"
#include "echo_package.h"

#include <fcntl.h>
#include <sys/stat.h>

#define MAX_RANK 4

/* Where n is not 0 there are n tensors, with their numbers between `name` and `behind`. */
struct made_tensor {
    const char *name;
    int64_t shape[MAX_RANK];
    int n;
    const char *behind;
};

static const struct made_tensor gpt2_tensors[] = {
    {"wte.weight", {2000, 256}, 0, ""},
    {"wpe.weight", {128, 256}, 0, ""},
    {"h.", {256}, 2, ".ln_1.weight"},
    {"h.", {256}, 2, ".ln_1.bias"},
    {"h.", {256, 768}, 2, ".attn.c_attn.weight"},
    {"h.", {768}, 2, ".attn.c_attn.bias"},
    {"h.", {256, 256}, 2, ".attn.c_proj.weight"},
    {"h.", {256}, 2, ".attn.c_proj.bias"},
    {"h.", {256}, 2, ".ln_2.weight"},
    {"h.", {256}, 2, ".ln_2.bias"},
    {"h.", {256, 1024}, 2, ".mlp.c_fc.weight"},
    {"h.", {1024}, 2, ".mlp.c_fc.bias"},
    {"h.", {1024, 256}, 2, ".mlp.c_proj.weight"},
    {"h.", {256}, 2, ".mlp.c_proj.bias"},
    {"ln_f.weight", {256}, 0, ""},
    {"ln_f.bias", {256}, 0, ""},
    {NULL, {0}, 0, ""},
};

static const struct made_tensor lstm_tensors[] = {
    {"embed.weight", {64, 256}, 0, ""},
    {"lstm.weight_ih_l", {1024, 256}, 2, ""},
    {"lstm.weight_hh_l", {1024, 256}, 2, ""},
    {"lstm.bias_ih_l", {1024}, 2, ""},
    {"lstm.bias_hh_l", {1024}, 2, ""},
    {"head.weight", {64, 256}, 0, ""},
    {"head.bias", {64}, 0, ""},
    {NULL, {0}, 0, ""},
};

#define CONVOLUTION(name, out, in, kernel)                                                         \
    {name ".convolution.weight", {out, in, kernel, kernel}, 0, ""},                                \
        {name ".normalization.weight", {out}, 0, ""}, {name ".normalization.bias", {out}, 0, ""},  \
        {name ".normalization.running_mean", {out}, 0, ""},                                        \
    {                                                                                              \
        name ".normalization.running_var", {out}, 0, ""                                            \
    }
#define BLOCK "resnet.encoder.stages.0.layers.0."
static const struct made_tensor resnet_tensors[] = {
    CONVOLUTION("resnet.embedder.embedder", 64, 3, 7),
    CONVOLUTION(BLOCK "shortcut", 256, 64, 1),
    CONVOLUTION(BLOCK "layer.0", 64, 64, 1),
    CONVOLUTION(BLOCK "layer.1", 64, 64, 3),
    CONVOLUTION(BLOCK "layer.2", 256, 64, 1),
    {"classifier.1.weight", {10, 256}, 0, ""},
    {"classifier.1.bias", {10}, 0, ""},
    {NULL, {0}, 0, ""},
};

static const struct made_kind {
    const char *name, *config;
    const struct made_tensor *tensors;
} kinds[] = {
    {"gpt2",
     "{\"model_type\":\"gpt2\",\"n_embd\":256,\"n_layer\":2,\"n_head\":4,\"n_positions\":128,"
     "\"vocab_size\":2000,\"activation_function\":\"gelu_new\",\"layer_norm_epsilon\":1e-5}",
     gpt2_tensors},
    {"lstm",
     "{\"model_type\":\"lstm\",\"input_size\":256,\"hidden_size\":256,\"num_layers\":2,"
     "\"vocab_size\":64}",
     lstm_tensors},
    {"resnet",
     "{\"model_type\":\"resnet\",\"layer_type\":\"bottleneck\",\"hidden_act\":\"relu\","
     "\"num_channels\":3,\"embedding_size\":64,\"depths\":[1],\"hidden_sizes\":[256],"
     "\"downsample_in_first_stage\":false,\"id2label\":{\"0\":\"a\",\"1\":\"b\",\"2\":\"c\","
     "\"3\":\"d\",\"4\":\"e\",\"5\":\"f\",\"6\":\"g\",\"7\":\"h\",\"8\":\"i\",\"9\":\"j\"}}",
     resnet_tensors},
};

static void check(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "workloads: %s failed\n", what);
        exit(1);
    }
}

static size_t elements(const struct made_tensor *tensor)
{
    size_t n = 1;
    for (int i = 0; i < MAX_RANK && tensor->shape[i] > 0; i++)
        n *= (size_t)tensor->shape[i];
    return n;
}

static const char variance[] = "running_var";

/* Of a variance from 1 to 1.1, of all others within 0.05 of 0. */
static void add_values(struct buffer *data, const struct made_tensor *tensor, uint32_t *state)
{
    const size_t n = elements(tensor), length = strlen(tensor->name);
    const bool is_variance = length > strlen(variance) &&
                             strcmp(tensor->name + length - strlen(variance), variance) == 0;
    for (size_t i = 0; i < n; i++) {
        *state = *state * 1664525u + 1013904223u; /* Numerical Recipes */
        const float share = (float)(*state >> 8) / (float)(1 << 24);
        const float value = is_variance ? 1 + share / 10 : (share - 0.5f) / 10;
        check(buffer_append(data, (const char *)&value, sizeof value) == MODEL_OK, "weights");
    }
}

static void add_tensor(struct buffer *header, struct buffer *data, const struct made_tensor *tensor,
                       int i, uint32_t *state)
{
    const size_t begin = data->size;
    char number[16] = "";
    if (tensor->n > 0)
        (void)snprintf(number, sizeof number, "%d", i);
    add_values(data, tensor, state);
    check(buffer_printf(header, "%s\"%s%s%s\":{\"dtype\":\"F32\",\"shape\":[", begin > 0 ? "," : "",
                        tensor->name, number, tensor->behind) == MODEL_OK,
          "a header");
    for (int k = 0; k < MAX_RANK && tensor->shape[k] > 0; k++)
        check(buffer_printf(header, "%s%lld", k > 0 ? "," : "", (long long)tensor->shape[k]) ==
                  MODEL_OK,
              "a header");
    check(buffer_printf(header, "],\"data_offsets\":[%zu,%zu]}", begin, data->size) == MODEL_OK,
          "a header");
}

static void write_weights(const char *path, const struct made_tensor *tensors)
{
    struct buffer header = BUFFER_INIT(1u << 20), data = BUFFER_INIT(64u << 20);
    uint32_t state = 1;
    check(buffer_append_text(&header, "{") == MODEL_OK, "a header");
    for (const struct made_tensor *tensor = tensors; tensor->name != NULL; tensor++)
        for (int i = 0; i < (tensor->n > 0 ? tensor->n : 1); i++)
            add_tensor(&header, &data, tensor, i, &state);
    check(buffer_append_text(&header, "}") == MODEL_OK, "a header");
    while (header.size % 8 != 0)
        check(buffer_append_text(&header, " ") == MODEL_OK, "a header");
    const uint64_t length = header.size;
    FILE *file = fopen(path, "wb");
    check(file != NULL && fwrite(&length, sizeof length, 1, file) == 1 &&
              fwrite(header.data, 1, header.size, file) == header.size &&
              fwrite(data.data, 1, data.size, file) == data.size && fclose(file) == 0,
          path);
    /* Of files that have just been written digests are not kept. */
    const struct timespec long_ago[] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    check(utimensat(AT_FDCWD, path, long_ago, 0) == 0, path);
    buffer_finish(&header);
    buffer_finish(&data);
}

char *made_model(const char *kind)
{
    const char *build = getenv("BUILD");
    const struct made_kind *made = kinds;
    while (strcmp(made->name, kind) != 0)
        made++;
    char *dir = scratch_dir(), *backend = path_join(dir, "backends/cpu");
    char *config = path_join(backend, "config.json");
    char *weights = path_join(backend, "model.safetensors");
    char *plugin = path_join(backend, "libmodel.so");
    char *built =
        text_format("%s/lib/modelhost/plugins/lib%s.so", build != NULL ? build : "build", kind);
    char *target = realpath(built, NULL);
    check(dir_make_all(backend, NULL) == MODEL_OK && target != NULL && symlink(target, plugin) == 0,
          built);
    write_file(config, made->config, strlen(made->config));
    write_weights(weights, made->tensors);
    free(target);
    free(built);
    free(plugin);
    free(weights);
    free(config);
    free(backend);
    return dir;
}
