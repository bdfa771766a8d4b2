/* gpt2_weights.c - the weights under the names that checkpoints give them. The buffers attn.bias and
 * attn.masked_bias, which hold the causal mask, are not read. [create-thread] */
#include "gpt2.h"

static const struct decoder_names layer_names = {
    .attention_norm = "ln_1",
    .query_key_value = "attn.c_attn",
    .attention_output = "attn.c_proj",
    .inner_norm = "ln_2",
    .intermediate = "mlp.c_fc",
    .output = "mlp.c_proj",
};

/* The word embedding, which a tied head shares: files that hold it once may have it under either name. */
static const char *word_name(const struct gpt2 *gpt2, char name[WEIGHT_NAME_BYTES])
{
    weight_name(name, "%swte.weight", gpt2->config.prefix);
    bool under_head = gpt2->config.class->logits == WORDS && gpt2->config.tie_word_embeddings &&
                      !weight_exists(gpt2->base.model.kernels, name) &&
                      weight_exists(gpt2->base.model.kernels, "lm_head.weight");
    return under_head ? "lm_head.weight" : name;
}

model_status gpt2_weights_load(struct gpt2 *gpt2, struct model_error *err)
{
    struct loader loader = {gpt2->base.model.kernels, err, MODEL_OK}, *l = &loader;
    const struct gpt2_config *config = &gpt2->config;
    const struct decoder_config *decoder = &config->decoder;
    struct gpt2_weights *ret = &gpt2->weights;
    const bool tied = config->class->logits == WORDS && config->tie_word_embeddings;
    char buffer[WEIGHT_NAME_BYTES], prefix[WEIGHT_NAME_BYTES];
    const char *word = word_name(gpt2, buffer);
    loader.status = embedding_find(loader.kernels, word, config->vocab_size, decoder->hidden_size,
                                   &ret->word, err);
    /* A tied head is packed in F32, which reads faster; halves are multiplied where they are. It comes
     * first, so that its two forms are not in memory beside all the others. */
    const struct linear_shape head = {
        config->class->logits == WORDS ? config->vocab_size : config->num_labels,
        decoder->hidden_size, .keep_view = tied && ret->word.table.dtype != MODEL_F32};
    if (config->class->head != NULL)
        ret->head = load_linear_named(l, head, tied ? word : config->class->head, NULL);
    ret->position =
        load_embedding(l, gpt2->base.max_positions, decoder->hidden_size, "%swpe", config->prefix);
    weight_name(prefix, "%sh.", config->prefix);
    gpt2->base.decoder = decoder_load(l, decoder, &layer_names, prefix);
    ret->norm =
        load_layer_norm(l, decoder->hidden_size, decoder->layer_norm_eps, "%sln_f", config->prefix);
    return loader.status;
}
