/* conv_onednn.c - convolutions run on oneDNN.
 *
 * A runner keeps a plan (primitive and memory objects) for each convolution and shape of map that it
 * has met, N_SETS sets of N_WAYS, the least recently used of a set giving way: a service that sees
 * pictures of every size does not grow. Weights are handed to execute() as plain bytes, for the
 * reason that linear_onednn.c gives. Where the layout that was packed is slow for a shape (a map
 * smaller than the kernel, say), the plan has the weights in a layout of its own. */
#include "conv_onednn.h"

#include <string.h>

#define N_SETS 256
#define N_WAYS 8

enum { SOURCE, WEIGHTS, DESTINATION, SCRATCHPAD, BIAS, N_ARGUMENTS };

struct conv_plan {
    const struct conv *conv;
    struct map_shape shape; /* of x */
    bool is_padded;         /* x has the padding around it */
    uint64_t last_used;
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t arguments[N_ARGUMENTS];
    int n_arguments; /* without BIAS where it is added behind the product */
    size_t scratch_bytes;
    void *weights; /* in a layout of its own, or NULL */
};

struct conv_plans {
    const struct kernels *kernels;
    dnnl_stream_t stream;
    void *scratch;
    size_t scratch_bytes;
    uint64_t clock;
    struct conv_plan *plans[N_SETS][N_WAYS];
};

static void destroy_plan(const struct model_services *services, struct conv_plan *plan)
{
    if (plan == NULL)
        return;
    for (size_t i = 0; i < N_ARGUMENTS; i++)
        (void)dnnl_memory_destroy(plan->arguments[i].memory);
    (void)dnnl_primitive_destroy(plan->primitive);
    services->release(services->context, plan->weights);
    services->release(services->context, plan);
}

void conv_plans_destroy(struct conv_plans *plans)
{
    if (plans == NULL)
        return;
    const struct model_services *services = plans->kernels->services;
    for (size_t i = 0; i < N_SETS * N_WAYS; i++)
        destroy_plan(services, plans->plans[i / N_WAYS][i % N_WAYS]);
    (void)dnnl_stream_destroy(plans->stream);
    services->release(services->context, plans->scratch);
    services->release(services->context, plans);
}

static struct conv_plans *create_plans(const struct kernels *kernels)
{
    const struct model_services *services = kernels->services;
    struct conv_plans *plans = services->allocate(services->context, sizeof *plans);
    if (plans == NULL)
        return NULL;
    memset(plans, 0, sizeof *plans);
    plans->kernels = kernels;
    if (dnnl_stream_create(&plans->stream, kernels->backend->engine, dnnl_stream_default_flags) !=
        dnnl_success) {
        conv_plans_destroy(plans);
        return NULL;
    }
    return plans;
}

/* A memory object over nothing yet; weights as bytes in one row. */
static dnnl_status_t add_argument(struct conv_plan *plan, dnnl_engine_t engine, size_t index,
                                  dnnl_primitive_desc_t description)
{
    static const struct {
        int argument;
        dnnl_query_t what;
        int index;
    } arguments[N_ARGUMENTS] = {[SOURCE] = {DNNL_ARG_SRC, dnnl_query_src_md, 0},
                                [WEIGHTS] = {DNNL_ARG_WEIGHTS, dnnl_query_weights_md, 0},
                                [BIAS] = {DNNL_ARG_BIAS, dnnl_query_weights_md, 1},
                                [DESTINATION] = {DNNL_ARG_DST, dnnl_query_dst_md, 0},
                                [SCRATCHPAD] = {DNNL_ARG_SCRATCHPAD, dnnl_query_scratchpad_md, 0}};
    const dnnl_memory_desc_t *desc =
        dnnl_primitive_desc_query_md(description, arguments[index].what, arguments[index].index);
    dnnl_memory_desc_t bytes;
    dnnl_status_t status = dnnl_success;
    if (index == WEIGHTS) {
        dnnl_dims_t dims = {(int64_t)dnnl_memory_desc_get_size(desc)};
        status = dnnl_memory_desc_init_by_tag(&bytes, 1, dims, dnnl_u8, dnnl_a);
        desc = &bytes;
    }
    plan->arguments[index].arg = arguments[index].argument;
    if (status == dnnl_success)
        status = dnnl_memory_create(&plan->arguments[index].memory, desc, engine, DNNL_MEMORY_NONE);
    return status;
}

