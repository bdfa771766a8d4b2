/* describe_features.c - see describe_features.h. */
#include "describe_features.h"

#include "variants.h"

#include <stdio.h>
#include <string.h>

#define SUFFIX_BYTES 4 /* "_7" and its end */

void describe_tensor(struct spec_list *list, const char *name, int32_t dtype, uint32_t flags,
                     uint32_t rank, const int64_t *min, const int64_t *max)
{
    struct model_dimension shape[MODEL_MAX_RANK];
    const size_t name_bytes = strlen(name) + SUFFIX_BYTES;
    char *names = kernels_allocate(list->kernels, MODEL_MAX_RANK * name_bytes);
    if (names == NULL) {
        list->status = MODEL_OUT_OF_MEMORY;
        return;
    }
    for (uint32_t i = 0; i < rank; i++) {
        char *dimension = names + i * name_bytes;
        (void)snprintf(dimension, name_bytes, "%s_%u", name, (unsigned)i);
        shape[i] = (struct model_dimension){min[i] < max[i] ? dimension : NULL, min[i], max[i]};
    }
    spec_add(list, name, dtype, flags, rank, shape);
}

/* ---- sizes of outputs */

/* Widens the bounds by the outputs at these sizes of the inputs: by what they are, or, where `is_open`, without end. */
static void widen(struct output_bounds *bounds, const struct ane_variant *usual,
                  const struct ane_variant *at, bool is_open)
{
    for (uint32_t k = 0; k < usual->n_outputs; k++)
        for (uint32_t i = 0; i < usual->outputs[k].shape.rank; i++) {
            const int64_t size = at->outputs[k].shape.size[i];
            int64_t *min = &bounds->min[k].size[i], *max = &bounds->max[k].size[i];
            if (size == usual->outputs[k].shape.size[i])
                continue;
            *min = is_open ? 1 : size < *min ? size : *min;
            *max = is_open ? INT64_MAX : size > *max ? size : *max;
        }
}

static bool have_same_ranks(const struct ane_variant *a, const struct ane_variant *b)
{
    for (uint32_t k = 0; k < a->n_outputs; k++)
        if (a->outputs[k].shape.rank != b->outputs[k].shape.rank)
            return false;
    return true;
}

/* The model cannot be computed there: any size may be one of the outputs'. */
static void open_all(struct output_bounds *bounds, const struct ane_variant *usual)
{
    for (uint32_t k = 0; k < usual->n_outputs; k++)
        for (uint32_t i = 0; i < usual->outputs[k].shape.rank; i++) {
            bounds->min[k].size[i] = 1;
            bounds->max[k].size[i] = INT64_MAX;
        }
}

/* The largest sizes of the inputs, or where there is no bound larger ones than the default; false: somewhere there is none. */
static bool largest_sizes(const struct coreml_ane *ane, struct graph_shape *ret)
{
    bool is_bounded = true;
    for (uint32_t k = 0; k < ane->usual.n_inputs; k++) {
        ret[k] = ane->sizes[k].max;
        for (uint32_t i = 0; i < ret[k].rank; i++)
            if (ret[k].size[i] == INT64_MAX) {
                ret[k].size[i] = 2 * ane->usual.inputs[k].shape.size[i];
                is_bounded = false;
            }
    }
    return is_bounded;
}

model_status describe_bound_outputs(const struct coreml_ane *ane, struct output_bounds *bounds,
                                    struct model_error *err)
{
    struct graph_shape sizes[2][COREML_ANE_MAX_FEATURES];
    for (uint32_t k = 0; k < ane->usual.n_outputs; k++)
        bounds->min[k] = bounds->max[k] = ane->usual.outputs[k].shape;
    if (ane->variants == NULL)
        return MODEL_OK;
    for (uint32_t k = 0; k < ane->usual.n_inputs; k++)
        sizes[0][k] = ane->sizes[k].min;
    const bool is_bounded[] = {true, largest_sizes(ane, sizes[1])};
    for (size_t i = 0; i < 2; i++) {
        struct ane_variant at;
        const model_status status = variants_infer(ane->variants, sizes[i], &at, err);
        if (status == MODEL_OUT_OF_MEMORY)
            return status;
        if (status == MODEL_OK && have_same_ranks(&ane->usual, &at))
            widen(bounds, &ane->usual, &at, !is_bounded[i]);
        else
            open_all(bounds, &ane->usual);
        if (status != MODEL_OK && err != NULL)
            err->message[0] = '\0';
    }
    return MODEL_OK;
}

/* ---- */

static void add_inputs(const struct coreml_ane *ane, struct spec_list *list)
{
    for (uint32_t k = 0; k < ane->usual.n_inputs; k++) {
        const struct ane_feature *input = &ane->usual.inputs[k];
        describe_tensor(list, input->name, input->dtype, input->flags, input->shape.rank,
                        ane->sizes[k].min.size, ane->sizes[k].max.size);
    }
}

static void add_outputs(const struct coreml_ane *ane, const struct output_bounds *bounds,
                        struct spec_list *list)
{
    for (uint32_t k = 0; k < ane->usual.n_outputs; k++) {
        const struct ane_feature *output = &ane->usual.outputs[k];
        describe_tensor(list, output->name, output->dtype, output->flags, output->shape.rank,
                        bounds->min[k].size, bounds->max[k].size);
    }
}

model_status describe_features(struct coreml_ane *ane, struct model_error *err)
{
    struct model_description *description = &ane->model.description;
    struct spec_list in = {.kernels = ane->model.kernels}, out = in;
    struct output_bounds bounds;
    model_status status = describe_bound_outputs(ane, &bounds, err);
    if (status != MODEL_OK)
        return status;
    add_inputs(ane, &in);
    add_outputs(ane, &bounds, &out);
    description->instance_bytes = graph_run_bytes(ane->usual.graph);
    status = spec_describe(&in, &out, description, err);
    description->max_batch = 1;
    if (ane->variants != NULL)
        description->memory_bytes += ane->file->size_bytes;
    return status;
}
