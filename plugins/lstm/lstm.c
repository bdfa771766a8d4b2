/* lstm.c - the model: config.json, weights, the description. Immutable once created. */
#include "lstm.h"

#include <string.h>

MODEL_PLUGIN_NOTE("lstm", "1.0.0", "lstm,gru");

static void reject(struct config_reader *reader, const char *sentence)
{
    if (reader->status == MODEL_OK)
        reader->status =
            kernels_fail(reader->err, MODEL_INVALID_ARGUMENT, "config.json: %s", sentence);
}

static enum lstm_input read_input(struct config_reader *r, const struct kernels *kernels)
{
    static const char *const names[] = {"features", "one-hot", "embedding"};
    const char *usual = names[weight_exists(kernels, "embed.weight") ? EMBEDDING : FEATURES];
    const char *name = config_string(r, "input", usual);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return (enum lstm_input)i;
    if (r->status == MODEL_OK)
        r->status = kernels_fail(
            r->err, MODEL_INVALID_ARGUMENT,
            "config.json: 'input' is \"%.80s\", want \"features\", \"one-hot\" or \"embedding\"",
            name);
    return FEATURES;
}

static const char *find_prefix(const struct kernels *kernels)
{
    static const char *const prefixes[] = {"lstm.", "gru.", "rnn.", ""};
    char name[WEIGHT_NAME_BYTES];
    size_t i = 0;
    while (prefixes[i][0] != '\0' &&
           !weight_exists(kernels, weight_name(name, "%sweight_ih_l0", prefixes[i])))
        i++;
    return prefixes[i];
}

static model_status read_config(struct lstm *lstm, struct model_error *err)
{
    struct config_reader reader = {kernels_services(lstm->base.model.kernels), err, MODEL_OK};
    struct config_reader *r = &reader;
    struct recurrent_config *config = &lstm->config;
    const char *type = config_string(r, "model_type", "");
    const bool gru = strcmp(type, "gru") == 0;
    if (!gru && strcmp(type, "lstm") != 0)
        reject(r, "'model_type' must be \"lstm\" or \"gru\"");
    lstm->input = read_input(r, lstm->base.model.kernels);
    const int64_t ids = lstm->input == EMBEDDING ? CONFIG_REQUIRED : 0;
    lstm->vocab_size = config_integer(r, "vocab_size", 1, 1 << 24, ids);
    const bool known = lstm->input == ONE_HOT && lstm->vocab_size > 0;
    config->kind = gru ? RECURRENT_GRU : RECURRENT_LSTM;
    config->prefix = find_prefix(lstm->base.model.kernels);
    config->input_size =
        config_integer(r, "input_size", 1, 1 << 24, known ? lstm->vocab_size : CONFIG_REQUIRED);
    config->hidden_size = config_integer(r, "hidden_size", 1, 1 << 16, CONFIG_REQUIRED);
    config->num_layers = config_integer(r, "num_layers", 1, 1024, 1);
    config->proj_size = config_integer(r, "proj_size", 0, 1 << 16, 0);
    config->bias = config_bool(r, "bias", true);
    config->bidirectional = config_bool(r, "bidirectional", false);
    lstm->base.batch_first = config_bool(r, "batch_first", true);
    lstm->num_labels = config_integer(r, "num_labels", 1, 1 << 24, lstm->vocab_size);
    if (gru && config->proj_size > 0)
        reject(r, "'proj_size' is for an LSTM, a GRU has no projection; leave it out");
    if (config->proj_size >= config->hidden_size)
        reject(r, "'proj_size' must be smaller than 'hidden_size'");
    if (known && config->input_size != lstm->vocab_size)
        reject(r, "'vocab_size' and 'input_size' differ; for one-hot ids they are the same");
    if (lstm->input == ONE_HOT)
        lstm->vocab_size = config->input_size;
    else if (lstm->input == FEATURES)
        lstm->vocab_size = 0;
    return reader.status;
}

