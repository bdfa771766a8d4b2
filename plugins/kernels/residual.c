/* residual.c - see residual.h. */
#include "kernels_internal.h"

#include "residual.h"

#include <string.h>

enum { HIDDEN, OTHER, INNER, INNERMOST }; /* the maps */

static void need(struct residual_pass *pass, size_t map, struct map_shape shape)
{
    const size_t size = map_size(shape);
    pass->sizes[map] = size > pass->sizes[map] ? size : pass->sizes[map];
}

static bool measure_block(struct residual_pass *pass, const struct residual_block *block,
                          struct map_shape *shape)
{
    struct map_shape inner = *shape, result = *shape;
    if (block->shortcut != NULL && !conv_shape(block->shortcut, *shape, &result))
        return false;
    for (uint32_t i = 0; i < block->n_convs; i++) {
        if (!conv_shape(block->convs[i], inner, &inner))
            return false;
        if (i + 1 < block->n_convs)
            need(pass, i == 0 ? INNER : INNERMOST, inner);
    }
    need(pass, HIDDEN, result);
    *shape = result;
    return true;
}

bool residual_measure(const struct residual_network *network, struct map_shape image,
                      struct residual_pass *ret)
{
    struct residual_pass pass = {.image = image};
    struct map_shape shape;
    if (!conv_shape(network->stem, image, &shape))
        return false;
    need(&pass, HIDDEN, image);
    if (network->stem_pool != NULL) {
        need(&pass, INNER, shape);
        if (!pool_shape(network->stem_pool, shape, &shape))
            return false;
    }
    need(&pass, HIDDEN, shape);
    for (size_t i = 0; i < network->n_blocks; i++)
        if (!measure_block(&pass, &network->blocks[i], &shape))
            return false;
    pass.sizes[OTHER] = pass.sizes[HIDDEN]; /* they change places */
    pass.last = shape;
    *ret = pass;
    return true;
}

static void layout(struct residual_pass *pass, struct scratch *scratch)
{
    for (size_t i = 0; i < RESIDUAL_MAPS; i++)
        pass->maps[i] = scratch_take(scratch, pass->sizes[i], sizeof(float));
    pass->pooled =
        scratch_take(scratch, (size_t)(pass->last.batch * pass->last.channels), sizeof(float));
}

size_t residual_bytes(const struct residual_pass *pass)
{
    struct residual_pass counted = *pass;
    struct scratch scratch = {NULL, 0};
    layout(&counted, &scratch);
    return scratch.used;
}

model_status residual_begin(struct residual_pass *pass, const struct kernels *kernels,
                            struct model_error *err)
{
    const struct model_services *services = kernels->services;
    struct scratch scratch = {services->scratch(services->context, residual_bytes(pass)), 0};
    if (scratch.memory == NULL)
        return kernels_no_memory(err, "the feature maps of a run");
    layout(pass, &scratch);
    return MODEL_OK;
}

int64_t residual_group(const struct residual_pass *pass, int64_t batch, size_t max_bytes)
{
    size_t floats = 0;
    for (size_t i = 0; i < RESIDUAL_MAPS; i++)
        floats += pass->sizes[i];
    const int64_t most = (int64_t)(max_bytes / sizeof(float) / floats);
    const int64_t n_groups = most < 1 ? batch : (batch + most - 1) / most;
    return (batch + n_groups - 1) / n_groups;
}

static void forward_block(const struct residual_block *block, struct linear_runner *runner,
                          struct residual_pass *pass, struct map_shape *shape)
{
    float *const *maps = pass->maps;
    const float *from = maps[HIDDEN];
    float *sum = maps[HIDDEN];
    struct map_shape inner = *shape;
    if (block->shortcut != NULL) {
        sum = maps[OTHER];
        conv_run(runner, block->shortcut, from, *shape, sum);
    }
    for (uint32_t i = 0; i < block->n_convs; i++) {
        float *to = i + 1 == block->n_convs ? sum : i == 0 ? maps[INNER] : maps[INNERMOST];
        conv_run(runner, block->convs[i], from, inner, to);
        (void)conv_shape(block->convs[i], inner, &inner);
        from = to;
    }
    if (block->shortcut != NULL) {
        pass->maps[OTHER] = pass->maps[HIDDEN];
        pass->maps[HIDDEN] = sum;
    }
    *shape = inner;
}

const float *residual_forward(const struct residual_network *network, const struct kernels *kernels,
                              struct linear_runner *runner, struct residual_pass *pass,
                              const float *pixels, int64_t batch)
{
    float *const *maps = pass->maps;
    struct map_shape shape = pass->image;
    shape.batch = batch;
    feature_map_from_planes(kernels, pixels, shape, maps[OTHER]);
    if (network->stem_pool != NULL) {
        conv_run(runner, network->stem, maps[OTHER], shape, maps[INNER]);
        (void)conv_shape(network->stem, shape, &shape);
        pool_run(kernels, network->stem_pool, maps[INNER], shape, maps[HIDDEN]);
        (void)pool_shape(network->stem_pool, shape, &shape);
    } else {
        conv_run(runner, network->stem, maps[OTHER], shape, maps[HIDDEN]);
        (void)conv_shape(network->stem, shape, &shape);
    }
    for (size_t i = 0; i < network->n_blocks && linear_runner_status(runner) == MODEL_OK; i++)
        forward_block(&network->blocks[i], runner, pass, &shape);
    return pass->maps[HIDDEN];
}
