/* recurrent_panels.c - the weights of recurrent_steps.h: found, checked, packed in panels.
 * [create-thread] */
#include "linear_source.h"
#include "recurrent_steps.h"

#include <stdio.h>
#include <string.h>

struct pack_job {
    const struct kernels *kernels;
    const struct linear_source *source;
    const struct recurrent_panels *panels;
};

size_t recurrent_panel_numbers(const struct recurrent_panels *panels)
{
    const size_t depth = panels->is_bf16 ? (panels->depth + 1) / 2 * 2 : panels->depth;
    return depth * panels->n_parts * panels->width;
}

/* n rows of one part into columns [0, width) of a panel; zeros where there are no rows. */
static void transpose(const float *rows, size_t n, const struct recurrent_panels *panels,
                      float *panel)
{
    const size_t columns = panels->n_parts * panels->width;
    for (size_t k = 0; k < panels->depth; k++)
        for (size_t column = 0; column < panels->width; column++)
            panel[k * columns + column] = column < n ? rows[column * panels->depth + k] : 0.0f;
}

/* The same in pairs; the panel is all zero. */
static void transpose_bf16(const struct vector_kernels *vector, const float *rows, size_t n,
                           const struct recurrent_panels *panels, uint16_t *panel)
{
    const size_t columns = panels->n_parts * panels->width;
    for (size_t column = 0; column < n; column++)
        for (size_t k = 0; k < panels->depth; k++)
            vector->to_bf16(&rows[column * panels->depth + k], 1,
                            &panel[(k / 2 * columns + column) * 2 + k % 2]);
}

static model_status pack(void *argument, void *destination)
{
    const struct pack_job *job = argument;
    const struct recurrent_panels *panels = job->panels;
    const struct model_services *services = job->kernels->services;
    const size_t n_numbers = recurrent_panel_numbers(panels);
    float *rows = services->allocate(services->context,
                                     panels->width * panels->depth * sizeof *rows); /* of a part */
    if (rows == NULL)
        return MODEL_OUT_OF_MEMORY;
    if (panels->is_bf16)
        memset(destination, 0, panels->n_panels * n_numbers * sizeof(uint16_t));
    for (size_t i = 0; i < panels->n_panels; i++) {
        const size_t first = i * panels->width, left = panels->part_rows - first;
        const size_t n = left < panels->width ? left : panels->width;
        for (size_t part = 0; part < panels->n_parts; part++) {
            linear_source_read(job->source, part * panels->part_rows + first, n, rows);
            if (panels->is_bf16)
                transpose_bf16(job->kernels->vector, rows, n, panels,
                               (uint16_t *)destination + i * n_numbers + 2 * part * panels->width);
            else
                transpose(rows, n, panels,
                          (float *)destination + i * n_numbers + part * panels->width);
        }
    }
    services->release(services->context, rows);
    return MODEL_OK;
}

void load_panels(struct loader *loader, const char *const *weights, size_t n_weights,
                 const char *bias, size_t part_rows, struct recurrent_panels *panels,
                 const float **ret_bias)
{
    const struct model_services *services = kernels_services(loader->kernels);
    struct linear_spec spec = {.biases = {bias},
                               .n_parts = (uint32_t)n_weights,
                               .in_features = (int64_t)panels->depth,
                               .out_features = (int64_t)(panels->n_parts * part_rows)};
    for (size_t i = 0; i < n_weights; i++)
        spec.weights[i] = weights[i];
    struct linear_source source;
    if (loader->status == MODEL_OK)
        loader->status = linear_source_find(loader->kernels, &spec, &source, loader->err);
    if (loader->status != MODEL_OK)
        return;
    panels->part_rows = part_rows;
    panels->n_panels = (part_rows + panels->width - 1) / panels->width;
    panels->is_bf16 = loader->kernels->dtype != COMPUTE_F32;
    struct pack_job job = {loader->kernels, &source, panels};
    const size_t size_bytes = panels->n_panels * recurrent_panel_numbers(panels) *
                              (panels->is_bf16 ? sizeof(uint16_t) : sizeof(float));
    char layout[64], key[LINEAR_KEY_BYTES];
    const void *packed = NULL;
    (void)snprintf(layout, sizeof layout, "panels-%zux%zu%s", panels->n_parts, panels->width,
                   panels->is_bf16 ? "-bf16" : "");
    loader->status = services->packed_blob(services->context,
                                           linear_source_key(loader->kernels, &source, layout, key),
                                           size_bytes, pack, &job, &packed);
    if (loader->status != MODEL_OK) {
        (void)kernels_fail(loader->err, loader->status, "weight '%s' cannot be packed (%zu bytes)",
                           weights[0], size_bytes);
        return;
    }
    loader->kernels->memory_bytes += size_bytes;
    linear_source_discard(loader->kernels, &source);
    panels->packed = packed;
    if (ret_bias != NULL)
        *ret_bias = source.bias;
}
