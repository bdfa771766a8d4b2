/* plugin_sum.c - a fixture with a memory: output "sum" (I64, ["batch"]) is the sum of all that a slot has
 * read from input "x" (I64, ["batch", "sequence"]). It keeps every element, so that it can rewind.
 * An x of -1 makes run() fail; one of -2 makes it wait until the call is given up, and then read the input as
 * if it had not noticed. config.json's "no_keep" leaves keep() out. */
#include "fixture.h"

MODEL_PLUGIN_NOTE("sum", "1.0.0", "sum");

enum { N_SLOTS = 4, MAX_LENGTH = 64 };

struct sum_model {
    struct fixture base;
    int no_keep;
};

struct sum_instance {
    struct fixture_instance base;
    int64_t read[N_SLOTS][MAX_LENGTH];
    int64_t lengths[N_SLOTS];
};

static const struct model_dimension x_shape[] = {{"batch", 1, INT64_MAX},
                                                 {"sequence", 0, MAX_LENGTH}};
static const struct model_tensor_spec x = {sizeof x, "x", MODEL_I64, 2, x_shape, 0, 0};
static const struct model_tensor_spec sum = {sizeof sum, "sum", MODEL_I64, 1, x_shape, 0, 0};
static const struct model_tensor_spec *const inputs[] = {&x}, *const outputs[] = {&sum};
static const struct model_description description = {.struct_size = sizeof description,
                                                     .architecture = "Sum",
                                                     .inputs = inputs,
                                                     .outputs = outputs,
                                                     .n_inputs = 1,
                                                     .n_outputs = 1,
                                                     .device = "cpu",
                                                     .compute_dtype = "i64",
                                                     .max_batch = INT64_MAX,
                                                     .max_slots = N_SLOTS};

static model_status run(struct model_instance *self, const struct model_call *call,
                        struct model_error *err)
{
    struct sum_instance *instance = (struct sum_instance *)self;
    const int64_t *data = call->inputs[0]->data;
    const int64_t batch = call->inputs[0]->shape[0], n = call->inputs[0]->shape[1];
    for (int64_t i = 0; i < batch * n; i++)
        if (data[i] == -1)
            return refuse(err, MODEL_INVALID_ARGUMENT, "sum: x holds -1");
    while (batch * n > 0 && data[0] == -2 && model_cancel_status(call->cancel) == MODEL_OK)
        continue;
    if (call->slots != NULL && call->n_slots != batch)
        return refuse(err, MODEL_INTERNAL, "sum: not a slot for each item");
    model_status status = call->allocate_output(call->context, 0, MODEL_I64, 1, &batch, err);
    for (int64_t i = 0; i < batch && status == MODEL_OK; i++) {
        int64_t total = 0;
        for (int64_t k = 0; k < n; k++)
            total += data[i * n + k];
        if (call->slots != NULL) {
            const uint32_t slot = call->slots[i];
            if (instance->lengths[slot] + n > MAX_LENGTH)
                return refuse(err, MODEL_INVALID_ARGUMENT, "sum: the slot is full");
            for (int64_t k = 0; k < instance->lengths[slot]; k++)
                total += instance->read[slot][k];
            if (n > 0)
                memcpy(&instance->read[slot][instance->lengths[slot]], data + i * n,
                       (size_t)n * sizeof *data);
            instance->lengths[slot] += n;
        }
        ((int64_t *)call->outputs[0]->data)[i] = total;
    }
    return status;
}

static model_status keep(struct model_instance *self, uint32_t to, uint32_t from, int64_t n_tokens,
                         int64_t *ret_kept, struct model_error *err)
{
    struct sum_instance *instance = (struct sum_instance *)self;
    if (n_tokens > instance->lengths[from])
        return refuse(err, MODEL_INVALID_ARGUMENT, "sum: the slot has not read so much");
    memmove(instance->read[to], instance->read[from], (size_t)n_tokens * sizeof(int64_t));
    instance->lengths[to] = n_tokens;
    *ret_kept = n_tokens;
    return MODEL_OK;
}

static model_status create_instance(const struct model *self, struct model_instance **ret,
                                    struct model_error *err)
{
    const struct sum_model *model = (const struct sum_model *)self;
    return fixture_create_instance(self, sizeof(struct sum_instance), run,
                                   model->no_keep ? NULL : keep, ret, err);
}

model_status create_model(const struct model_services *services,
                          const struct model_create_args *args, struct model **ret,
                          struct model_error *err)
{
    (void)args;
    struct sum_model *model =
        fixture_create_model(services, sizeof *model, &description, create_instance, err);
    if (model == NULL)
        return MODEL_OUT_OF_MEMORY;
    model->no_keep = config_number(services, "no_keep", 0) != 0;
    *ret = &model->base.base;
    return MODEL_OK;
}
