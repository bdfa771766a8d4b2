/* conv_pool.c - pooling, and the way between planes and feature maps; see conv.h. Plain loops over
 * the channels of a place, which the compiler vectorises; rows are spread over the threads. */
#include "kernels_internal.h"

#include <math.h>
#include <string.h>

static int64_t pooled_extent(int64_t x, int64_t kernel, int64_t stride, int64_t padding)
{
    if (x < 1 || x > MAP_MAX_SIZE || kernel < 1 || kernel > MAP_MAX_SIZE || stride < 0 ||
        padding < 0 || padding > kernel / 2 || x + 2 * padding < kernel)
        return 0;
    return (x + 2 * padding - kernel) / (stride > 0 ? stride : kernel) + 1;
}

bool pool_shape(const struct pool_spec *pool, struct map_shape x, struct map_shape *ret)
{
    const int64_t height =
        pooled_extent(x.height, pool->kernel_height, pool->stride_y, pool->padding_y);
    const int64_t width =
        pooled_extent(x.width, pool->kernel_width, pool->stride_x, pool->padding_x);
    if (height < 1 || width < 1)
        return false;
    *ret = (struct map_shape){x.batch, height, width, x.channels};
    return true;
}

struct pool_job {
    const struct vector_kernels *vector;
    const struct pool_spec *pool;
    const float *x;
    float *y;
    struct map_shape from, to;
};

/* What lies inside of [first, first + kernel). */
static size_t clip(int64_t first, int64_t kernel, int64_t extent, size_t *ret_end)
{
    const int64_t end = first + kernel;
    *ret_end = (size_t)(end < extent ? end : extent);
    return first > 0 ? (size_t)first : 0;
}

static void pool_place(const struct pool_job *job, const float *x, int64_t first_y, int64_t first_x,
                       float *y)
{
    const struct pool_spec *pool = job->pool;
    const size_t channels = (size_t)job->from.channels, width = (size_t)job->from.width;
    size_t end_y, end_x;
    const size_t begin_y = clip(first_y, pool->kernel_height, job->from.height, &end_y);
    const size_t begin_x = clip(first_x, pool->kernel_width, job->from.width, &end_x);
    if (!pool->average) {
        job->vector->window_largest(x + (begin_y * width + begin_x) * channels, end_y - begin_y,
                                    width * channels, end_x - begin_x, channels, channels, y);
        return;
    }
    for (size_t c = 0; c < channels; c++)
        y[c] = 0.0f;
    for (size_t i = begin_y; i < end_y; i++)
        for (size_t j = begin_x; j < end_x; j++) {
            const float *place = x + (i * width + j) * channels;
            for (size_t c = 0; c < channels; c++)
                y[c] += place[c];
        }
    const size_t inside = (end_y - begin_y) * (end_x - begin_x);
    const size_t all = (size_t)(pool->kernel_height * pool->kernel_width);
    const float n = (float)(pool->count_inside_only ? inside : all);
    for (size_t c = 0; c < channels; c++)
        y[c] /= n;
}

/* One row of one map of the batch. */
static void pool_row(void *argument, size_t index)
{
    const struct pool_job *job = argument;
    const struct pool_spec *pool = job->pool;
    const int64_t stride_y = pool->stride_y > 0 ? pool->stride_y : pool->kernel_height;
    const int64_t stride_x = pool->stride_x > 0 ? pool->stride_x : pool->kernel_width;
    const size_t channels = (size_t)job->to.channels, item = index / (size_t)job->to.height;
    const int64_t row = (int64_t)(index % (size_t)job->to.height);
    const float *x = job->x + item * (size_t)(job->from.height * job->from.width) * channels;
    float *y = job->y + index * (size_t)job->to.width * channels;
    for (int64_t place = 0; place < job->to.width; place++, y += channels)
        pool_place(job, x, row * stride_y - pool->padding_y, place * stride_x - pool->padding_x, y);
}

void pool_run(const struct kernels *kernels, const struct pool_spec *pool, const float *x,
              struct map_shape shape, float *y)
{
    struct pool_job job = {kernels->vector, pool, x, y, shape, shape};
    if (pool_shape(pool, shape, &job.to))
        kernels_parallel(kernels, (size_t)(job.to.batch * job.to.height), pool_row, &job);
}

void pool_global_average(const struct kernels *kernels, const float *x, struct map_shape shape,
                         float *y)
{
    const struct pool_spec pool = {
        .kernel_height = shape.height, .kernel_width = shape.width, .average = true};
    pool_run(kernels, &pool, x, shape, y);
}

#define TILE 16 /* places of a tile: their channels stay in the first-level cache */

struct planes_job {
    const float *x;
    float *y;
    size_t channels, places; /* of one item */
};

static void tile_from_planes(void *argument, size_t index)
{
    const struct planes_job *job = argument;
    const size_t tiles = (job->places + TILE - 1) / TILE, item = index / tiles;
    const size_t first = index % tiles * TILE;
    const size_t n = job->places - first < TILE ? job->places - first : TILE;
    const float *x = job->x + item * job->channels * job->places + first;
    float *y = job->y + (item * job->places + first) * job->channels;
    for (size_t c = 0; c < job->channels; c++)
        for (size_t i = 0; i < n; i++)
            y[i * job->channels + c] = x[c * job->places + i];
}

static void tile_to_planes(void *argument, size_t index)
{
    const struct planes_job *job = argument;
    const size_t tiles = (job->places + TILE - 1) / TILE, item = index / tiles;
    const size_t first = index % tiles * TILE;
    const size_t n = job->places - first < TILE ? job->places - first : TILE;
    const float *x = job->x + (item * job->places + first) * job->channels;
    float *y = job->y + item * job->channels * job->places + first;
    for (size_t c = 0; c < job->channels; c++)
        for (size_t i = 0; i < n; i++)
            y[c * job->places + i] = x[i * job->channels + c];
}

static void convert(const struct kernels *kernels, const float *x, struct map_shape shape, float *y,
                    void (*tile)(void *argument, size_t index))
{
    struct planes_job job = {x, y, (size_t)shape.channels, (size_t)(shape.height * shape.width)};
    kernels_parallel(kernels, (size_t)shape.batch * ((job.places + TILE - 1) / TILE), tile, &job);
}

void feature_map_from_planes(const struct kernels *kernels, const float *x, struct map_shape shape,
                             float *y)
{
    convert(kernels, x, shape, y, tile_from_planes);
}

void feature_map_to_planes(const struct kernels *kernels, const float *x, struct map_shape shape,
                           float *y)
{
    convert(kernels, x, shape, y, tile_to_planes);
}
