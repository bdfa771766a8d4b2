/* residual.h - networks of residual blocks (He et al. 2015) on feature maps: a stem, blocks, nothing
 * after them. Four maps are enough: a block adds its result to its shortcut, or to its own input where
 * the shortcut is that. */
#ifndef RESIDUAL_H
#define RESIDUAL_H

#include "conv.h"
#include "plugin_call.h"

#define RESIDUAL_MAX_CONVS 3

/* x -> activation(convs(x) + shortcut(x)); the last convolution accumulates and activates. */
struct residual_block {
    const struct conv *shortcut; /* NULL: x itself */
    const struct conv *convs[RESIDUAL_MAX_CONVS];
    uint32_t n_convs;
};

struct residual_network {
    const struct conv *stem;
    const struct pool_spec *stem_pool; /* NULL: none */
    struct residual_block *blocks;     /* (n_blocks) */
    size_t n_blocks;
};

#define RESIDUAL_MAPS 4

/* A pass for batches of one size. */
struct residual_pass {
    struct map_shape image, last; /* last: of the result */
    size_t sizes[RESIDUAL_MAPS];  /* numbers that each map needs */
    float *maps[RESIDUAL_MAPS];
    float *pooled; /* (batch, channels of the result): room for what comes after */
};

/* Measures the maps for pictures of this shape. false: one of them exceeds MAP_MAX_SIZE. */
bool residual_measure(const struct residual_network *network, struct map_shape image,
                      struct residual_pass *ret);
/* Scratch that the pass takes, and taking it. MODEL_OUT_OF_MEMORY. [lane-thread] */
size_t residual_bytes(const struct residual_pass *pass);
model_status residual_begin(struct residual_pass *pass, const struct kernels *kernels,
                            struct model_error *err);
/* How many of `batch` pictures to compute together, so that the maps take about max_bytes, and the
 * groups are even; at least one. `pass` was measured for one picture. */
int64_t residual_group(const struct residual_pass *pass, int64_t batch, size_t max_bytes);

/* pixels [batch, channels, height, width], batch at most what was measured -> the last map, in one
 * of the pass's maps, of shape `last` with this batch. Ask the runner's status. [lane-thread] */
const float *residual_forward(const struct residual_network *network, const struct kernels *kernels,
                              struct linear_runner *runner, struct residual_pass *pass,
                              const float *pixels, int64_t batch);

#endif
