/* linear_panels.c - see linear_panels.h.
 *
 * A run takes panels in parallel. Up to PRODUCT_ROWS rows read a panel once and from end to end; for
 * more, blocks of the inner dimension stay in the second-level cache. A view is multiplied row by row
 * where there are few rows of x, and else packed block by block. With compact weights COMPACT_ROWS rows at a time are
 * rounded for all panels beforehand. */
#include "linear_blocks.h"

#include <stdatomic.h>

/* A smaller product is over before other threads have begun, which on a busy machine takes milliseconds. */
#define MIN_SHARED_WEIGHTS  131072
#define MIN_SHARED_PRODUCTS 1048576

#define DEPTH_BLOCK 256 /* of in_features: 64 KB of a panel */

struct run_job {
    const struct kernels *kernels;
    const struct linear_panels *linear;
    char *own; /* (threads, own_bytes) */
    size_t own_bytes;
    const float *x; /* (n_rows, in_features) */
    float *y;       /* (n_rows, out_features) */
    size_t n_rows, n_panels;
    struct compact_rows rows; /* of compact weights */
    const float *groups;      /* linear_blocks_read(), or NULL */
    atomic_size_t next_panel;
};

/* Of a thread. */
static size_t own_bytes(const struct kernels *kernels)
{
    const size_t view = DEPTH_BLOCK * PANEL * sizeof(float);
    const size_t unpacked = compact_unpacked_bytes(kernels, kernels->max_in_features);
    return ((unpacked > view ? unpacked : view) + 63) / 64 * 64;
}

/* Of compact_rows_read(). */
static size_t rows_bytes(const struct kernels *kernels)
{
    return kernels->max_in_features > 0
               ? filled_up(compact_rows_bytes(kernels->max_in_features), 64)
               : 0;
}

size_t linear_panels_workspace_bytes(const struct kernels *kernels)
{
    return kernels->threads * own_bytes(kernels) + rows_bytes(kernels) +
           linear_blocks_bytes(kernels);
}

bool linear_panels_suit(const struct kernels *kernels, const struct linear_panels *linear,
                        size_t n_rows)
{
    return n_rows <= FEW_ROWS || linear_blocks_suit(kernels, linear, n_rows);
}

void linear_panels_transpose(const float *x, size_t stride, size_t n_columns, size_t depth,
                             float *panel)
{
    for (size_t column = 0; column < PANEL; column++)
        for (size_t k = 0; k < depth; k++)
            panel[k * PANEL + column] = column < n_columns ? x[column * stride + k] : 0.0f;
}

/* The same of weights [k, k + depth) of rows [first, first + n_columns) of a view. */
static void transpose_view(const struct linear_panels *linear, size_t first, size_t n_columns,
                           size_t k, size_t depth, float *panel)
{
    const size_t in = linear->in_features;
    float row[DEPTH_BLOCK];
    if (linear->view.dtype == MODEL_F32) {
        const float *view = linear->view.data;
        linear_panels_transpose(view + first * in + k, in, n_columns, depth, panel);
        return;
    }
    for (size_t column = 0; column < PANEL; column++) {
        if (column < n_columns)
            weight_read_f32(&linear->view, (first + column) * in + k, depth, row);
        for (size_t i = 0; i < depth; i++)
            panel[i * PANEL + column] = column < n_columns ? row[i] : 0.0f;
    }
}

/* y[0, n_columns) += sum, starting from the bias in the first block of the inner dimension. */
static void store_row(const struct run_job *job, const float *sum, size_t first_column,
                      size_t n_columns, bool first_block, float *y)
{
    if (first_block)
        job->kernels->vector->bias_finish(sum, job->linear->bias + first_column, n_columns,
                                          job->linear->accumulate, y);
    else
        for (size_t i = 0; i < n_columns; i++)
            y[i] += sum[i];
}

static void activate_rows(const struct run_job *job, size_t first, size_t n_columns, size_t row,
                          size_t n_rows)
{
    const struct linear_panels *linear = job->linear;
    const struct vector_kernels *vector = job->kernels->vector;
    float *y = job->y + row * linear->out_features + first;
    if (linear->activation == ACTIVATION_NONE)
        return;
    for (size_t r = 0; r < n_rows; r++, y += linear->out_features)
        if (job->rows.coarse != NULL)
            vector->activate_coarse(linear->activation, y, n_columns);
        else
            vector->activate(linear->activation, y, n_columns);
}

/* Few rows of x on a view: each row of the weights is read once, and again from the cache. */
static void run_dots(const struct run_job *job, size_t first, size_t n_columns)
{
    const struct linear_panels *linear = job->linear;
    const size_t in = linear->in_features, out = linear->out_features;
    const size_t size_bytes = linear->view.dtype == MODEL_F32 ? 4 : 2;
    const char *weights = (const char *)linear->view.data + first * in * size_bytes;
    float sum[PANEL];
    for (size_t row = 0; row < job->n_rows; row++) {
        job->kernels->vector->dots(weights, linear->view.dtype, n_columns, in, job->x + row * in,
                                   sum);
        store_row(job, sum, first, n_columns, true, job->y + row * out + first);
    }
}

