/* compact_onednn.c - see compact_onednn.h. Rows are spread over the model's threads. */
#include "compact_onednn.h"

#define MIN_SHARED_NUMBERS 65536 /* fewer are over before another thread has begun */

bool compact_layout_fits(const struct linear_class *class)
{
    const int64_t pair = class->dtype == COMPUTE_BF16 ? 2 : 4, block = 16 * pair;
    const int64_t depth = (class->in_features + block - 1) / block * block;
    const int64_t width =
        (class->out_features + COMPACT_COLUMNS - 1) / COMPACT_COLUMNS * COMPACT_COLUMNS;
    const dnnl_memory_desc_t *weights = &class->weights;
    const dnnl_blocking_desc_t *blocking = &weights->format_desc.blocking;
    return class->dtype != COMPUTE_INT4 && weights->format_kind == dnnl_blocked &&
           weights->extra.flags == 0 && weights->offset0 == 0 && blocking->inner_nblks == 3 &&
           blocking->inner_idxs[0] == 0 && blocking->inner_idxs[1] == 1 &&
           blocking->inner_idxs[2] == 0 && blocking->inner_blks[0] == 16 &&
           blocking->inner_blks[1] == COMPACT_COLUMNS && blocking->inner_blks[2] == pair &&
           weights->padded_dims[0] == depth && weights->padded_dims[1] == width &&
           blocking->strides[0] == block * COMPACT_COLUMNS &&
           blocking->strides[1] == depth * COMPACT_COLUMNS;
}

static size_t filled_up(size_t n_bytes)
{
    return (n_bytes + 63) / 64 * 64;
}

static size_t x_bytes(const struct linear_class *class, size_t n_rows)
{
    return filled_up(n_rows * (size_t) class->in_features * (class->dtype == COMPUTE_BF16 ? 2 : 1));
}

size_t compact_piece_bytes(const struct linear_class *class, size_t n_rows)
{
    const bool has_products = class->dtype == COMPUTE_INT8 && class->accumulate;
    return x_bytes(class, n_rows) + filled_up(n_rows * sizeof(float)) +
           (has_products ? n_rows * (size_t) class->out_features * sizeof(int32_t) : 0);
}

struct rows_job {
    const struct kernels *kernels;
    const struct linear *linear;
    const struct compact_piece *piece;
    const float *x;
    float *y;
};

static void convert_row(void *argument, size_t row)
{
    const struct rows_job *job = argument;
    const size_t in = (size_t)job->linear->class.in_features;
    const float *x = job->x + row * in;
    if (job->linear->class.dtype == COMPUTE_BF16)
        job->kernels->vector->to_bf16(x, in, (uint16_t *)job->piece->x + row * in);
    else
        job->piece->scales[row] =
            job->kernels->vector->coarse_row(x, in, (uint8_t *)job->piece->x + row * in);
}

static void finish_row(void *argument, size_t row)
{
    const struct rows_job *job = argument;
    const struct linear_class *class = &job->linear->class;
    const struct vector_kernels *vector = job->kernels->vector;
    const size_t out = (size_t) class->out_features;
    float *y = job->y + row * out;
    vector->int8_finish((const int32_t *)job->piece->y + row * out,
                        &job->linear->panels.compact.columns, job->piece->scales[row], out,
                        class->accumulate, y);
    if (class->activation != ACTIVATION_NONE)
        vector->activate(class->activation, y, out);
}

static void each_row(const struct rows_job *job, size_t n_rows, int64_t n_columns,
                     void (*body)(void *argument, size_t row))
{
    if (n_rows * (size_t)n_columns >= MIN_SHARED_NUMBERS)
        kernels_parallel(job->kernels, n_rows, body, (void *)(uintptr_t)job);
    else
        for (size_t row = 0; row < n_rows; row++)
            body((void *)(uintptr_t)job, row);
}

struct compact_piece compact_piece_begin(const struct kernels *kernels, const struct linear *linear,
                                         const float *x, size_t n_rows, void *space, float *y)
{
    const struct linear_class *class = &linear->class;
    char *at = space;
    struct compact_piece piece = {.x = at, .y = y};
    at += x_bytes(class, n_rows);
    piece.scales = (float *)(void *)at;
    at += filled_up(n_rows * sizeof(float));
    if (class->dtype == COMPUTE_INT8 && class->accumulate)
        piece.y = at;
    const struct rows_job job = {kernels, linear, &piece, x, NULL};
    each_row(&job, n_rows, class->in_features, convert_row);
    return piece;
}

void compact_piece_end(const struct kernels *kernels, const struct linear *linear,
                       const struct compact_piece *piece, size_t n_rows, float *y)
{
    const struct rows_job job = {kernels, linear, piece, NULL, y};
    if (linear->class.dtype == COMPUTE_INT8)
        each_row(&job, n_rows, linear->class.out_features, finish_row);
}
