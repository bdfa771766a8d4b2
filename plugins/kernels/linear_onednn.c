/* linear_onednn.c - linears run on oneDNN's matmul.
 *
 * A primitive is made for one row count, which costs about a millisecond. So rows are rounded up to
 * STEPS sizes per power of two, and a runner keeps a plan (primitive and memory objects) for each
 * shape and size that it has met. More than MAX_ROWS rows are computed in equal pieces. Packed
 * weights are handed to execute() as plain bytes: oneDNN would write zeros into the padding of a
 * memory object that has the packed description, and packed weights are shared and read-only. */
#include "linear_onednn.h"

#include <string.h>

#define MAX_ROWS  512
#define STEPS     16
#define N_OCTAVES 5                         /* 16 * 2^5 is MAX_ROWS */
#define N_SIZES   (STEPS * (N_OCTAVES + 1)) /* 1, 2, ... 16, 17, ... 32, 34, ... 512 */

enum { SOURCE, WEIGHTS, DESTINATION, SCRATCHPAD, BIAS, N_ARGUMENTS };

struct linear_plan {
    dnnl_primitive_t primitive; /* NULL: not made yet */
    dnnl_exec_arg_t arguments[N_ARGUMENTS];
    size_t scratch_bytes;
};

struct linear_runner {
    struct linear_progress progress;
    const struct kernels *kernels;
    dnnl_stream_t stream;
    void *scratch; /* oneDNN's */
    size_t scratch_bytes;
    void *workspace;           /* of linear_panels_run() */
    struct linear_plan *plans; /* (n_classes, N_SIZES) */
};

static size_t size_rows(size_t index)
{
    size_t octave = index / STEPS, step = index % STEPS;
    return octave == 0 ? step + 1 : (STEPS + step + 1) << (octave - 1);
}

/* The smallest size that holds n_rows. 1 <= n_rows <= MAX_ROWS. */
static size_t size_index(size_t n_rows)
{
    size_t index = 0;
    while (index < N_SIZES - 1 && size_rows(index) < n_rows)
        index += size_rows(index + STEPS - 1 - index % STEPS) < n_rows ? STEPS - index % STEPS : 1;
    return index;
}

/* Rows of the equal pieces that n_rows are computed in: a size. n_rows >= 1. */
static size_t piece_rows(size_t n_rows)
{
    size_t n_pieces = (n_rows + MAX_ROWS - 1) / MAX_ROWS;
    return size_rows(size_index((n_rows + n_pieces - 1) / n_pieces));
}

size_t linear_row_capacity(size_t n_rows)
{
    if (n_rows == 0)
        return 0;
    size_t piece = piece_rows(n_rows), last = n_rows - (n_rows - 1) / piece * piece;
    return n_rows - last + size_rows(size_index(last));
}

model_status linear_runner_create(const struct kernels *kernels, struct linear_runner **ret,
                                  struct model_error *err)
{
    const struct model_services *services = kernels->services;
    size_t plans_bytes = kernels->backend->n_classes * N_SIZES * sizeof(struct linear_plan);
    struct linear_runner *runner = services->allocate(services->context, sizeof *runner);
    struct linear_plan *plans = services->allocate(services->context, plans_bytes);
    void *workspace = services->allocate(services->context, linear_panels_workspace_bytes(kernels));
    if (runner == NULL || plans == NULL || workspace == NULL) {
        services->release(services->context, workspace);
        services->release(services->context, plans);
        services->release(services->context, runner);
        return kernels_no_memory(err, "the kernels of an instance");
    }
    memset(plans, 0, plans_bytes);
    *runner = (struct linear_runner){.kernels = kernels, .plans = plans, .workspace = workspace};
    if (dnnl_stream_create(&runner->stream, kernels->backend->engine, dnnl_stream_default_flags) !=
        dnnl_success) {
        linear_runner_destroy(runner);
        return kernels_no_memory(err, "the kernels of an instance");
    }
    *ret = runner;
    return MODEL_OK;
}

