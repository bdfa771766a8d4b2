/* gpt2.c - the model: config.json, the description, create and destroy. Immutable once created. */
#include "gpt2.h"

#include <string.h>

MODEL_PLUGIN_NOTE("gpt2", "1.0.0", "gpt2");

/* Without "architectures": the first, or the second if its head is among the weights. */
static const struct gpt2_class classes[] = {
    {"GPT2LMHeadModel", "text-generation", "lm_head.weight", WORDS},
    {"GPT2ForSequenceClassification", "text-classification", "score.weight", LABELS},
    {"GPT2Model", "feature-extraction", NULL, HIDDEN},
};

static void read_class(struct config_reader *reader, const struct kernels *kernels,
                       struct gpt2_config *config)
{
    const char *name = config_string(reader, "architectures[0]", NULL);
    if (name == NULL)
        name = classes[weight_exists(kernels, classes[1].head)].name;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strcmp(classes[i].name, name) == 0)
            config->class = &classes[i];
    if (config->class == NULL && reader->status == MODEL_OK)
        reader->status = kernels_fail(
            reader->err, MODEL_UNSUPPORTED,
            "config.json: this plugin does not compute '%.80s', want GPT2LMHeadModel, GPT2Model or "
            "GPT2ForSequenceClassification",
            name);
}

/* A field that has a second name in transformers' attribute_map. */
static int64_t read_size(struct config_reader *reader, const char *path, const char *second,
                         int64_t max, int64_t fallback)
{
    return config_integer(reader, second, 1, max, config_integer(reader, path, 1, max, fallback));
}

static struct decoder_config read_decoder(struct config_reader *r)
{
    struct decoder_config config = {
        .hidden_size = read_size(r, "n_embd", "hidden_size", 1 << 16, 768),
        .num_layers = read_size(r, "n_layer", "num_hidden_layers", 1 << 10, 12),
        .num_heads = read_size(r, "n_head", "num_attention_heads", 1 << 16, 12),
        .activation = config_activation(r, "activation_function", ACTIVATION_GELU_TANH),
        .layer_norm_eps = config_number(r, "layer_norm_epsilon", 0, 1, 1e-5),
        .scale_by_head_size = config_bool(r, "scale_attn_weights", true),
        .scale_by_layer = config_bool(r, "scale_attn_by_inverse_layer_idx", false),
        .transposed = true,
    };
    config.intermediate_size = config_integer(r, "n_inner", 1, 1 << 18, 4 * config.hidden_size);
    (void)config_bool(r, "reorder_and_upcast_attn", false);
    if (r->status == MODEL_OK && config.hidden_size % config.num_heads != 0)
        r->status =
            kernels_fail(r->err, MODEL_INVALID_ARGUMENT,
                         "config.json: 'n_embd' is %lld, want a multiple of 'n_head', which "
                         "is %lld",
                         (long long)config.hidden_size, (long long)config.num_heads);
    return config;
}

static model_status read_config(struct gpt2 *gpt2, struct model_error *err)
{
    struct gpt2_config *config = &gpt2->config;
    const struct kernels *kernels = gpt2->base.model.kernels;
    struct config_reader reader = {kernels_services(kernels), err, MODEL_OK}, *r = &reader;
    config_require_string(r, "model_type", "gpt2");
    config_require_bool(r, "add_cross_attention", false);
    config->decoder = read_decoder(r);
    config->vocab_size = config_integer(r, "vocab_size", 1, 1 << 24, 50257);
    gpt2->base.max_positions =
        read_size(r, "n_positions", "max_position_embeddings", 1 << 20, 1024);
    gpt2->base.limit = "n_positions";
    config->pad_token_id = config_integer(r, "pad_token_id", INT32_MIN, INT32_MAX, DECODER_NO_PAD);
    config->tie_word_embeddings = config_bool(r, "tie_word_embeddings", true);
    const uint32_t n_names = config_length(r, "id2label");
    config->num_labels = config_integer(r, "num_labels", 1, 1 << 20, n_names > 0 ? n_names : 2);
    config->prefix = weight_exists(kernels, "transformer.wpe.weight") ? "transformer." : "";
    read_class(r, kernels, config);
    return reader.status;
}

static void add_output(struct gpt2 *gpt2, struct spec_list *out, const char *name, uint32_t flags,
                       enum gpt2_result result, int64_t width)
{
    gpt2->results[out->n_specs] = result;
    if (result == NEXT_WORDS || result == LABELS)
        spec_add_sequences(out, name, flags, width);
    else
        spec_add_tokens(out, name, flags, width);
}

static model_status describe(struct gpt2 *gpt2, struct model_error *err)
{
    const struct gpt2_config *config = &gpt2->config;
    struct model_description *description = &gpt2->base.model.description;
    const int64_t width = config->class->logits == WORDS ? config->vocab_size : config->num_labels;
    struct spec_list in = {.kernels = gpt2->base.model.kernels,
                           .batch = {"batch", 1, INT64_MAX},
                           .sequence = {"sequence", 1, gpt2->base.max_positions}};
    struct spec_list out = in;
    spec_add_ids(&in, "input_ids", 0);
    spec_add_ids(&in, "attention_mask", MODEL_SPEC_OPTIONAL);
    spec_add_ids(&in, "position_ids", MODEL_SPEC_OPTIONAL);
    add_output(gpt2, &out, "last_hidden_state", 0, HIDDEN, config->decoder.hidden_size);
    if (config->class->head != NULL)
        add_output(gpt2, &out, "logits", 0, config->class->logits, width);
    if (config->class->logits == WORDS)
        add_output(gpt2, &out, "next_token_logits", MODEL_SPEC_ON_REQUEST, NEXT_WORDS, width);
    description->architecture = config->class->name;
    description->task = config->class->task;
    decoder_model_describe(&gpt2->base);
    return spec_describe(&in, &out, description, err);
}

static model_status build(struct plugin_model *model, struct model_error *err)
{
    struct gpt2 *gpt2 = (struct gpt2 *)model;
    model_status status = read_config(gpt2, err);
    model->run = gpt2_run;
    if (status == MODEL_OK)
        status = gpt2_weights_load(gpt2, err);
    return status == MODEL_OK ? describe(gpt2, err) : status;
}

model_status create_model(const struct model_services *services,
                          const struct model_create_args *args, struct model **ret,
                          struct model_error *err)
{
    return plugin_model_create(services, args, sizeof(struct gpt2), build, ret, err);
}
