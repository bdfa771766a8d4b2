/* graph_constants.c - the memory of constants: a reader's views and copies are there until the weights are packed, what
 * runs read of them stays.
 *
 * Large ones of these are read where they are, if they are float32 in a file that stays: of a table of which a run reads some
 * rows, only these are in memory. Others go through packed_blob(): from the second load on they are pages of a file that the
 * host guards, and nothing is copied. Where graphs share, so do large ones of the graph's own memory. */
#include "graph_passes.h"

#include <string.h>

#define LARGE_BYTES ((size_t)1 << 16)

const float *graph_numbers(struct graph *graph, uint32_t value)
{
    struct graph_value *constant = &graph->values[value];
    if (constant->numbers != NULL)
        return constant->numbers;
    const size_t n = graph_shape_size(&constant->shape);
    float *numbers = kernels_allocate(graph->kernels, n * sizeof *numbers);
    if (numbers != NULL) {
        const struct model_tensor tensor = {.dtype = constant->dtype,
                                            .data = (void *)(uintptr_t)constant->constant};
        weight_read_f32(&tensor, 0, n, numbers);
        constant->numbers = numbers;
    }
    return numbers;
}

/* What the graph has of a constant, except for what runs read. */
static void release(struct graph *graph, struct graph_value *value)
{
    void *constant = (void *)(uintptr_t)value->constant;
    void *numbers = (void *)(uintptr_t)value->numbers;
    if (numbers != NULL && numbers != constant && !value->is_kept)
        kernels_release(graph->kernels, numbers);
    if (value->is_own && !(value->is_kept && numbers == constant))
        kernels_release(graph->kernels, constant);
    value->constant = NULL;
    value->is_own = false;
    if (!value->is_kept)
        value->numbers = NULL;
}

static model_status fill(void *argument, void *destination)
{
    const struct graph_value *value = argument;
    const struct model_tensor tensor = {.dtype = value->dtype,
                                        .data = (void *)(uintptr_t)value->constant};
    weight_read_f32(&tensor, 0, graph_shape_size(&value->shape), destination);
    return MODEL_OK;
}

static bool stays(const struct graph *graph, const struct graph_value *value, size_t size_bytes)
{
    return graph->stays != NULL && value->dtype == MODEL_F32 &&
           graph->stays(graph->reader, value->constant, size_bytes);
}

model_status graph_keep(struct graph *graph, uint32_t index, struct model_error *err)
{
    const struct model_services *services = kernels_services(graph->kernels);
    struct graph_value *value = &graph->values[index];
    const size_t size_bytes = graph_shape_size(&value->shape) * sizeof(float);
    const bool is_large = size_bytes >= LARGE_BYTES;
    const void *kept = NULL;
    char key[WEIGHT_NAME_BYTES];
    if (value->constant == NULL || value->is_kept)
        return MODEL_OK;
    const bool is_of_graph =
        value->numbers != NULL && (value->is_own || value->numbers != value->constant);
    if (is_of_graph ? !(graph->shares && is_large) : is_large && stays(graph, value, size_bytes)) {
        value->is_kept = true;
        return MODEL_OK;
    }
    if (is_large) {
        const model_status status =
            services->packed_blob(services->context, weight_name(key, "value%u f32", index),
                                  size_bytes, fill, value, &kept);
        if (status != MODEL_OK)
            return kernels_fail(err, status, "a constant of %zu bytes cannot be kept", size_bytes);
    } else {
        float *copy = kernels_allocate(graph->kernels, size_bytes);
        if (copy == NULL)
            return kernels_no_memory(err, "a constant");
        (void)fill(value, copy);
        kept = copy;
    }
    if (value->numbers != value->constant)
        kernels_release(graph->kernels, (void *)(uintptr_t)value->numbers);
    value->numbers = kept;
    value->is_kept = true;
    graph_discard(graph, index);
    return MODEL_OK;
}

void graph_discard(struct graph *graph, uint32_t index)
{
    struct graph_value *value = &graph->values[index];
    if (value->constant == NULL)
        return;
    if (!value->is_own && graph->discard != NULL && graph_shape_size(&value->shape) > 0)
        graph->discard(graph->reader, value->constant,
                       graph_shape_size(&value->shape) * graph_number_bytes(value->dtype));
    else if (value->is_own && value->n_uses == 1)
        release(graph, value);
}

void graph_release_unread(struct graph *graph)
{
    for (uint32_t i = 0; i < graph->n_values; i++)
        if (graph->values[i].constant != NULL && graph->values[i].n_uses == 0) {
            graph_discard(graph, i);
            release(graph, &graph->values[i]);
        }
}

void graph_release_constants(struct graph *graph)
{
    for (uint32_t i = 0; i < graph->n_values; i++)
        if (graph->values[i].constant != NULL)
            release(graph, &graph->values[i]);
}
