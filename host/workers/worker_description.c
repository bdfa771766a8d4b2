/* worker_description.c - see worker_description.h.
 *
 * What is read lies in one block: the description, the lists, the specs, the dimensions, and a copy of the
 * bytes, in which the texts are. How many there are is counted in a first pass over the same bytes. */
#include "worker_description.h"
#include "device_plan.h"
#include "errors.h"
#include "schema.h"
#include "worker_codec.h"

#include <stdlib.h>
#include <string.h>

/* ---- writing */

static model_status write_numbers(struct buffer *buffer, const uint64_t *numbers, size_t n)
{
    model_status status = MODEL_OK;
    for (size_t i = 0; i < n && status == MODEL_OK; i++)
        status = worker_write_number(buffer, numbers[i]);
    return status;
}

static model_status write_spec(struct buffer *buffer, const struct model_tensor_spec *spec)
{
    const uint64_t numbers[] = {(uint64_t)spec->dtype, spec->rank, spec->flags};
    model_status status = worker_write_text(buffer, spec->name);
    if (status == MODEL_OK)
        status = write_numbers(buffer, numbers, 3);
    for (uint32_t i = 0; i < spec->rank && status == MODEL_OK; i++) {
        const uint64_t bounds[] = {(uint64_t)spec->shape[i].min, (uint64_t)spec->shape[i].max};
        status = worker_write_text(buffer, spec->shape[i].name);
        if (status == MODEL_OK)
            status = write_numbers(buffer, bounds, 2);
    }
    return status;
}

