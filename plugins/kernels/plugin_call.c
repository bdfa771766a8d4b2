/* plugin_call.c - see plugin_call.h. */
#include "kernels.h"

#include <stdio.h>
#include <string.h>

void spec_add(struct spec_list *list, const char *name, int32_t dtype, uint32_t flags,
              uint32_t rank, const struct model_dimension *shape)
{
    struct model_tensor_spec *spec = kernels_allocate(list->kernels, sizeof *spec);
    struct model_dimension *dimensions =
        kernels_allocate(list->kernels, (rank + 1) * sizeof *dimensions);
    if (list->specs == NULL)
        list->specs = kernels_allocate(list->kernels, MAX_SPECS * sizeof(void *));
    if (spec == NULL || dimensions == NULL || list->specs == NULL || list->n_specs == MAX_SPECS) {
        list->status = MODEL_OUT_OF_MEMORY;
        return;
    }
    memcpy(dimensions, shape, rank * sizeof *dimensions);
    *spec = (struct model_tensor_spec){.struct_size = sizeof *spec,
                                       .name = name,
                                       .dtype = dtype,
                                       .rank = rank,
                                       .shape = dimensions,
                                       .flags = flags};
    list->specs[list->n_specs++] = spec;
}

void spec_add_ids(struct spec_list *list, const char *name, uint32_t flags)
{
    const struct model_dimension shape[] = {list->batch, list->sequence};
    spec_add(list, name, MODEL_I64, flags, 2, shape);
}

void spec_add_tokens(struct spec_list *list, const char *name, uint32_t flags, int64_t width)
{
    const struct model_dimension shape[] = {list->batch, list->sequence, {NULL, width, width}};
    spec_add(list, name, MODEL_F32, flags, width > 0 ? 3 : 2, shape);
}

void spec_add_sequences(struct spec_list *list, const char *name, uint32_t flags, int64_t width)
{
    const struct model_dimension shape[] = {list->batch, {NULL, width, width}};
    spec_add(list, name, MODEL_F32, flags, 2, shape);
}

model_status spec_describe(const struct spec_list *inputs, const struct spec_list *outputs,
                           struct model_description *description, struct model_error *err)
{
    if (inputs->status != MODEL_OK || outputs->status != MODEL_OK)
        return kernels_no_memory(err, "the description");
    description->struct_size = sizeof *description;
    description->inputs = inputs->specs;
    description->outputs = outputs->specs;
    description->n_inputs = inputs->n_specs;
    description->n_outputs = outputs->n_specs;
    description->device = "cpu";
    description->compute_dtype = kernels_dtype_name(inputs->kernels);
    description->max_batch = INT64_MAX;
    description->cancel_grain = MODEL_CANCEL_LAYER;
    description->memory_bytes = kernels_memory_bytes(inputs->kernels);
    description->prepared_key = kernels_build_key(inputs->kernels);
    return MODEL_OK;
}

const struct model_tensor *call_input(const struct model_call *call, const char *name)
{
    for (uint32_t i = 0; i < call->n_inputs; i++)
        if (strcmp(call->inputs[i]->name, name) == 0)
            return call->inputs[i];
    return NULL;
}

float *take_output(struct call_reader *reader, const char *name, uint32_t rank,
                   const int64_t *shape)
{
    const struct model_call *call = reader->call;
    for (uint32_t i = 0; i < call->n_outputs && reader->status == MODEL_OK; i++) {
        if (strcmp(call->outputs[i]->name, name) != 0)
            continue;
        reader->status =
            call->allocate_output(call->context, i, MODEL_F32, rank, shape, reader->err);
        return reader->status == MODEL_OK ? call->outputs[i]->data : NULL;
    }
    return NULL;
}

float *take_described(struct call_reader *reader, const struct model_tensor_spec *spec)
{
    int64_t shape[MODEL_MAX_RANK];
    for (uint32_t i = 0; i < spec->rank; i++) {
        const struct model_dimension *dimension = &spec->shape[i];
        shape[i] = dimension->min;
        if (dimension->name != NULL)
            shape[i] = strcmp(dimension->name, "batch") == 0 ? reader->batch : reader->sequence;
    }
    return take_output(reader, spec->name, spec->rank, shape);
}

void take_again(const struct call_reader *reader, const struct model_tensor_spec *spec,
                const float *from, float *to)
{
    if (to == NULL || to == from)
        return;
    for (uint32_t i = 0; i < reader->call->n_outputs; i++)
        if (strcmp(reader->call->outputs[i]->name, spec->name) == 0)
            memcpy(to, from, reader->call->outputs[i]->size_bytes);
}

/* `tail` ends the sentence. */
static const int64_t *take_bounded(struct call_reader *reader, const char *name, int64_t n,
                                   const char *tail)
{
    const struct model_tensor *input = call_input(reader->call, name);
    if (input == NULL || reader->status != MODEL_OK)
        return NULL;
    const int64_t *ids = input->data;
    for (int64_t i = 0; i < reader->batch * reader->sequence; i++) {
        if (ids[i] >= 0 && ids[i] < n)
            continue;
        reader->status =
            kernels_fail(reader->err, MODEL_INVALID_ARGUMENT, "%s[%lld, %lld] is %lld, want %s",
                         name, (long long)(i / reader->sequence), (long long)(i % reader->sequence),
                         (long long)ids[i], tail);
        return NULL;
    }
    return ids;
}

const int64_t *take_ids(struct call_reader *reader, const char *name, int64_t n, const char *limit)
{
    char tail[128];
    (void)snprintf(tail, sizeof tail, "0 to %lld (%s %lld)", (long long)(n - 1), limit,
                   (long long)n);
    return take_bounded(reader, name, n, tail);
}

const int64_t *take_mask(struct call_reader *reader, const char *name)
{
    return take_bounded(reader, name, 2, "0 (hidden) or 1");
}

struct call_reader call_read(const struct model_call *call, const char *name,
                             struct model_error *err)
{
    const int64_t *shape = call_input(call, name)->shape;
    return (struct call_reader){call, err, MODEL_OK, shape[0], shape[1]};
}

void *scratch_take(struct scratch *scratch, size_t n, size_t size_bytes)
{
    char *taken = scratch->memory == NULL ? NULL : scratch->memory + scratch->used;
    scratch->used += (n * size_bytes + 63) / 64 * 64;
    return taken;
}

model_status scratch_layout(const struct kernels *kernels,
                            void (*layout)(void *context, struct scratch *scratch), void *context,
                            struct model_error *err)
{
    const struct model_services *services = kernels_services(kernels);
    struct scratch scratch = {NULL, 0};
    layout(context, &scratch);
    scratch = (struct scratch){services->scratch(services->context, scratch.used + 64), 0};
    if (scratch.memory == NULL)
        return kernels_no_memory(err, "the buffers of a run");
    layout(context, &scratch);
    return MODEL_OK;
}
