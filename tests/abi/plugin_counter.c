/* plugin_counter.c - a fixture that generates: the most probable token behind a text is the number of its
 * tokens, modulo the vocabulary, the next best the sum of them. So what comes out says what was read.
 * config.json: "vocab_size" (default 16), "positions" (default 32), "slots": false for a model without
 * memory, "rewinds": false for one whose keep() knows the end of a slot only, "nan": true for logits that
 * are no numbers, "wait_at": n, it returns only when cancelled once it has read n tokens, "says": a text;
 * the most probable token behind n tokens is then its byte n - 1, over and over. */
#include "fixture.h"

#include <math.h>

MODEL_PLUGIN_NOTE("counter", "1.0.0", "counter");

enum { N_SLOTS = 4 };

struct slot {
    int64_t n, sum;
};

struct counter {
    struct fixture base;
    struct model_description description;
    struct model_tensor_spec ids, logits;
    const struct model_tensor_spec *inputs[1], *outputs[1];
    struct model_dimension ids_shape[2], logits_shape[2];
    int64_t vocab_size, positions, wait_at;
    int rewinds, is_nan;
    const char *says; /* (n_says), or NULL; the configuration's */
    int64_t n_says;
};

struct counter_instance {
    struct fixture_instance base;
    struct slot slots[N_SLOTS];
};

static void write_logits(const struct counter *model, struct slot slot, float *logits)
{
    for (int64_t i = 0; i < model->vocab_size; i++)
        logits[i] = model->is_nan ? NAN : 0.0f;
    if (model->is_nan)
        return;
    const int64_t said =
        model->n_says > 0 ? (unsigned char)model->says[(slot.n - 1) % model->n_says] : slot.n;
    logits[slot.sum % model->vocab_size] = 2.0f;
    logits[said % model->vocab_size] = 4.0f;
}

static model_status run(struct model_instance *self, const struct model_call *call,
                        struct model_error *err)
{
    struct counter_instance *instance = (struct counter_instance *)self;
    const struct counter *model = (const struct counter *)instance->base.model;
    const int64_t *ids = call->inputs[0]->data;
    const int64_t batch = call->inputs[0]->shape[0], n = call->inputs[0]->shape[1];
    const int64_t shape[] = {batch, model->vocab_size};
    model_status status = call->allocate_output(call->context, 0, MODEL_F32, 2, shape, err);
    for (int64_t i = 0; i < batch && status == MODEL_OK; i++) {
        struct slot *kept = call->slots != NULL ? &instance->slots[call->slots[i]] : NULL;
        struct slot slot = kept != NULL ? *kept : (struct slot){0, 0};
        for (int64_t k = 0; k < n; k++) {
            const int64_t id = ids[i * n + k];
            if (id < 0 || id >= model->vocab_size)
                return refuse(err, MODEL_INVALID_ARGUMENT,
                              "counter: an id is not in the vocabulary");
            slot.sum += id;
        }
        slot.n += n;
        if (slot.n > model->positions)
            return refuse(err, MODEL_INVALID_ARGUMENT, "counter: the slot is full");
        while (model->wait_at > 0 && slot.n >= model->wait_at && status == MODEL_OK)
            status = model_cancel_status(call->cancel);
        if (status != MODEL_OK)
            return refuse(err, status, "counter: stopped");
        write_logits(model, slot, (float *)call->outputs[0]->data + i * model->vocab_size);
        if (kept != NULL)
            *kept = slot;
    }
    return status;
}

/* The sums of rewound texts are not known, which the fixture's users do not look at: they rewind to
 * prompts of zeros. */
static model_status keep(struct model_instance *self, uint32_t to, uint32_t from, int64_t n_tokens,
                         int64_t *ret_kept, struct model_error *err)
{
    struct counter_instance *instance = (struct counter_instance *)self;
    const struct slot slot = instance->slots[from];
    if (n_tokens > slot.n)
        return refuse(err, MODEL_INVALID_ARGUMENT, "counter: the slot has not read so much");
    const int whole = n_tokens == slot.n;
    if (!whole && !((const struct counter *)instance->base.model)->rewinds)
        n_tokens = 0;
    instance->slots[to] = (struct slot){n_tokens, whole ? slot.sum : 0};
    *ret_kept = n_tokens;
    return MODEL_OK;
}

static model_status create_instance(const struct model *self, struct model_instance **ret,
                                    struct model_error *err)
{
    return fixture_create_instance(self, sizeof(struct counter_instance), run, keep, ret, err);
}

static void describe(struct counter *model, int64_t slots)
{
    model->ids_shape[0] = (struct model_dimension){"batch", 1, INT64_MAX};
    model->ids_shape[1] = (struct model_dimension){"sequence", 1, model->positions};
    model->logits_shape[0] = model->ids_shape[0];
    model->logits_shape[1] = (struct model_dimension){NULL, model->vocab_size, model->vocab_size};
    model->ids = (struct model_tensor_spec){sizeof model->ids, "input_ids", MODEL_I64, 2,
                                            model->ids_shape,  0,           0};
    model->logits = (struct model_tensor_spec){
        sizeof model->logits, "next_token_logits", MODEL_F32, 2, model->logits_shape, 0, 0};
    model->inputs[0] = &model->ids;
    model->outputs[0] = &model->logits;
    model->description = (struct model_description){.struct_size = sizeof model->description,
                                                    .architecture = "Counter",
                                                    .task = "text-generation",
                                                    .inputs = model->inputs,
                                                    .outputs = model->outputs,
                                                    .n_inputs = 1,
                                                    .n_outputs = 1,
                                                    .device = "cpu",
                                                    .compute_dtype = "f32",
                                                    .max_batch = INT64_MAX,
                                                    .max_slots = slots ? N_SLOTS : 0};
}

model_status create_model(const struct model_services *services,
                          const struct model_create_args *args, struct model **ret,
                          struct model_error *err)
{
    (void)args;
    struct counter *model =
        fixture_create_model(services, sizeof *model, NULL, create_instance, err);
    if (model == NULL)
        return MODEL_OUT_OF_MEMORY;
    model->vocab_size = (int64_t)config_number(services, "vocab_size", 16);
    model->positions = (int64_t)config_number(services, "positions", 32);
    model->wait_at = (int64_t)config_number(services, "wait_at", 0);
    model->rewinds = config_number(services, "rewinds", 1) != 0;
    model->is_nan = config_number(services, "nan", 0) != 0;
    model->says = config(services, "says").string;
    model->n_says = model->says != NULL ? (int64_t)strlen(model->says) : 0;
    describe(model, config_number(services, "slots", 1) != 0);
    model->base.base.description = &model->description;
    *ret = &model->base.base;
    return MODEL_OK;
}
