/* linear_source.c - see linear_source.h. */
#include "linear_source.h"

#include <stdio.h>
#include <string.h>

static model_status find_bias(struct kernels *kernels, const struct linear_spec *spec,
                              struct linear_source *source, struct model_error *err)
{
    if (spec->n_parts == 1 && spec->biases[0] != NULL)
        return weight_vector(kernels, spec->biases[0], (int64_t)source->out_features, &source->bias,
                             err);
    float *bias = kernels_allocate(kernels, source->out_features * sizeof *bias);
    if (bias == NULL)
        return kernels_no_memory(err, "a bias");
    const int64_t shape[1] = {(int64_t)source->part_rows};
    for (uint32_t i = 0; i < spec->n_parts && spec->biases[i] != NULL; i++) {
        struct model_tensor part;
        model_status status = weight_find(kernels, spec->biases[i], 1, shape, &part, err);
        if (status != MODEL_OK)
            return status;
        weight_read_f32(&part, 0, source->part_rows, bias + i * source->part_rows);
    }
    source->bias = bias;
    return MODEL_OK;
}

model_status linear_source_find(struct kernels *kernels, const struct linear_spec *spec,
                                struct linear_source *ret, struct model_error *err)
{
    struct linear_source source = {.n_parts = spec->n_parts,
                                   .transposed = spec->transposed,
                                   .in_features = (size_t)spec->in_features};
    const int64_t out = spec->out_features <= 0 ? -1 : spec->out_features / spec->n_parts;
    const int64_t shape[2] = {spec->transposed ? spec->in_features : out,
                              spec->transposed ? out : spec->in_features};
    for (uint32_t i = 0; i < spec->n_parts; i++) {
        model_status status =
            weight_find(kernels, spec->weights[i], 2, shape, &source.parts[i], err);
        if (status != MODEL_OK)
            return status;
    }
    source.part_rows = (size_t)source.parts[0].shape[spec->transposed ? 1 : 0];
    source.out_features = source.part_rows * source.n_parts;
    model_status status = find_bias(kernels, spec, &source, err);
    if (status == MODEL_OK)
        *ret = source;
    return status;
}

const float *linear_source_view(const struct linear_source *source)
{
    return source->n_parts == 1 && source->parts[0].dtype == MODEL_F32 ? source->parts[0].data
                                                                       : NULL;
}

bool linear_source_stays(const struct linear_source *source)
{
    return source->n_parts == 1 && !source->transposed && source->parts[0].dtype != MODEL_F64;
}

void linear_source_read(const struct linear_source *source, size_t first, size_t n_rows, float *ret)
{
    for (size_t row = first; row < first + n_rows; row++, ret += source->in_features)
        weight_read_f32(&source->parts[row / source->part_rows],
                        row % source->part_rows * source->in_features, source->in_features, ret);
}

void linear_source_discard(const struct kernels *kernels, const struct linear_source *source)
{
    for (uint32_t i = 0; i < source->n_parts; i++)
        kernels->services->discard_tensor(kernels->services->context, &source->parts[i]);
}

const char *linear_source_key(const struct kernels *kernels, const struct linear_source *source,
                              const char *layout, char key[LINEAR_KEY_BYTES])
{
    int used = snprintf(key, LINEAR_KEY_BYTES, "%s %s f32 [%zu, %zu]%s", kernels->build_key, layout,
                        source->out_features, source->in_features, source->transposed ? " T" : "");
    for (uint32_t i = 0; i < source->n_parts && used > 0 && used < LINEAR_KEY_BYTES; i++)
        used += snprintf(key + used, LINEAR_KEY_BYTES - (size_t)used, " %s", source->parts[i].name);
    return key;
}

void linear_runner_begin(struct linear_runner *runner, const struct model_cancel *cancel,
                         struct model_error *err)
{
    struct linear_progress *progress = (struct linear_progress *)runner;
    *progress = (struct linear_progress){progress->conv, cancel, err, MODEL_OK, 0};
}

void linear_runner_count(struct linear_runner *runner, size_t multiply_adds)
{
    ((struct linear_progress *)runner)->multiply_adds += multiply_adds;
}

uint64_t linear_runner_counted(const struct linear_runner *runner)
{
    return ((const struct linear_progress *)runner)->multiply_adds;
}

model_status linear_runner_status(const struct linear_runner *runner)
{
    return ((const struct linear_progress *)runner)->status;
}

bool linear_progress_ask(struct linear_progress *progress)
{
    if (progress->status != MODEL_OK || progress->cancel == NULL)
        return progress->status == MODEL_OK;
    progress->status = model_cancel_status(progress->cancel);
    if (progress->status != MODEL_OK)
        (void)kernels_fail(progress->err, progress->status,
                           progress->status == MODEL_DEADLINE ? "the deadline passed during the run"
                                                              : "the run was cancelled");
    return progress->status == MODEL_OK;
}
