/* bert.c - the model: config.json, the description, create and destroy. Immutable once created. */
#include "bert.h"

#include <string.h>

MODEL_PLUGIN_NOTE("bert", "1.0.0", "bert");

/* Without "architectures" it is the first class whose heads are among the weights. */
static const struct bert_class classes[] = {
    {"BertForQuestionAnswering", "question-answering", SPAN, NOTHING, "prediction_logits"},
    {"BertForSequenceClassification", "text-classification", POOLER | CLASSIFIER, LABELS,
     "prediction_logits"},
    {"BertForTokenClassification", "token-classification", CLASSIFIER, TAGS, "prediction_logits"},
    {"BertForPreTraining", "fill-mask", POOLER | NEXT_SENTENCE | PREDICTIONS, WORDS, "logits"},
    {"BertForMaskedLM", "fill-mask", PREDICTIONS, WORDS, "prediction_logits"},
    {"BertForNextSentencePrediction", NULL, POOLER | NEXT_SENTENCE, PAIR,
     "seq_relationship_logits"},
    {"BertModel", "feature-extraction", 0, NOTHING, "prediction_logits"},
};

static unsigned heads_of_weights(const struct kernels *kernels, const char *prefix)
{
    char pooler[WEIGHT_NAME_BYTES];
    const struct {
        const char *weight;
        unsigned head;
    } heads[] = {{weight_name(pooler, "%spooler.dense.weight", prefix), POOLER},
                 {"cls.seq_relationship.weight", NEXT_SENTENCE},
                 {"cls.predictions.transform.dense.weight", PREDICTIONS},
                 {"classifier.weight", CLASSIFIER},
                 {"qa_outputs.weight", SPAN}};
    unsigned found = 0;
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        if (weight_exists(kernels, heads[i].weight))
            found |= heads[i].head;
    return found & POOLER ? found : found & ~(unsigned)NEXT_SENTENCE;
}

static void read_class(struct config_reader *reader, struct bert_config *config, unsigned found)
{
    const char *name = config_string(reader, "architectures[0]", NULL);
    for (size_t i = 0; i < sizeof classes / sizeof *classes && !config->class; i++)
        if (name != NULL ? strcmp(classes[i].name, name) == 0
                         : (classes[i].heads & found) == classes[i].heads)
            config->class = &classes[i];
    if (config->class != NULL)
        config->heads = config->class->heads | (found & (POOLER | NEXT_SENTENCE | PREDICTIONS));
    else if (reader->status == MODEL_OK)
        reader->status = kernels_fail(
            reader->err, MODEL_UNSUPPORTED,
            "config.json: this plugin does not compute '%.80s', want BertModel, BertForMaskedLM, "
            "-PreTraining, -NextSentencePrediction, -SequenceClassification, -TokenClassification "
            "or -QuestionAnswering",
            name);
}

static model_status read_config(struct bert *bert, struct model_error *err)
{
    struct bert_config *config = &bert->config;
    struct config_reader reader = {kernels_services(bert->model.kernels), err, MODEL_OK},
                         *r = &reader;
    config_require_string(r, "model_type", "bert");
    config_require_string(r, "position_embedding_type", "absolute");
    config_require_bool(r, "is_decoder", false);
    config_require_bool(r, "add_cross_attention", false);
    config->encoder = encoder_config_read(r);
    config->vocab_size = config_integer(r, "vocab_size", 1, 1 << 24, CONFIG_REQUIRED);
    config->max_position_embeddings =
        config_integer(r, "max_position_embeddings", 1, 1 << 20, CONFIG_REQUIRED);
    config->type_vocab_size = config_integer(r, "type_vocab_size", 1, 1 << 16, 2);
    config->num_labels = config_integer(r, "num_labels", 1, 1 << 20, config_length(r, "id2label"));
    config->tie_word_embeddings = config_bool(r, "tie_word_embeddings", true);
    bool prefixed = weight_exists(bert->model.kernels, "bert.embeddings.word_embeddings.weight");
    config->prefix = prefixed ? "bert." : "";
    read_class(r, config, heads_of_weights(bert->model.kernels, config->prefix));
    return reader.status;
}

static model_status describe(struct bert *bert, struct model_error *err)
{
    const struct bert_config *config = &bert->config;
    struct model_description *description = &bert->model.description;
    const enum bert_result logits = config->class->logits;
    const int64_t hidden = config->encoder.hidden_size, vocab_size = config->vocab_size;
    const int64_t num_labels = logits == PAIR ? 2 : config->num_labels;
    const struct {
        const char *name;
        unsigned heads;
        enum bert_result result;
        int64_t width;
    } outputs[] = {{"last_hidden_state", 0, HIDDEN, hidden},
                   {"pooler_output", POOLER, POOLED, hidden},
                   {"seq_relationship_logits", NEXT_SENTENCE, PAIR, 2},
                   {"prediction_logits", PREDICTIONS, WORDS, vocab_size},
                   {"start_logits", SPAN, START, 0},
                   {"end_logits", SPAN, END, 0},
                   {"logits", 0, logits, logits == WORDS ? vocab_size : num_labels}};
    struct spec_list in = {.kernels = bert->model.kernels,
                           .batch = {"batch", 1, INT64_MAX},
                           .sequence = {"sequence", 1, config->max_position_embeddings}};
    struct spec_list out = in;
    spec_add_ids(&in, "input_ids", 0);
    spec_add_ids(&in, "attention_mask", MODEL_SPEC_OPTIONAL);
    spec_add_ids(&in, "token_type_ids", MODEL_SPEC_OPTIONAL);
    spec_add_ids(&in, "position_ids", MODEL_SPEC_OPTIONAL);
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++) {
        bool again = strcmp(outputs[i].name, config->class->second_name) == 0;
        uint32_t flags = again ? MODEL_SPEC_ON_REQUEST : 0;
        if (outputs[i].result == NOTHING || (outputs[i].heads & ~config->heads) != 0)
            continue;
        bert->results[out.n_specs] = outputs[i].result;
        if (outputs[i].result <= LABELS)
            spec_add_sequences(&out, outputs[i].name, flags, outputs[i].width);
        else
            spec_add_tokens(&out, outputs[i].name, flags, outputs[i].width);
    }
    description->architecture = config->class->name;
    description->task = config->class->task;
    description->instance_bytes = bert_scratch_bytes(bert, (size_t)config->max_position_embeddings);
    return spec_describe(&in, &out, description, err);
}

static model_status build(struct plugin_model *model, struct model_error *err)
{
    struct bert *bert = (struct bert *)model;
    model_status status = read_config(bert, err);
    model->run = bert_run;
    if (status == MODEL_OK)
        status = bert_weights_load(bert, err);
    return status == MODEL_OK ? describe(bert, err) : status;
}

model_status create_model(const struct model_services *services,
                          const struct model_create_args *args, struct model **ret,
                          struct model_error *err)
{
    return plugin_model_create(services, args, sizeof(struct bert), build, ret, err);
}
