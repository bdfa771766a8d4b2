/* bert_weights.c - the weights under all the names that checkpoints give them. [create-thread] */
#include "bert.h"

static const struct encoder_names layer_names = {
    .query_key_value = {"attention.self.query", "attention.self.key", "attention.self.value"},
    .attention_output = "attention.output.dense",
    .attention_norm = "attention.output.LayerNorm",
    .intermediate = "intermediate.dense",
    .output = "output.dense",
    .output_norm = "output.LayerNorm",
};

/* The masked language model; its decoder is the word embedding unless it has its own weight. */
static void load_predictions(struct loader *loader, const struct bert_config *config,
                             struct bert_weights *ret)
{
    const int64_t hidden = config->encoder.hidden_size;
    const char *weight = "cls.predictions.decoder.weight", *bias = "cls.predictions.decoder.bias";
    char word[WEIGHT_NAME_BYTES];
    weight_name(word, "%sembeddings.word_embeddings.weight", config->prefix);
    bool own = weight_exists(loader->kernels, weight) || !config->tie_word_embeddings;
    const struct linear_shape transform = {hidden, hidden,
                                           .activation = config->encoder.activation};
    const struct linear_shape decoder = {config->vocab_size, hidden, .keep_view = !own};
    if (!weight_exists(loader->kernels, bias))
        bias = "cls.predictions.bias";
    ret->transform = load_linear(loader, transform, "cls.predictions.transform.dense");
    ret->transform_norm = load_layer_norm(loader, hidden, config->encoder.layer_norm_eps,
                                          "cls.predictions.transform.LayerNorm");
    ret->decoder = load_linear_named(loader, decoder, own ? weight : word, bias);
}

model_status bert_weights_load(struct bert *bert, struct model_error *err)
{
    struct loader loader = {bert->model.kernels, err, MODEL_OK}, *l = &loader;
    struct bert_config *config = &bert->config;
    struct bert_weights *ret = &bert->weights;
    const int64_t hidden = config->encoder.hidden_size;
    const char *classifier = config->heads & SPAN ? "qa_outputs" : "classifier";
    char name[WEIGHT_NAME_BYTES];
    weight_name(name, "%sembeddings", config->prefix);
    ret->word = load_embedding(l, config->vocab_size, hidden, "%s.word_embeddings", name);
    ret->position =
        load_embedding(l, config->max_position_embeddings, hidden, "%s.position_embeddings", name);
    ret->token_type =
        load_embedding(l, config->type_vocab_size, hidden, "%s.token_type_embeddings", name);
    ret->norm = load_layer_norm(l, hidden, config->encoder.layer_norm_eps, "%s.LayerNorm", name);
    weight_name(name, "%sencoder.layer.", config->prefix);
    ret->encoder = encoder_load(l, &config->encoder, &layer_names, name);
    const struct linear_shape pooler = {hidden, hidden, .activation = ACTIVATION_TANH};
    const struct linear_shape pair = {2, hidden, .accumulate = false};
    const int64_t n_labels = config->heads & SPAN ? 2 : config->num_labels; /* a start and an end */
    const struct linear_shape labels = {n_labels, hidden, .accumulate = false};
    if (config->heads & POOLER)
        ret->pooler = load_linear(l, pooler, "%spooler.dense", config->prefix);
    if (config->heads & NEXT_SENTENCE)
        ret->next = load_linear(l, pair, "cls.seq_relationship");
    if (config->heads & PREDICTIONS)
        load_predictions(l, config, ret);
    if (config->heads & (CLASSIFIER | SPAN))
        ret->classifier = load_linear(l, labels, "%s", classifier);
    /* Memory follows the weights, not what config.json says of a head that is not there. */
    config->num_labels = ret->classifier != NULL ? linear_out_features(ret->classifier) : 0;
    return loader.status;
}