/* The weights again, in the layout that the description wants. */
static dnnl_status_t own_weights(struct conv_plan *plan, dnnl_engine_t engine,
                                 dnnl_primitive_desc_t description)
{
    const struct model_services *services = plan->conv->kernels->services;
    const dnnl_memory_desc_t *wanted =
        dnnl_primitive_desc_query_md(description, dnnl_query_weights_md, 0);
    if (dnnl_memory_desc_equal(wanted, &plan->conv->layout))
        return dnnl_success;
    plan->weights = services->allocate(services->context, dnnl_memory_desc_get_size(wanted));
    if (plan->weights == NULL)
        return dnnl_out_of_memory;
    return linear_reorder(engine, &plan->conv->layout, plan->conv->weights, wanted, plan->weights);
}

/* With the packed layout, or with one of its own where that one is slow. */
static dnnl_status_t describe(struct conv_plan *plan, dnnl_engine_t engine,
                              dnnl_primitive_desc_t *ret)
{
    const struct conv *conv = plan->conv;
    struct conv_geometry geometry = conv->product;
    dnnl_memory_desc_t open;
    dnnl_primitive_desc_t other = NULL;
    if (plan->is_padded)
        geometry.padding[CONV_Y] = geometry.padding[CONV_X] = 0;
    dnnl_status_t status = conv_describe(engine, &geometry, &conv->layout, plan->shape, ret);
    if (status == dnnl_success && !conv_is_slow(*ret))
        return status;
    if (conv_open_layout(&geometry, &open) != dnnl_success ||
        conv_describe(engine, &geometry, &open, plan->shape, &other) != dnnl_success)
        return status;
    if (status == dnnl_success && conv_is_slow(other)) {
        (void)dnnl_primitive_desc_destroy(other);
        return status;
    }
    (void)dnnl_primitive_desc_destroy(*ret);
    *ret = other;
    return own_weights(plan, engine, other);
}

static dnnl_status_t make_plan(struct conv_plan *plan)
{
    dnnl_engine_t engine = plan->conv->kernels->backend->engine;
    dnnl_primitive_desc_t description = NULL;
    dnnl_status_t status = describe(plan, engine, &description);
    plan->n_arguments = plan->conv->product.dtype == COMPUTE_INT8 ? BIAS : N_ARGUMENTS;
    for (int i = 0; i < plan->n_arguments && status == dnnl_success; i++)
        status = add_argument(plan, engine, (size_t)i, description);
    if (status == dnnl_success) {
        plan->scratch_bytes = dnnl_memory_desc_get_size(
            dnnl_primitive_desc_query_md(description, dnnl_query_scratchpad_md, 0));
        status = dnnl_primitive_create(&plan->primitive, description);
    }
    (void)dnnl_primitive_desc_destroy(description);
    return status;
}

static size_t set_of(const struct conv *conv, struct map_shape shape)
{
    uint64_t hash = (uint64_t)(uintptr_t)conv;
    const int64_t numbers[] = {shape.batch, shape.height, shape.width};
    for (size_t i = 0; i < 3; i++)
        hash = (hash ^ (uint64_t)numbers[i]) * 0x9E3779B97F4A7C15u;
    return (size_t)(hash >> 32) % N_SETS;
}

/* The plan's place: where it is, or where it may be made. */
static struct conv_plan **find_place(struct conv_plans *plans, const struct conv *conv,
                                     struct map_shape shape, bool is_padded)
{
    struct conv_plan **set = plans->plans[set_of(conv, shape)], **oldest = &set[0];
    for (size_t i = 0; i < N_WAYS; i++) {
        const struct conv_plan *plan = set[i];
        if (plan == NULL)
            return &set[i];
        if (plan->conv == conv && plan->shape.batch == shape.batch &&
            plan->shape.height == shape.height && plan->shape.width == shape.width &&
            plan->is_padded == is_padded)
            return &set[i];
        if (plan->last_used < (*oldest)->last_used)
            oldest = &set[i];
    }
    destroy_plan(plans->kernels->services, *oldest);
    *oldest = NULL;
    return oldest;
}

model_status conv_plan_find(struct conv_plans *plans, const struct conv *conv,
                            struct map_shape shape, bool is_padded, struct conv_plan **ret,
                            struct model_error *err)
{
    const struct model_services *services = plans->kernels->services;
    struct conv_plan **place = find_place(plans, conv, shape, is_padded);
    if (*place == NULL) {
        struct conv_plan *plan = services->allocate(services->context, sizeof *plan);
        if (plan == NULL)
            return kernels_no_memory(err, "a convolution's plan");
        *plan = (struct conv_plan){.conv = conv, .shape = shape, .is_padded = is_padded};
        dnnl_status_t status = make_plan(plan);
        if (status != dnnl_success) {
            destroy_plan(services, plan);
            return kernels_fail(err,
                                status == dnnl_out_of_memory ? MODEL_OUT_OF_MEMORY : MODEL_INTERNAL,
                                "oneDNN makes no convolution of %lld x %lld x %lld (status %d)",
                                (long long)shape.height, (long long)shape.width,
                                (long long)shape.channels, (int)status);
        }
        *place = plan;
    }
    (*place)->last_used = ++plans->clock;
    *ret = *place;
    return MODEL_OK;
}