static uint64_t bits_of(double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

static model_status write_plan(const struct model_device_plan *plan, struct buffer *ret)
{
    static const struct model_device_plan none = {.struct_size = 0};
    const struct model_device_plan *p = plan != NULL ? plan : &none;
    const uint64_t numbers[] = {p->struct_size > 0, (uint64_t)p->requested_units,
                                p->by_kernels,      p->n_operators,
                                p->n_neural_engine, p->n_gpu,
                                p->n_cpu,           bits_of(p->neural_engine_share)};
    return write_numbers(ret, numbers, sizeof numbers / sizeof *numbers);
}

model_status worker_description_write(const struct model_description *d,
                                      const struct model_device_plan *plan, struct buffer *ret,
                                      struct model_error *err)
{
    const char *const texts[] = {d->architecture, d->task, d->device, d->compute_dtype,
                                 d->prepared_key};
    const uint64_t numbers[] = {d->n_inputs,     d->n_outputs,      (uint64_t)d->max_batch,
                                d->capabilities, d->cancel_grain,   bits_of(d->accelerator_share),
                                d->memory_bytes, d->instance_bytes, (uint64_t)d->estimated_run_ns,
                                d->max_slots};
    model_status status = write_numbers(ret, numbers, sizeof numbers / sizeof *numbers);
    if (status == MODEL_OK)
        status = write_plan(plan, ret);
    for (size_t i = 0; i < sizeof texts / sizeof *texts && status == MODEL_OK; i++)
        status = worker_write_text(ret, texts[i]);
    for (uint32_t i = 0; i < d->n_inputs && status == MODEL_OK; i++)
        status = write_spec(ret, d->inputs[i]);
    for (uint32_t i = 0; i < d->n_outputs && status == MODEL_OK; i++)
        status = write_spec(ret, d->outputs[i]);
    return status == MODEL_OK
               ? MODEL_OK
               : error_set(err, status, "the model's description is too large to be sent");
}

/* ---- reading */

struct room {
    struct model_tensor_spec *specs;
    const struct model_tensor_spec **pointers;
    struct model_dimension *dimensions;
};

/* One spec; with room NULL it is only passed over. Returns its rank. */
static uint32_t read_spec(struct worker_reader *reader, struct model_tensor_spec *spec,
                          struct model_dimension *dimensions)
{
    const char *name = worker_read_text(reader);
    const uint64_t dtype = worker_read_number(reader), rank = worker_read_number(reader);
    const uint64_t flags = worker_read_number(reader);
    if (name == NULL || rank > MODEL_MAX_RANK) {
        reader->failed = true;
        return 0;
    }
    for (uint32_t i = 0; i < rank; i++) {
        const char *dimension = worker_read_text(reader);
        const int64_t min = (int64_t)worker_read_number(reader);
        const int64_t max = (int64_t)worker_read_number(reader);
        if (dimensions != NULL)
            dimensions[i] = (struct model_dimension){dimension, min, max};
    }
    if (spec != NULL)
        *spec = (struct model_tensor_spec){.struct_size = sizeof *spec,
                                           .name = name,
                                           .dtype = (int32_t)dtype,
                                           .rank = (uint32_t)rank,
                                           .shape = dimensions,
                                           .flags = (uint32_t)flags};
    return (uint32_t)rank;
}

static double double_of(uint64_t bits)
{
    double number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static void read_plan(struct worker_reader *reader, struct model_device_plan *ret)
{
    uint64_t numbers[8];
    bool fits = true;
    for (size_t i = 0; i < 8; i++) {
        numbers[i] = worker_read_number(reader);
        fits = fits && (i == 7 || numbers[i] <= UINT32_MAX);
    }
    *ret = (struct model_device_plan){.struct_size = numbers[0] == 1 ? sizeof *ret : 0,
                                      .requested_units = (int32_t)numbers[1],
                                      .by_kernels = (uint32_t)numbers[2],
                                      .n_operators = (uint32_t)numbers[3],
                                      .n_neural_engine = (uint32_t)numbers[4],
                                      .n_gpu = (uint32_t)numbers[5],
                                      .n_cpu = (uint32_t)numbers[6],
                                      .neural_engine_share = double_of(numbers[7])};
    if (!fits || numbers[0] > 1 || !device_plan_is_sound(ret))
        reader->failed = true;
}

static void read_head(struct worker_reader *reader, struct model_description *d,
                      struct model_device_plan *plan)
{
    const uint64_t n_inputs = worker_read_number(reader), n_outputs = worker_read_number(reader);
    if (n_inputs > SCHEMA_MAX_TENSORS || n_outputs > SCHEMA_MAX_TENSORS)
        reader->failed = true;
    *d = (struct model_description){
        .struct_size = sizeof *d, .n_inputs = (uint32_t)n_inputs, .n_outputs = (uint32_t)n_outputs};
    d->max_batch = (int64_t)worker_read_number(reader);
    d->capabilities = (uint32_t)worker_read_number(reader);
    d->cancel_grain = (uint32_t)worker_read_number(reader);
    d->accelerator_share = double_of(worker_read_number(reader));
    d->memory_bytes = worker_read_number(reader);
    d->instance_bytes = worker_read_number(reader);
    d->estimated_run_ns = (int64_t)worker_read_number(reader);
    d->max_slots = (uint32_t)worker_read_number(reader);
    read_plan(reader, plan);
    d->architecture = worker_read_text(reader);
    d->task = worker_read_text(reader);
    d->device = worker_read_text(reader);
    d->compute_dtype = worker_read_text(reader);
    d->prepared_key = worker_read_text(reader);
}

static bool count_dimensions(struct worker_reader reader, size_t *ret)
{
    struct model_description head;
    struct model_device_plan plan;
    read_head(&reader, &head, &plan);
    size_t n = 0;
    for (uint32_t i = 0; !reader.failed && i < head.n_inputs + head.n_outputs; i++)
        n += read_spec(&reader, NULL, NULL);
    *ret = n;
    return worker_read_all(&reader);
}

static void read_specs(struct worker_reader *reader, uint32_t n, struct room *room)
{
    for (uint32_t i = 0; i < n; i++) {
        *room->pointers++ = room->specs;
        room->dimensions += read_spec(reader, room->specs++, room->dimensions);
    }
}

/* Memory for a description with its parts and a copy of the bytes; the parts follow in falling alignment. */
static struct model_description *make_room(const void *data, size_t size_bytes, size_t n_dimensions,
                                           size_t n_specs, struct room *ret, uint8_t **ret_bytes)
{
    const size_t total = sizeof(struct model_description) +
                         n_specs * (sizeof *ret->specs + sizeof *ret->pointers) +
                         n_dimensions * sizeof *ret->dimensions + size_bytes;
    struct model_description *block = calloc(1, total);
    if (block == NULL)
        return NULL;
    ret->specs = (struct model_tensor_spec *)(block + 1);
    ret->pointers = (const struct model_tensor_spec **)(ret->specs + n_specs);
    ret->dimensions = (struct model_dimension *)(ret->pointers + n_specs);
    *ret_bytes = (uint8_t *)(ret->dimensions + n_dimensions);
    memcpy(*ret_bytes, data, size_bytes);
    return block;
}

model_status worker_description_read(const void *data, size_t size_bytes,
                                     struct model_description **ret,
                                     struct model_device_plan *ret_plan, struct model_error *err)
{
    struct worker_reader reader = {.data = data, .size_bytes = size_bytes};
    struct model_description head;
    struct model_device_plan plan;
    struct room room;
    uint8_t *bytes = NULL;
    size_t n_dimensions = 0;
    if (!count_dimensions(reader, &n_dimensions))
        return error_set(err, MODEL_CORRUPT, "the worker's description of the model is damaged");
    read_head(&reader, &head, &plan);
    struct model_description *description = make_room(
        data, size_bytes, n_dimensions, (size_t)head.n_inputs + head.n_outputs, &room, &bytes);
    if (description == NULL)
        return error_no_memory(err, "a model's description");
    reader = (struct worker_reader){.data = bytes, .size_bytes = size_bytes};
    read_head(&reader, description, &plan);
    description->inputs = room.pointers;
    description->outputs = room.pointers + description->n_inputs;
    read_specs(&reader, description->n_inputs + description->n_outputs, &room);
    model_status status = schema_check_description(description, err);
    if (status != MODEL_OK) {
        free(description);
        return error_set(err, MODEL_CORRUPT, "the worker's description of the model is no good");
    }
    *ret = description;
    *ret_plan = plan;
    return MODEL_OK;
}
