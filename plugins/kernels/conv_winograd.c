/* conv_winograd.c - see conv_winograd.h.
 *
 * A tile is 2 x 2 places of the result, which need 4 x 4 places of x. Transformed, the convolution is
 * 16 products of matrices (tiles, in) x (in, out), which vector_kernels.h has. A block of tiles goes
 * through all three steps while it is in the second-level cache; weights come in panels of PANEL
 * output channels. Threads take blocks. */
#include "conv_winograd.h"

#include <stdatomic.h>
#include <string.h>

#define PANEL         64     /* output channels; a multiple of PRODUCT_COLUMNS */
#define POINTS        16     /* of a transformed tile */
#define BLOCK_FLOATS  196608 /* of a block of transformed tiles: 768 KB */
#define MAX_TILES     192    /* of a block; a multiple of PRODUCT_ROWS */
#define PACK_CHANNELS 32     /* packed at a time: 128 KB */
#define MIN_CHANNELS  48     /* with fewer the transforms cost more than the products save */

struct winograd {
    struct conv_geometry geometry;
    const struct kernels *kernels;
    const float *packed; /* (n_panels, POINTS, in, PANEL) */
    const float *bias;   /* (out) */
    size_t in, out, n_panels;
};

bool winograd_suits(const struct conv_geometry *g)
{
    return g->kernel[CONV_Y] == 3 && g->kernel[CONV_X] == 3 && !g->transposed && g->groups == 1 &&
           g->stride[CONV_Y] * g->stride[CONV_X] == 1 &&
           g->dilation[CONV_Y] * g->dilation[CONV_X] == 1 && g->in >= MIN_CHANNELS &&
           g->out >= MIN_CHANNELS && g->in % PRODUCT_COLUMNS == 0 && g->out % PRODUCT_COLUMNS == 0;
}

/* u = G w G^T; (3, 3) -> (4, 4). */
static void transform_weight(const float *w, double u[POINTS])
{
    double half[4][3];
    for (size_t j = 0; j < 3; j++) {
        const double a = (double)w[j], b = (double)w[3 + j], c = (double)w[6 + j];
        half[0][j] = a;
        half[1][j] = (a + b + c) / 2;
        half[2][j] = (a - b + c) / 2;
        half[3][j] = c;
    }
    for (size_t i = 0; i < 4; i++) {
        const double a = half[i][0], b = half[i][1], c = half[i][2];
        u[4 * i] = a;
        u[4 * i + 1] = (a + b + c) / 2;
        u[4 * i + 2] = (a - b + c) / 2;
        u[4 * i + 3] = c;
    }
}

struct pack_job {
    const struct kernels *kernels;
    const struct conv_source *source;
    const struct winograd *winograd;
    float *plain, *packed;
};

/* Input channels [first, end) of one output channel of a panel. */
static void pack_column(const struct pack_job *job, size_t panel, size_t column, size_t first,
                        size_t end)
{
    const size_t in = job->winograd->in, o = panel * PANEL + column;
    float *packed = job->packed + panel * POINTS * in * PANEL + column;
    for (size_t c = first; c < end; c++) {
        double u[POINTS] = {0};
        if (o < job->winograd->out)
            transform_weight(job->plain + (o * in + c) * 9, u);
        for (size_t p = 0; p < POINTS; p++)
            packed[(p * in + c) * PANEL] = (float)u[p];
    }
}

/* Some input channels at a time, so that what is written stays in the cache until it is whole. */
static void pack_panel(void *argument, size_t panel)
{
    const struct pack_job *job = argument;
    const size_t in = job->winograd->in;
    for (size_t first = 0; first < in; first += PACK_CHANNELS)
        for (size_t column = 0; column < PANEL; column++)
            pack_column(job, panel, column, first,
                        first + PACK_CHANNELS < in ? first + PACK_CHANNELS : in);
}

static model_status pack(void *argument, void *destination)
{
    struct pack_job *job = argument;
    const struct model_services *services = job->kernels->services;
    job->plain =
        services->allocate(services->context, conv_source_size(job->source) * sizeof(float));
    if (job->plain == NULL)
        return MODEL_OUT_OF_MEMORY;
    conv_source_read(job->source, job->plain);
    job->packed = destination;
    kernels_parallel(job->kernels, job->winograd->n_panels, pack_panel, job);
    services->release(services->context, job->plain);
    return MODEL_OK;
}

