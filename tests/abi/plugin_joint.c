/* plugin_joint.c - a fixture that tells in what company a request ran. Inputs input_ids I64 [batch, sequence],
 * attention_mask of the same kind, optional, "scale" I64 [], optional, and "bias" I64 ["width", batch], optional.
 * Outputs, of the visible ids:
 *   "sum"      I64 [batch]            scale * their sum, and the item's biases
 *   "columns"  I64 [sequence, batch]  each id, -7 where it is hidden
 *   "company"  I64 [batch]            the items of the run
 *   "odd"      I64 [batch, "found"]   on request: the item's odd ids; "found" is the most that an item has
 * An item that begins with -1 makes run() fail, with -2 wait until the call is given up, with -4 end the process. One that begins with -3
 * makes it log "joint: waiting" and wait until the uint32_t at the address that the next two ids give (high and low
 * half) is set, without a look at the token; the call fails if that was raised. -5 is the same, but it gives its outputs
 * whatever the token says, and -6, but it ends its thread. */
#include "fixture.h"

#include <pthread.h>
#include <stdlib.h>

MODEL_PLUGIN_NOTE("joint", "1.0.0", "joint");

static const struct model_dimension ids_shape[] = {{"batch", 1, 64}, {"sequence", 0, 64}};
static const struct model_dimension columns_shape[] = {{"sequence", 0, 64}, {"batch", 1, 64}};
static const struct model_dimension bias_shape[] = {{"width", 1, 8}, {"batch", 1, 64}};
static const struct model_dimension odd_shape[] = {{"batch", 1, 64}, {"found", 0, 64}};

#define SPEC(name, rank, shape, flags)                                                             \
    {                                                                                              \
        sizeof(struct model_tensor_spec), name, MODEL_I64, rank, shape, flags, 0                   \
    }
static const struct model_tensor_spec ids = SPEC("input_ids", 2, ids_shape, 0);
static const struct model_tensor_spec mask =
    SPEC("attention_mask", 2, ids_shape, MODEL_SPEC_OPTIONAL);
static const struct model_tensor_spec scale = SPEC("scale", 0, ids_shape, MODEL_SPEC_OPTIONAL);
static const struct model_tensor_spec bias = SPEC("bias", 2, bias_shape, MODEL_SPEC_OPTIONAL);
static const struct model_tensor_spec sum = SPEC("sum", 1, ids_shape, 0);
static const struct model_tensor_spec columns = SPEC("columns", 2, columns_shape, 0);
static const struct model_tensor_spec company = SPEC("company", 1, ids_shape, 0);
static const struct model_tensor_spec odd = SPEC("odd", 2, odd_shape, MODEL_SPEC_ON_REQUEST);
static const struct model_tensor_spec *const inputs[] = {&ids, &mask, &scale, &bias};
static const struct model_tensor_spec *const outputs[] = {&sum, &columns, &company, &odd};
static const struct model_description description = {.struct_size = sizeof description,
                                                     .architecture = "Joint",
                                                     .inputs = inputs,
                                                     .outputs = outputs,
                                                     .n_inputs = 4,
                                                     .n_outputs = 4,
                                                     .device = "cpu",
                                                     .compute_dtype = "i64",
                                                     .max_batch = INT64_MAX};

static const int64_t *input(const struct model_call *call, const char *name)
{
    for (uint32_t i = 0; i < call->n_inputs; i++)
        if (strcmp(call->inputs[i]->name, name) == 0)
            return call->inputs[i]->data;
    return NULL;
}

/* Does what the first id of an item asks for. */
static model_status obey(const struct model_services *services, const struct model_call *call,
                         const int64_t *item, struct model_error *err)
{
    if (item[0] == -1)
        return refuse(err, MODEL_INVALID_ARGUMENT, "joint: an item begins with -1");
    if (item[0] == -4)
        abort();
    while (item[0] == -2 && model_cancel_status(call->cancel) == MODEL_OK)
        continue;
    if (item[0] == -3 || item[0] == -5 || item[0] == -6) {
        const uint32_t *latch =
            (const uint32_t *)(uintptr_t)((uint64_t)item[1] << 32 | (uint64_t)item[2]);
        services->log(services->context, MODEL_LOG_WARN, "joint: waiting");
        while (__atomic_load_n(latch, __ATOMIC_ACQUIRE) == 0)
            continue;
    }
    if (item[0] == -6)
        pthread_exit(NULL);
    if (item[0] == -5)
        return MODEL_OK;
    model_status status = model_cancel_status(call->cancel);
    return status == MODEL_OK ? status : refuse(err, status, "joint: stopped");
}

