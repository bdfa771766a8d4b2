/* plugin_reader.c - a fixture that generates: the most probable token behind a text depends on all of it (a digest), and
 * is, but for some, the one that stood "period" (default 5) tokens before. A slot keeps the ids that it has read.
 * config.json: "vocab_size" (default 50), "positions" (default 500), "slots" (default 8), "rewinds": 0 for a memory
 * that knows its end only, "breaks": one token of so many is another (default 7), "near": of one of so many the next
 * best is hardly worse, and which of the two is better depends on whether its row was read alone (default 0: never);
 * "mask": 1 for one with an attention_mask, for texts that end before their row does; "rows_name": what its first
 * dimension is called (default "batch"); "fails_at": n, a run that reads the n-th token fails
 * once, and leaves nonsense in its slot; "entered_path" and "release_path": each run() writes a byte to the one pipe and
 * then waits for one from the other. Each run() logs "reader: N rows". */
#include "fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

MODEL_PLUGIN_NOTE("reader", "1.0.0", "reader");

enum { MAX_SLOTS = 8, MAX_POSITIONS = 4096 };

struct slot {
    int64_t n, ids[MAX_POSITIONS];
};

struct reader {
    struct fixture base;
    struct model_description description;
    struct model_tensor_spec ids, mask, logits, last;
    const struct model_tensor_spec *inputs[2], *outputs[2];
    struct model_dimension shape[3], last_shape[2];
    int64_t vocab_size, positions, n_slots, period, breaks, near, fails_at;
    int rewinds, has_failed, takes_mask;
    const char *entered_path, *release_path; /* NULL: it is not held */
    const char *rows_name;
};

struct reader_instance {
    struct fixture_instance base;
    struct slot slots[MAX_SLOTS], scratch;
};

static void write_logits(const struct reader *model, const struct slot *slot, int is_alone,
                         float *logits)
{
    uint64_t digest = 1469598103934665603u; /* FNV-1a of the ids */
    for (int64_t i = 0; i < slot->n; i++)
        digest = (digest ^ (uint64_t)slot->ids[i]) * 1099511628211u;
    digest ^= digest >> 29;
    const int is_other = slot->n < model->period || digest % (uint64_t)model->breaks == 0;
    const int64_t other = (int64_t)(digest >> 16) % model->vocab_size;
    const int64_t best = is_other ? other : slot->ids[slot->n - model->period];
    const int is_near = model->near > 0 && (digest >> 8) % (uint64_t)model->near == 0;
    for (int64_t i = 0; i < model->vocab_size; i++)
        logits[i] = -1.0f;
    logits[best] = 4.0f;
    if (is_near)
        logits[(best + 1) % model->vocab_size] = is_alone ? 3.9999f : 4.0001f;
}

static int pass_gates(const struct reader *model)
{
    char byte = 1;
    if (model->entered_path == NULL)
        return 1;
    const int entered = open(model->entered_path, O_WRONLY | O_CLOEXEC);
    const int release = open(model->release_path, O_RDONLY | O_CLOEXEC);
    const int passed = entered >= 0 && release >= 0 && write(entered, &byte, 1) == 1 &&
                       read(release, &byte, 1) == 1;
    (void)close(entered);
    (void)close(release);
    return passed;
}

/* Reads the item's ids into the slot, with the logits behind each where all(n, vocab_size) is not NULL, and behind the
 * last one. */
static model_status read_item(struct reader *model, struct slot *slot, const int64_t *ids,
                              int64_t n, int is_alone, float *all, float *last,
                              struct model_error *err)
{
    for (int64_t k = 0; k < n; k++) {
        if (slot->n == model->positions)
            return refuse(err, MODEL_INVALID_ARGUMENT, "reader: the slot is full");
        if (ids[k] < 0 || ids[k] >= model->vocab_size)
            return refuse(err, MODEL_INVALID_ARGUMENT, "reader: an id is not in the vocabulary");
        slot->ids[slot->n++] = ids[k];
        if (slot->n == model->fails_at && !model->has_failed) {
            model->has_failed = 1;
            return refuse(err, MODEL_INTERNAL, "reader: failed as told");
        }
        if (all != NULL)
            write_logits(model, slot, is_alone, all + k * model->vocab_size);
        if (last != NULL && k + 1 == n)
            write_logits(model, slot, is_alone, last);
    }
    return MODEL_OK;
}

/* How many of the n positions of row i are to be read: those before the first that the mask hides. */
static int64_t length_of(const struct model_call *call, int64_t i, int64_t n)
{
    const int64_t *mask = call->n_inputs == 2 ? (const int64_t *)call->inputs[1]->data : NULL;
    int64_t length = 0;
    while (length < n && (mask == NULL || mask[i * n + length] != 0))
        length++;
    return length;
}