model_status winograd_create(struct kernels *kernels, const struct conv_source *source,
                             const struct winograd **ret, struct model_error *err)
{
    struct winograd *winograd = kernels_allocate(kernels, sizeof *winograd);
    if (winograd == NULL)
        return kernels_no_memory(err, "a convolution");
    winograd->geometry = source->geometry;
    winograd->kernels = kernels;
    winograd->bias = source->bias;
    winograd->in = (size_t)source->geometry.in;
    winograd->out = (size_t)source->geometry.out;
    winograd->n_panels = (winograd->out + PANEL - 1) / PANEL;
    struct pack_job job = {.kernels = kernels, .source = source, .winograd = winograd};
    const void *packed = NULL;
    model_status status =
        conv_source_pack(kernels, source, "winograd2-panel64",
                         winograd->n_panels * POINTS * winograd->in * PANEL * sizeof(float), pack,
                         &job, &packed, err);
    winograd->packed = packed;
    if (status == MODEL_OK)
        *ret = winograd;
    return status;
}

/* How a result is divided. */
struct division {
    size_t tiles_y, tiles_x, n_tiles; /* n_tiles: of all items */
    size_t block_tiles, n_blocks;
};

static struct division divide(const struct winograd *winograd, struct map_shape result)
{
    struct division d = {.tiles_y = ((size_t)result.height + 1) / 2,
                         .tiles_x = ((size_t)result.width + 1) / 2};
    size_t most = BLOCK_FLOATS / POINTS / winograd->in, threads = winograd->kernels->threads;
    most = most > MAX_TILES ? MAX_TILES : most < PRODUCT_ROWS ? PRODUCT_ROWS : most;
    d.n_tiles = (size_t)result.batch * d.tiles_y * d.tiles_x;
    d.n_blocks = (d.n_tiles + most - 1) / most;
    d.n_blocks = (d.n_blocks + threads - 1) / threads * threads; /* even shares */
    d.block_tiles = (d.n_tiles + d.n_blocks - 1) / d.n_blocks;
    d.block_tiles = (d.block_tiles + PRODUCT_ROWS - 1) / PRODUCT_ROWS * PRODUCT_ROWS;
    d.n_blocks = (d.n_tiles + d.block_tiles - 1) / d.block_tiles;
    return d;
}

/* Numbers that a thread needs: transformed tiles of x, of the result, and a place of zeros. */
static size_t worker_floats(const struct winograd *winograd, const struct division *d)
{
    return POINTS * d->block_tiles * (winograd->in + PANEL) + winograd->in;
}

size_t winograd_scratch_bytes(const struct winograd *winograd, struct map_shape result)
{
    const struct division d = divide(winograd, result);
    return winograd->kernels->threads * worker_floats(winograd, &d) * sizeof(float);
}

struct run_job {
    const struct winograd *winograd;
    const float *x;
    float *y, *scratch;
    struct map_shape from, to;
    struct division division;
    atomic_size_t next;
};

struct tile {
    size_t item;
    int64_t y, x; /* of its first place in the result */
};

static struct tile tile_at(const struct division *d, size_t index)
{
    const size_t of_item = d->tiles_y * d->tiles_x;
    return (struct tile){index / of_item, (int64_t)(index % of_item / d->tiles_x) * 2,
                         (int64_t)(index % of_item % d->tiles_x) * 2};
}

/* v(POINTS, block_tiles, in) <- the transformed tiles [first, first + n). */
static void transform_inputs(const struct run_job *job, size_t first, size_t n, const float *zeros,
                             float *v)
{
    const struct winograd *winograd = job->winograd;
    const int64_t *padding = winograd->geometry.padding;
    const size_t in = winograd->in, width = (size_t)job->from.width;
    const size_t item = (size_t)job->from.height * width * in;
    for (size_t t = 0; t < n; t++) {
        const struct tile tile = tile_at(&job->division, first + t);
        const float *d[POINTS];
        for (size_t p = 0; p < POINTS; p++) {
            const int64_t y = tile.y - padding[CONV_Y] + (int64_t)(p / 4);
            const int64_t x = tile.x - padding[CONV_X] + (int64_t)(p % 4);
            const bool inside = y >= 0 && y < job->from.height && x >= 0 && x < job->from.width;
            d[p] =
                inside ? job->x + tile.item * item + ((size_t)y * width + (size_t)x) * in : zeros;
        }
        winograd->kernels->vector->winograd_input(d, in, v + t * in,
                                                  job->division.block_tiles * in);
    }
}