static model_status load_weights(struct lstm *lstm, struct model_error *err)
{
    struct loader loader = {lstm->base.model.kernels, err, MODEL_OK};
    if (lstm->input == EMBEDDING)
        lstm->embed = load_embedding(&loader, lstm->vocab_size, lstm->config.input_size, "embed");
    lstm->base.recurrent = load_recurrent(&loader, &lstm->config);
    if (loader.status != MODEL_OK)
        return loader.status;
    const bool bias = weight_exists(lstm->base.model.kernels, "head.bias");
    const struct linear_shape head = {.out_features = lstm->num_labels,
                                      .in_features =
                                          (int64_t)recurrent_output_width(lstm->base.recurrent)};
    if (weight_exists(lstm->base.model.kernels, "head.weight"))
        lstm->head = load_linear_named(&loader, head, "head.weight", bias ? "head.bias" : NULL);
    if (lstm->input == EMBEDDING)
        load_recurrent_table(&loader, lstm->base.recurrent, &lstm->embed);
    /* Memory follows the weights, not what config.json says of a head that is not there. */
    lstm->num_labels = lstm->head != NULL ? linear_out_features(lstm->head) : 0;
    return loader.status;
}

/* Dimensions "batch" and "sequence" in the model's order, then `width` unless that is 0. */
static void add_positions(const struct lstm *lstm, struct spec_list *list, const char *name,
                          int32_t dtype, uint32_t flags, int64_t width)
{
    const struct model_dimension fixed = {NULL, width, width};
    const struct model_dimension first = lstm->base.batch_first ? list->batch : list->sequence;
    const struct model_dimension second = lstm->base.batch_first ? list->sequence : list->batch;
    spec_add(list, name, dtype, flags, width > 0 ? 3 : 2,
             (const struct model_dimension[]){first, second, fixed});
}

/* [layers * directions, batch, width]: torch's order whatever batch_first. */
static void add_states(const struct lstm *lstm, struct spec_list *list, const char *name,
                       uint32_t flags, size_t width)
{
    const int64_t n = (int64_t)recurrent_n_states(lstm->base.recurrent), w = (int64_t)width;
    if (width > 0)
        spec_add(list, name, MODEL_F32, flags, 3,
                 (const struct model_dimension[]){{NULL, n, n}, list->batch, {NULL, w, w}});
}

static model_status describe(struct lstm *lstm, struct model_error *err)
{
    struct model_description *description = &lstm->base.model.description;
    struct spec_list in = {.kernels = lstm->base.model.kernels,
                           .batch = {"batch", 1, INT64_MAX},
                           .sequence = {"sequence", 1, INT64_MAX}};
    struct spec_list out = in;
    const bool forwards = !lstm->config.bidirectional, head = lstm->head != NULL;
    const size_t h_width = recurrent_h_width(lstm->base.recurrent);
    const size_t c_width = recurrent_c_width(lstm->base.recurrent);
    const uint32_t either = lstm->input == ONE_HOT ? MODEL_SPEC_OPTIONAL : 0;
    if (lstm->input != FEATURES)
        add_positions(lstm, &in, "input_ids", MODEL_I64, either, 0);
    if (lstm->input != EMBEDDING)
        add_positions(lstm, &in, "input", MODEL_F32, either, lstm->config.input_size);
    add_positions(lstm, &in, "attention_mask", MODEL_I64, MODEL_SPEC_OPTIONAL, 0);
    add_states(lstm, &in, "h0", MODEL_SPEC_OPTIONAL, h_width);
    add_states(lstm, &in, "c0", MODEL_SPEC_OPTIONAL, c_width);
    add_positions(lstm, &out, "output", MODEL_F32, 0,
                  (int64_t)recurrent_output_width(lstm->base.recurrent));
    add_states(lstm, &out, "h_n", 0, h_width);
    add_states(lstm, &out, "c_n", 0, c_width);
    if (head)
        add_positions(lstm, &out, "logits", MODEL_F32, 0, lstm->num_labels);
    if (head && forwards)
        spec_add_sequences(&out, "next_token_logits", MODEL_SPEC_ON_REQUEST, lstm->num_labels);
    description->architecture = lstm->config.kind == RECURRENT_LSTM ? "LSTM" : "GRU";
    if (head && forwards && lstm->base.batch_first && lstm->num_labels == lstm->vocab_size)
        description->task = "text-generation";
    if (forwards)
        recurrent_model_remember(&lstm->base);
    description->instance_bytes = lstm->base.model.instance_bytes;
    return spec_describe(&in, &out, description, err);
}

static model_status build(struct plugin_model *model, struct model_error *err)
{
    struct lstm *lstm = (struct lstm *)model;
    model_status status = read_config(lstm, err);
    if (status == MODEL_OK)
        status = load_weights(lstm, err);
    model->run = lstm_run;
    return status == MODEL_OK ? describe(lstm, err) : status;
}

model_status create_model(const struct model_services *services,
                          const struct model_create_args *args, struct model **ret,
                          struct model_error *err)
{
    return plugin_model_create(services, args, sizeof(struct lstm), build, ret, err);
}