static model_status run(struct model_instance *self, const struct model_call *call,
                        struct model_error *err)
{
    struct reader_instance *instance = (struct reader_instance *)self;
    struct reader *model = (struct reader *)(uintptr_t)instance->base.model;
    const int64_t *ids = call->inputs[0]->data;
    const int64_t batch = call->inputs[0]->shape[0], n = call->inputs[0]->shape[1];
    const int64_t shape[] = {batch, n, model->vocab_size}, last_shape[] = {batch, shape[2]};
    float *results[2] = {NULL, NULL};
    char line[60];
    int64_t n_rows = 0;
    model_status status = MODEL_OK;
    for (int64_t i = 0; i < batch; i++)
        n_rows += length_of(call, i, n);
    (void)snprintf(line, sizeof line, "reader: %lld rows", (long long)n_rows);
    model->base.services->log(model->base.services->context, MODEL_LOG_WARN, line);
    if (!pass_gates(model))
        return refuse(err, MODEL_IO, "reader: no pipes");
    if (model_cancel_status(call->cancel) != MODEL_OK)
        return refuse(err, model_cancel_status(call->cancel), "reader: stopped");
    for (uint32_t i = 0; i < call->n_outputs && status == MODEL_OK; i++) {
        const int is_all = strcmp(call->outputs[i]->name, "logits") == 0;
        status = call->allocate_output(call->context, i, MODEL_F32, is_all ? 3 : 2,
                                       is_all ? shape : last_shape, err);
        results[!is_all] = status == MODEL_OK ? call->outputs[i]->data : NULL;
    }
    for (int64_t i = 0; i < batch && status == MODEL_OK; i++) {
        struct slot *slot = &instance->scratch;
        if (call->slots != NULL)
            slot = &instance->slots[call->slots[i]];
        else
            slot->n = 0;
        status = read_item(model, slot, ids + i * n, length_of(call, i, n), n == 1,
                           results[0] != NULL ? results[0] + i * n * shape[2] : NULL,
                           results[1] != NULL ? results[1] + i * shape[2] : NULL, err);
    }
    return status;
}

static model_status keep(struct model_instance *self, uint32_t to, uint32_t from, int64_t n_tokens,
                         int64_t *ret_kept, struct model_error *err)
{
    struct reader_instance *instance = (struct reader_instance *)self;
    const struct reader *model = (const struct reader *)instance->base.model;
    struct slot *target = &instance->slots[to], *source = &instance->slots[from];
    if (n_tokens > source->n)
        return refuse(err, MODEL_INVALID_ARGUMENT, "reader: the slot has not read so much");
    if (n_tokens < source->n && !model->rewinds)
        n_tokens = 0;
    memmove(target->ids, source->ids, (size_t)n_tokens * sizeof *target->ids);
    target->n = *ret_kept = n_tokens;
    return MODEL_OK;
}

static model_status create_instance(const struct model *self, struct model_instance **ret,
                                    struct model_error *err)
{
    const struct fixture *model = (const struct fixture *)self;
    model->services->log(model->services->context, MODEL_LOG_WARN, "reader: an instance");
    return fixture_create_instance(self, sizeof(struct reader_instance), run, keep, ret, err);
}

static void describe(struct reader *model)
{
    const struct model_dimension vocabulary = {NULL, model->vocab_size, model->vocab_size};
    model->shape[0] = model->last_shape[0] =
        (struct model_dimension){model->rows_name, 1, INT64_MAX};
    model->shape[1] = (struct model_dimension){"sequence", 1, model->positions};
    model->shape[2] = model->last_shape[1] = vocabulary;
    model->ids = (struct model_tensor_spec){sizeof model->ids, "input_ids", MODEL_I64, 2,
                                            model->shape,      0,           0};
    model->logits = (struct model_tensor_spec){sizeof model->logits, "logits", MODEL_F32, 3,
                                               model->shape,         0,        0};
    model->last =
        (struct model_tensor_spec){sizeof model->last, "next_token_logits",   MODEL_F32, 2,
                                   model->last_shape,  MODEL_SPEC_ON_REQUEST, 0};
    model->mask = model->ids;
    model->mask.name = "attention_mask";
    model->mask.flags = MODEL_SPEC_OPTIONAL;
    model->inputs[0] = &model->ids;
    model->inputs[1] = &model->mask;
    model->outputs[0] = &model->logits;
    model->outputs[1] = &model->last;
    model->description = (struct model_description){.struct_size = sizeof model->description,
                                                    .architecture = "Reader",
                                                    .task = "text-generation",
                                                    .inputs = model->inputs,
                                                    .outputs = model->outputs,
                                                    .n_inputs = model->takes_mask ? 2 : 1,
                                                    .n_outputs = 2,
                                                    .device = "cpu",
                                                    .compute_dtype = "f32",
                                                    .max_batch = INT64_MAX,
                                                    .max_slots = (uint32_t)model->n_slots};
}

model_status create_model(const struct model_services *services,
                          const struct model_create_args *args, struct model **ret,
                          struct model_error *err)
{
    (void)args;
    struct reader *model =
        fixture_create_model(services, sizeof *model, NULL, create_instance, err);
    if (model == NULL)
        return MODEL_OUT_OF_MEMORY;
    model->vocab_size = (int64_t)config_number(services, "vocab_size", 50);
    model->positions = (int64_t)config_number(services, "positions", 500);
    model->n_slots = (int64_t)config_number(services, "slots", MAX_SLOTS);
    model->period = (int64_t)config_number(services, "period", 5);
    model->breaks = (int64_t)config_number(services, "breaks", 7);
    model->near = (int64_t)config_number(services, "near", 0);
    model->fails_at = (int64_t)config_number(services, "fails_at", 0);
    model->rewinds = config_number(services, "rewinds", 1) != 0;
    model->takes_mask = config_number(services, "mask", 0) != 0;
    model->has_failed = 0;
    model->entered_path = config(services, "entered_path").string;
    model->release_path = config(services, "release_path").string;
    model->rows_name = config(services, "rows_name").string;
    if (model->rows_name == NULL)
        model->rows_name = "batch";
    describe(model);
    model->base.base.description = &model->description;
    *ret = &model->base.base;
    return MODEL_OK;
}