/* ---- outputs: of n items with `length` ids each */

struct read {
    const int64_t *ids, *mask, *scale, *bias; /* all but the first may be NULL */
    int64_t n, length, width;
};

static int is_visible(const struct read *read, int64_t item, int64_t t)
{
    return read->mask == NULL || read->mask[item * read->length + t] != 0;
}

static void fill_sum(const struct read *read, int64_t *to)
{
    for (int64_t i = 0; i < read->n; i++) {
        to[i] = 0;
        for (int64_t t = 0; t < read->length; t++)
            to[i] += is_visible(read, i, t) ? read->ids[i * read->length + t] : 0;
        to[i] *= read->scale != NULL ? *read->scale : 1;
        for (int64_t w = 0; w < read->width; w++)
            to[i] += read->bias[w * read->n + i];
    }
}

static void fill_columns(const struct read *read, int64_t *to)
{
    for (int64_t i = 0; i < read->n; i++)
        for (int64_t t = 0; t < read->length; t++)
            to[t * read->n + i] = is_visible(read, i, t) ? read->ids[i * read->length + t] : -7;
}

static void fill_company(const struct read *read, int64_t *to)
{
    for (int64_t i = 0; i < read->n; i++)
        to[i] = read->n;
}

static int64_t count_odd(const struct read *read, int64_t item)
{
    int64_t n = 0;
    for (int64_t t = 0; t < read->length; t++)
        n += is_visible(read, item, t) && (read->ids[item * read->length + t] & 1) != 0;
    return n;
}

static model_status fill(const struct model_call *call, const struct read *read, uint32_t index,
                         struct model_error *err)
{
    const char *name = call->outputs[index]->name;
    int64_t shape[2] = {read->n, 0};
    uint32_t rank = 1;
    if (strcmp(name, "columns") == 0) {
        rank = 2;
        shape[0] = read->length;
        shape[1] = read->n;
    } else if (strcmp(name, "odd") == 0) {
        rank = 2;
        for (int64_t i = 0; i < read->n; i++)
            shape[1] = count_odd(read, i) > shape[1] ? count_odd(read, i) : shape[1];
    }
    model_status status = call->allocate_output(call->context, index, MODEL_I64, rank, shape, err);
    if (status != MODEL_OK)
        return status;
    int64_t *to = call->outputs[index]->data;
    if (strcmp(name, "sum") == 0)
        fill_sum(read, to);
    else if (rank == 2 && shape[0] == read->length && strcmp(name, "columns") == 0)
        fill_columns(read, to);
    else if (strcmp(name, "company") == 0)
        fill_company(read, to);
    else
        memset(to, 0, (size_t)call->outputs[index]->size_bytes);
    return MODEL_OK;
}

static model_status run(struct model_instance *self, const struct model_call *call,
                        struct model_error *err)
{
    const struct fixture_instance *instance = (const struct fixture_instance *)self;
    struct read read = {.ids = input(call, "input_ids"),
                        .mask = input(call, "attention_mask"),
                        .scale = input(call, "scale"),
                        .bias = input(call, "bias")};
    for (uint32_t i = 0; i < call->n_inputs; i++) {
        if (strcmp(call->inputs[i]->name, "input_ids") == 0) {
            read.n = call->inputs[i]->shape[0];
            read.length = call->inputs[i]->shape[1];
        } else if (strcmp(call->inputs[i]->name, "bias") == 0) {
            read.width = call->inputs[i]->shape[0];
        }
    }
    model_status status = MODEL_OK;
    const int answers_late = read.n > 0 && read.length > 0 && read.ids[0] == -5;
    for (int64_t i = 0; i < (answers_late ? 1 : read.n) && read.length > 0 && status == MODEL_OK;
         i++)
        status = obey(instance->model->services, call, read.ids + i * read.length, err);
    for (uint32_t i = 0; i < call->n_outputs && status == MODEL_OK; i++)
        status = fill(call, &read, i, err);
    return status;
}

static model_status create_instance(const struct model *self, struct model_instance **ret,
                                    struct model_error *err)
{
    return fixture_create_instance(self, sizeof(struct fixture_instance), run, NULL, ret, err);
}

model_status create_model(const struct model_services *services,
                          const struct model_create_args *args, struct model **ret,
                          struct model_error *err)
{
    (void)args;
    struct fixture *model =
        fixture_create_model(services, sizeof *model, &description, create_instance, err);
    if (model == NULL)
        return MODEL_OUT_OF_MEMORY;
    *ret = &model->base;
    return MODEL_OK;
}