/* All rows of x on a panel, in blocks of the inner dimension. */
static void run_products(const struct run_job *job, size_t first, size_t n_columns, float *own)
{
    const struct linear_panels *linear = job->linear;
    const size_t in = linear->in_features, out = linear->out_features;
    const bool whole = linear->packed != NULL && job->n_rows <= PRODUCT_ROWS;
    const size_t step = whole ? in : DEPTH_BLOCK;
    float tile[PRODUCT_ROWS * PANEL];
    for (size_t k = 0; k < in; k += step) {
        size_t depth = in - k < step ? in - k : step, stride = PANEL;
        const float *b = own;
        if (linear->packed != NULL) {
            stride = linear->columns;
            b = linear->packed + first / stride * linear->floats_per_panel + k * stride;
        } else {
            transpose_view(linear, first, n_columns, k, depth, own);
        }
        for (size_t row = 0; row < job->n_rows; row += PRODUCT_ROWS) {
            size_t n_rows = job->n_rows - row < PRODUCT_ROWS ? job->n_rows - row : PRODUCT_ROWS;
            job->kernels->vector->product(job->x + row * in + k, in, n_rows, b, stride, depth, tile,
                                          PANEL, product_columns(n_columns));
            for (size_t r = 0; r < n_rows; r++)
                store_row(job, tile + r * PANEL, first, n_columns, k == 0,
                          job->y + (row + r) * out + first);
        }
    }
}

/* Some rows of x on a panel. */
static void run_blocks(const struct run_job *job, size_t panel, size_t first, size_t n_columns)
{
    const struct linear_panels *linear = job->linear;
    float sums[BLOCKS_SUMS];
    linear_blocks_multiply(job->kernels, linear, panel, job->groups, job->n_rows, sums);
    for (size_t r = 0; r < job->n_rows; r++)
        store_row(job, sums + linear_blocks_place(job->n_rows, r) * linear->columns, first,
                  n_columns, true, job->y + r * linear->out_features + first);
}

/* All rows of x on a panel of compact weights, which stays in the second-level cache. */
static void run_compact(const struct run_job *job, size_t panel, size_t first, size_t n_columns,
                        void *own)
{
    const struct linear_panels *linear = job->linear;
    const size_t out = linear->out_features;
    const struct compact_panel ready =
        compact_panel_begin(&job->rows, panel, linear->bias + first, own);
    for (size_t row = 0, n; row < job->n_rows; row += n) {
        n = product_rows(job->n_rows - row);
        compact_panel_multiply(&job->rows, &ready, row, n, n_columns, linear->accumulate,
                               job->y + row * out + first, out);
        activate_rows(job, first, n_columns, row, n);
    }
}

/* What one thread does: panels as long as there are any. */
static void run_worker(void *argument, size_t index)
{
    struct run_job *job = argument;
    const struct linear_panels *linear = job->linear;
    const size_t out = linear->out_features;
    void *own = job->own + index * job->own_bytes;
    size_t panel;
    while ((panel = atomic_fetch_add(&job->next_panel, 1)) < job->n_panels) {
        size_t first = panel * linear->columns, n_columns = out - first;
        n_columns = n_columns < linear->columns ? n_columns : linear->columns;
        if (linear->compact.dtype != COMPUTE_F32) {
            run_compact(job, panel, first, n_columns, own);
            continue;
        }
        if (job->groups != NULL)
            run_blocks(job, panel, first, n_columns);
        else if (linear->packed == NULL && job->n_rows <= FEW_ROWS)
            run_dots(job, first, n_columns);
        else
            run_products(job, first, n_columns, own);
        activate_rows(job, first, n_columns, 0, job->n_rows);
    }
}

static void run_rows(struct run_job *job)
{
    const size_t n_weights = job->linear->in_features * job->linear->out_features;
    atomic_init(&job->next_panel, 0);
    if (n_weights < MIN_SHARED_WEIGHTS && job->n_rows * n_weights < MIN_SHARED_PRODUCTS)
        run_worker(job, 0);
    else
        kernels_parallel(job->kernels, job->kernels->threads, run_worker, job);
}

void linear_panels_run(const struct kernels *kernels, const struct linear_panels *linear,
                       void *workspace, const float *x, size_t n_rows, float *y)
{
    const bool is_compact = linear->compact.dtype != COMPUTE_F32;
    struct run_job job = {.kernels = kernels,
                          .linear = linear,
                          .own = workspace,
                          .own_bytes = own_bytes(kernels),
                          .n_panels =
                              (linear->out_features + linear->columns - 1) / linear->columns};
    char *rows = job.own + kernels->threads * job.own_bytes;
    float *groups = (void *)(rows + rows_bytes(kernels));
    for (size_t row = 0; row < n_rows; row += job.n_rows) {
        job.n_rows = is_compact && n_rows - row > COMPACT_ROWS ? COMPACT_ROWS : n_rows - row;
        job.x = x + row * linear->in_features;
        job.y = y + row * linear->out_features;
        if (is_compact)
            compact_rows_read(kernels, &linear->compact, job.x, job.n_rows, rows, &job.rows);
        else if (linear_blocks_suit(kernels, linear, job.n_rows)) {
            linear_blocks_read(job.x, job.n_rows, linear->in_features, groups);
            job.groups = groups;
        }
        run_rows(&job);
    }
}
