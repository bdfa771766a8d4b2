/* graph_norms.c - norms of other kinds than batch and layer norm, out of sums, squares and pooling; see
 * graph_compose.h. */
#include "graph_compose.h"

static uint32_t squared(struct graph_builder *b, uint32_t x)
{
    return graph_binary(b, BINARY_MULTIPLY, x, x);
}

/* 1 / sqrt(x + eps) */
static uint32_t inverse_root(struct graph_builder *b, uint32_t x, float eps)
{
    const struct graph_attributes a = {.map = {.function = MAP_RSQRT, .scale = 1, .epsilon = eps}};
    return graph_add(b, GRAPH_MAP, 1, &x, &a);
}

uint32_t graph_log_sum_exp(struct graph_builder *b, uint32_t x, uint32_t axes)
{
    const uint32_t most = graph_reduce(b, x, REDUCE_MAX, axes);
    const uint32_t rest = graph_map(b, graph_binary(b, BINARY_SUBTRACT, x, most), MAP_EXP, 0, 0);
    return graph_binary(b, BINARY_ADD, most, graph_reduce(b, rest, REDUCE_LOG_SUM, axes));
}

uint32_t graph_standardize(struct graph_builder *b, uint32_t x, uint32_t axes, bool variance,
                           float eps)
{
    const uint32_t centred =
        graph_binary(b, BINARY_SUBTRACT, x, graph_reduce(b, x, REDUCE_MEAN, axes));
    if (!variance)
        return centred;
    const uint32_t spread = graph_reduce(b, squared(b, centred), REDUCE_MEAN, axes);
    return graph_binary(b, BINARY_MULTIPLY, centred, inverse_root(b, spread, eps));
}

uint32_t graph_instance_norm(struct graph_builder *b, uint32_t x, uint32_t gamma, uint32_t beta,
                             float eps)
{
    const struct graph_shape shape = graph_shape_of(b, x);
    if (b->status != MODEL_OK)
        return GRAPH_NONE;
    if (shape.rank < 3) {
        char text[GRAPH_SHAPE_BYTES];
        graph_fail(b, MODEL_CORRUPT, "an instance norm of a value of shape %s, want planes",
                   graph_shape_text(&shape, text));
        return GRAPH_NONE;
    }
    const uint32_t behind = ((1u << shape.rank) - 1) & ~3u;
    uint32_t y = graph_standardize(b, x, behind, true, eps);
    if (gamma != GRAPH_NONE)
        y = graph_binary(b, BINARY_MULTIPLY, y, graph_expand(b, gamma, behind >> 1 & ~1u));
    if (beta != GRAPH_NONE)
        y = graph_binary(b, BINARY_ADD, y, graph_expand(b, beta, behind >> 1 & ~1u));
    return y;
}

uint32_t graph_l2_norm(struct graph_builder *b, uint32_t x, uint32_t axes, float eps)
{
    const uint32_t sum = graph_reduce(b, x, REDUCE_SUM_SQUARE, axes);
    return graph_binary(b, BINARY_MULTIPLY, x, inverse_root(b, sum, eps));
}

uint32_t graph_local_norm(struct graph_builder *b, uint32_t x, const struct graph_local_norm *norm)
{
    const struct graph_shape shape = graph_shape_of(b, x);
    if (b->status != MODEL_OK)
        return GRAPH_NONE;
    if (shape.rank < 1 || norm->size < 1 || norm->size > 65536) {
        graph_fail(b, MODEL_UNSUPPORTED, "a norm of %lld channels, want 1 to 65536",
                   (long long)norm->size);
        return GRAPH_NONE;
    }
    const int64_t c = shape.size[shape.rank - 1], before = (norm->size - 1) / 2;
    const int64_t rows = (int64_t)graph_shape_size(&shape) / c;
    const struct graph_attributes window = {
        .pool = {.window = {.kernel = {1, norm->size},
                            .stride = {1, 1},
                            .dilation = {1, 1},
                            .begin = {0, before},
                            .end = {0, norm->size - 1 - before}},
                 .mode = POOL_AVERAGE}};
    /* The mean of a window, padded by 0, is alpha's share of its sum. */
    const uint32_t squares = graph_reshape(b, squared(b, x), 4, (int64_t[]){rows, 1, c, 1});
    const uint32_t means = graph_add(b, GRAPH_POOL, 1, &squares, &window);
    const struct graph_attributes power = {
        .map = {
            .function = MAP_POWER, .alpha = -norm->beta, .scale = norm->alpha, .shift = norm->k}};
    const uint32_t factors = graph_add(b, GRAPH_MAP, 1, &means, &power);
    return graph_binary(b, BINARY_MULTIPLY, x, graph_shape_to(b, factors, &shape));
}