/* m(POINTS, block_tiles, PANEL) = v times the weights of a panel. */
static void multiply(const struct run_job *job, size_t panel, size_t n_columns, size_t n,
                     const float *v, float *m)
{
    const struct winograd *winograd = job->winograd;
    const size_t in = winograd->in, block = job->division.block_tiles;
    for (size_t p = 0; p < POINTS; p++) {
        const float *u = winograd->packed + (panel * POINTS + p) * in * PANEL;
        for (size_t t = 0; t < n; t += PRODUCT_ROWS)
            winograd->kernels->vector->product(
                v + (p * block + t) * in, in, n - t < PRODUCT_ROWS ? n - t : PRODUCT_ROWS, u, PANEL,
                in, m + (p * block + t) * PANEL, PANEL, n_columns);
    }
}

/* The panel's channels of the result from m. */
static void transform_outputs(const struct run_job *job, size_t panel, size_t n_columns,
                              size_t first, size_t n, const float *m)
{
    const struct winograd *winograd = job->winograd;
    const struct vector_kernels *vector = winograd->kernels->vector;
    const struct conv_geometry *g = &winograd->geometry;
    const size_t out = winograd->out, width = (size_t)job->to.width;
    const size_t item = (size_t)job->to.height * width * out;
    for (size_t t = 0; t < n; t++) {
        const struct tile tile = tile_at(&job->division, first + t);
        float *y[4];
        for (size_t p = 0; p < 4; p++) {
            const size_t row = (size_t)tile.y + p / 2, column = (size_t)tile.x + p % 2;
            const bool inside = row < (size_t)job->to.height && column < width;
            y[p] = inside ? job->y + tile.item * item + (row * width + column) * out + panel * PANEL
                          : NULL;
        }
        vector->winograd_output(m + t * PANEL, job->division.block_tiles * PANEL, n_columns,
                                winograd->bias + panel * PANEL, g->accumulate,
                                g->activation == ACTIVATION_RELU, y);
        if (g->activation != ACTIVATION_NONE && g->activation != ACTIVATION_RELU)
            for (size_t p = 0; p < 4; p++)
                if (y[p] != NULL)
                    vector->activate(g->activation, y[p], n_columns);
    }
}

/* What one thread does: blocks of tiles as long as there are any. */
static void run_worker(void *argument, size_t worker)
{
    struct run_job *job = argument;
    const struct winograd *winograd = job->winograd;
    const struct division *d = &job->division;
    float *v = job->scratch + worker * worker_floats(winograd, d);
    float *m = v + POINTS * d->block_tiles * winograd->in;
    float *zeros = m + POINTS * d->block_tiles * PANEL;
    size_t block;
    memset(zeros, 0, winograd->in * sizeof *zeros);
    while ((block = atomic_fetch_add(&job->next, 1)) < d->n_blocks) {
        const size_t first = block * d->block_tiles, left = d->n_tiles - first;
        const size_t n = left < d->block_tiles ? left : d->block_tiles;
        transform_inputs(job, first, n, zeros, v);
        for (size_t panel = 0; panel < winograd->n_panels; panel++) {
            const size_t rest = winograd->out - panel * PANEL;
            const size_t n_columns = rest < PANEL ? rest : PANEL;
            multiply(job, panel, n_columns, n, v, m);
            transform_outputs(job, panel, n_columns, first, n, m);
        }
    }
}

void winograd_run(const struct winograd *winograd, const float *x, struct map_shape shape, float *y,
                  struct map_shape result, void *scratch)
{
    struct run_job job = {.winograd = winograd,
                          .x = x,
                          .y = y,
                          .scratch = scratch,
                          .from = shape,
                          .to = result,
                          .division = divide(winograd, result)};
    atomic_init(&job.next, 0);
    kernels_parallel(winograd->kernels, winograd->kernels->threads, run_worker, &job);
}