static void finish_plan(struct linear_plan *plan)
{
    for (size_t i = 0; i < N_ARGUMENTS; i++)
        (void)dnnl_memory_destroy(plan->arguments[i].memory);
    (void)dnnl_primitive_destroy(plan->primitive);
    memset(plan, 0, sizeof *plan);
}

void linear_runner_destroy(struct linear_runner *runner)
{
    if (runner == NULL)
        return;
    const struct model_services *services = runner->kernels->services;
    conv_plans_destroy(runner->progress.conv);
    for (size_t i = 0; i < runner->kernels->backend->n_classes * N_SIZES; i++)
        finish_plan(&runner->plans[i]);
    (void)dnnl_stream_destroy(runner->stream);
    services->release(services->context, runner->scratch);
    services->release(services->context, runner->workspace);
    services->release(services->context, runner->plans);
    services->release(services->context, runner);
}

/* A memory object over nothing yet; the packed weights as bytes in one row. */
static dnnl_status_t add_argument(struct linear_plan *plan, dnnl_engine_t engine, size_t index,
                                  int argument, dnnl_primitive_desc_t description,
                                  dnnl_query_t what)
{
    const dnnl_memory_desc_t *desc = dnnl_primitive_desc_query_md(
        description, what, what == dnnl_query_weights_md && argument == DNNL_ARG_BIAS ? 1 : 0);
    dnnl_memory_desc_t bytes;
    dnnl_status_t status = dnnl_success;
    if (argument == DNNL_ARG_WEIGHTS) {
        dnnl_dims_t dims = {(int64_t)dnnl_memory_desc_get_size(desc)};
        status = dnnl_memory_desc_init_by_tag(&bytes, 1, dims, dnnl_u8, dnnl_a);
        desc = &bytes;
    }
    plan->arguments[index].arg = argument;
    if (status == dnnl_success)
        status = dnnl_memory_create(&plan->arguments[index].memory, desc, engine, DNNL_MEMORY_NONE);
    return status;
}

static dnnl_status_t make_plan(const struct linear_runner *runner, const struct linear_class *class,
                               size_t n_rows, struct linear_plan *plan)
{
    dnnl_engine_t engine = runner->kernels->backend->engine;
    dnnl_primitive_desc_t description = NULL;
    const struct {
        int argument;
        dnnl_query_t what;
    } arguments[N_ARGUMENTS] = {[SOURCE] = {DNNL_ARG_SRC, dnnl_query_src_md},
                                [WEIGHTS] = {DNNL_ARG_WEIGHTS, dnnl_query_weights_md},
                                [BIAS] = {DNNL_ARG_BIAS, dnnl_query_weights_md},
                                [DESTINATION] = {DNNL_ARG_DST, dnnl_query_dst_md},
                                [SCRATCHPAD] = {DNNL_ARG_SCRATCHPAD, dnnl_query_scratchpad_md}};
    dnnl_status_t status = linear_describe(engine, class, &class->weights, n_rows, &description);
    for (int i = 0; i < N_ARGUMENTS && status == dnnl_success; i++)
        status = add_argument(plan, engine, (size_t)i, arguments[i].argument, description,
                              arguments[i].what);
    if (status == dnnl_success) {
        plan->scratch_bytes = dnnl_memory_desc_get_size(
            dnnl_primitive_desc_query_md(description, dnnl_query_scratchpad_md, 0));
        status = dnnl_primitive_create(&plan->primitive, description);
    }
    (void)dnnl_primitive_desc_destroy(description);
    return status;
}

static model_status grow_scratch(struct linear_runner *runner, size_t size_bytes)
{
    const struct model_services *services = runner->kernels->services;
    if (size_bytes <= runner->scratch_bytes)
        return MODEL_OK;
    void *scratch = services->allocate(services->context, size_bytes);
    if (scratch == NULL)
        return kernels_no_memory(runner->progress.err, "a matrix product");
    services->release(services->context, runner->scratch);
    runner->scratch = scratch;
    runner->scratch_bytes = size_bytes;
    return MODEL_OK;
}

