/* decoder_model.c - see decoder_model.h. */
#include "kernels_internal.h"

struct decoder_instance {
    struct plugin_instance instance;
    struct past_key_values past; /* its services are NULL until the first use */
};

/* The instance's memory, for this model. */
static struct past_key_values *past_of(const struct decoder_model *model,
                                       struct past_key_values *past)
{
    const struct decoder_config *config = &model->decoder.config;
    past->kernels = model->model.kernels;
    past->num_layers = (size_t)config->num_layers;
    past->num_heads = (size_t)config->num_heads;
    past->head_size = (size_t)(config->hidden_size / config->num_heads);
    past->max_tokens = (size_t)model->max_positions;
    return past;
}

static struct past_key_values *past_of_instance(struct model_instance *self)
{
    struct decoder_instance *instance = (struct decoder_instance *)self;
    return past_of((const struct decoder_model *)instance->instance.model, &instance->past);
}

static model_status keep(struct model_instance *self, uint32_t to, uint32_t from, int64_t n_tokens,
                         int64_t *ret_kept, struct model_error *err)
{
    return past_keep(past_of_instance(self), to, from, n_tokens, ret_kept, err);
}

static void finish_instance(struct plugin_instance *instance)
{
    past_finish(&((struct decoder_instance *)instance)->past);
}

void decoder_model_describe(struct decoder_model *model)
{
    const size_t n = (size_t)model->max_positions;
    struct past_key_values past = {.kernels = NULL};
    struct scratch scratch = {NULL, 0};
    struct decoder_run run = {.rows = {.past = past_of(model, &past),
                                       .slots = (const uint32_t[]){0},
                                       .max_rows = n < DECODER_GROUP_ROWS ? n : DECODER_GROUP_ROWS,
                                       .max_sequences = 1,
                                       .max_keys = n,
                                       .page_positions = PAST_PAGE}};
    decoder_layout(&model->decoder, &scratch, &run);
    model->model.instance_bytes = sizeof(struct decoder_instance);
    model->model.finish_instance = finish_instance;
    model->model.keep = keep;
    model->model.description.max_slots = PAST_MAX_SLOTS;
    model->model.description.instance_bytes = scratch.used + past_slot_bytes(&past, n);
}

struct decoder_run decoder_run_begin(struct model_instance *self, struct call_reader *reader)
{
    const struct plugin_instance *instance = (const struct plugin_instance *)self;
    const struct decoder_model *model = (const struct decoder_model *)instance->model;
    linear_runner_begin(instance->runner, reader->call->cancel, reader->err);
    return (struct decoder_run){
        .runner = instance->runner,
        .rows = {.mask = take_mask(reader, "attention_mask"),
                 .position_ids =
                     take_ids(reader, "position_ids", model->max_positions, model->limit),
                 .slots = reader->call->slots,
                 .past = past_of_instance(self),
                 .batch = (size_t)reader->batch,
                 .sequence_length = (size_t)reader->sequence,
                 .limit = model->limit}};
}