model_status conv_plans_scratch(struct conv_plans *plans, size_t size_bytes, void **ret,
                                struct model_error *err)
{
    const struct model_services *services = plans->kernels->services;
    if (size_bytes > plans->scratch_bytes) {
        void *scratch = services->allocate(services->context, size_bytes);
        if (scratch == NULL)
            return kernels_no_memory(err, "a convolution");
        if (plans->scratch_bytes > 0)
            memcpy(scratch, plans->scratch, plans->scratch_bytes);
        services->release(services->context, plans->scratch);
        plans->scratch = scratch;
        plans->scratch_bytes = size_bytes;
    }
    *ret = plans->scratch;
    return MODEL_OK;
}

size_t conv_plan_scratch_bytes(const struct conv_plan *plan)
{
    return plan->scratch_bytes;
}

model_status conv_plan_execute(struct conv_plans *plans, const struct conv_plan *plan,
                               const void *x, void *y, void *scratch, struct model_error *err)
{
    const struct conv *conv = plan->conv;
    const void *weights = plan->weights != NULL ? plan->weights : conv->weights;
    void *handles[N_ARGUMENTS] = {[SOURCE] = (void *)(uintptr_t)x,
                                  [WEIGHTS] = (void *)(uintptr_t)weights,
                                  [BIAS] = (void *)(uintptr_t)conv->bias,
                                  [DESTINATION] = y,
                                  [SCRATCHPAD] = scratch};
    dnnl_status_t status = dnnl_success;
    for (int i = 0; i < plan->n_arguments && status == dnnl_success; i++)
        status = dnnl_memory_set_data_handle(plan->arguments[i].memory, handles[i]);
    if (status == dnnl_success)
        status = dnnl_primitive_execute(plan->primitive, plans->stream, plan->n_arguments,
                                        plan->arguments);
    if (status == dnnl_success)
        status = dnnl_stream_wait(plans->stream);
    return status == dnnl_success
               ? MODEL_OK
               : kernels_fail(err, MODEL_INTERNAL, "oneDNN failed in a convolution (status %d)",
                              (int)status);
}

static model_status run_whole(struct conv_plans *plans, const struct conv *conv, const float *x,
                              struct map_shape shape, float *y, struct model_error *err)
{
    struct conv_plan *plan;
    void *scratch = NULL;
    model_status status = conv_plan_find(plans, conv, shape, false, &plan, err);
    if (status == MODEL_OK)
        status = conv_plans_scratch(plans, plan->scratch_bytes, &scratch, err);
    return status == MODEL_OK ? conv_plan_execute(plans, plan, x, y, scratch, err) : status;
}

static model_status run_winograd(struct conv_plans *plans, const struct conv *conv, const float *x,
                                 struct map_shape shape, float *y, struct map_shape result,
                                 struct model_error *err)
{
    void *scratch = NULL;
    model_status status =
        conv_plans_scratch(plans, winograd_scratch_bytes(conv->winograd, result), &scratch, err);
    if (status == MODEL_OK)
        winograd_run(conv->winograd, x, shape, y, result, scratch);
    return status;
}

void conv_run(struct linear_runner *runner, const struct conv *conv, const float *x,
              struct map_shape shape, float *y)
{
    struct linear_progress *progress = (struct linear_progress *)runner;
    const enum compute_dtype dtype = conv->geometry.dtype;
    struct map_shape result;
    if (!conv_begin(runner, &conv->geometry, shape, &result))
        return;
    if (progress->conv == NULL)
        progress->conv = create_plans(conv->kernels);
    if (progress->conv == NULL) {
        progress->status = kernels_no_memory(progress->err, "an instance's convolutions");
        return;
    }
    if (conv->winograd != NULL) {
        progress->status = run_winograd(progress->conv, conv, x, shape, y, result, progress->err);
        return;
    }
    const int threads =
        small_work_begin(conv_multiply_adds(&conv->geometry, shape, result), CONV_SMALL);
    progress->status =
        dtype == COMPUTE_F32
            ? run_whole(progress->conv, conv, x, shape, y, progress->err)
            : conv_coarse_run(progress->conv, conv, x, shape, y, result, progress->err);
    small_work_end(threads);
    if (progress->status == MODEL_OK && dtype != COMPUTE_INT8 &&
        !linear_fuses(conv->geometry.activation))
        activation_rows(conv->kernels, conv->geometry.activation, y,
                        map_size(result) / (size_t)result.channels, (size_t)result.channels);
}