/* The plan for n_rows, which is a size; made on first use. */
static model_status find_plan(struct linear_runner *runner, const struct linear *linear,
                              size_t n_rows, struct linear_plan **ret)
{
    struct linear_plan *plan = &runner->plans[linear->class_index * N_SIZES + size_index(n_rows)];
    if (plan->primitive == NULL) {
        dnnl_status_t status = make_plan(runner, &linear->class, n_rows, plan);
        if (status != dnnl_success) {
            finish_plan(plan);
            return kernels_fail(runner->progress.err,
                                status == dnnl_out_of_memory ? MODEL_OUT_OF_MEMORY : MODEL_INTERNAL,
                                "oneDNN makes no product of %zu rows (status %d)", n_rows,
                                (int)status);
        }
    }
    *ret = plan;
    return grow_scratch(runner, plan->scratch_bytes);
}

static model_status execute(struct linear_runner *runner, const struct linear *linear,
                            struct linear_plan *plan, const void *x, size_t n_rows, void *y)
{
    void *handles[N_ARGUMENTS] = {[SOURCE] = (void *)(uintptr_t)x,
                                  [WEIGHTS] = (void *)(uintptr_t)linear->weights,
                                  [BIAS] = (void *)(uintptr_t)linear->bias,
                                  [DESTINATION] = y,
                                  [SCRATCHPAD] = runner->scratch};
    dnnl_status_t status = dnnl_success;
    for (int i = 0; i < N_ARGUMENTS && status == dnnl_success; i++)
        status = dnnl_memory_set_data_handle(plan->arguments[i].memory, handles[i]);
    if (status == dnnl_success)
        status =
            dnnl_primitive_execute(plan->primitive, runner->stream, N_ARGUMENTS, plan->arguments);
    if (status == dnnl_success)
        status = dnnl_stream_wait(runner->stream);
    return status == dnnl_success
               ? MODEL_OK
               : kernels_fail(runner->progress.err, MODEL_INTERNAL,
                              "oneDNN failed in a product of %zu rows (status %d)", n_rows,
                              (int)status);
}

/* One piece; n_rows is a size. */
static model_status run_piece(struct linear_runner *runner, const struct linear *linear,
                              const float *x, size_t n_rows, float *y)
{
    struct linear_plan *plan = NULL;
    model_status status = find_plan(runner, linear, n_rows, &plan);
    if (status == MODEL_OK)
        status = execute(runner, linear, plan, x, n_rows, y);
    if (status == MODEL_OK && !linear_fuses(linear->class.activation))
        activation_rows(runner->kernels, linear->class.activation, y, n_rows,
                        (size_t)linear->class.out_features);
    return status;
}

void linear_run(struct linear_runner *runner, const struct linear *linear, const float *x,
                size_t n_rows, size_t row_capacity, float *y)
{
    const size_t piece = n_rows > 0 ? piece_rows(n_rows) : 0;
    linear_runner_count(runner, n_rows * (size_t)linear->class.in_features *
                                    (size_t)linear->class.out_features);
    if (linear->own_all ||
        (linear->own_few && linear_panels_suit(runner->kernels, &linear->panels, n_rows))) {
        if (linear_progress_ask(&runner->progress))
            linear_panels_run(runner->kernels, &linear->panels, runner->workspace, x, n_rows, y);
        return;
    }
    for (size_t row = 0; row < n_rows;) {
        size_t n = n_rows - row < piece ? n_rows - row : piece;
        size_t index = size_index(n);
        if (size_rows(index) > n && (row + n < n_rows || row + size_rows(index) > row_capacity))
            index--; /* no room to round up: the largest size that fits, and go on */
        n = size_rows(index);
        if (!linear_progress_ask(&runner->progress))
            return;
        const size_t in = (size_t)linear->class.in_features;
        const size_t out = (size_t)linear->class.out_features;
        const int threads = small_work_begin(n * in * out, LINEAR_SMALL);
        runner->progress.status = run_piece(runner, linear, x + row * in, n, y + row * out);
        small_work_end(threads);
        row += n;
    }
}
