/* pack_onednn.c - linears made and packed for oneDNN; see linear_onednn.c for how they run.
 *
 * The layout is the one that oneDNN asks for with SAMPLE_ROWS rows. It is the same for all row
 * counts, and the key of the packed form names it. [create-thread] */
#include "linear_blocks.h"
#include "linear_onednn.h"

#include <omp.h>
#include <stdio.h>
#include <string.h>

#define SAMPLE_ROWS 128

/* What oneDNN computes within the product, to the same formula; the others get a pass of their own. */
static const struct {
    dnnl_alg_kind_t kind; /* 0: not there */
    float alpha, beta;
} fused_activations[N_ACTIVATIONS] = {
    [ACTIVATION_GELU] = {dnnl_eltwise_gelu_erf, 0, 0},
    [ACTIVATION_GELU_TANH] = {dnnl_eltwise_gelu_tanh, 0, 0},
    [ACTIVATION_QUICK_GELU] = {dnnl_eltwise_swish, 1.702f, 0},
    [ACTIVATION_RELU] = {dnnl_eltwise_relu, 0, 0},
    [ACTIVATION_RELU6] = {dnnl_eltwise_clip, 0, 6},
    [ACTIVATION_LEAKY_RELU] = {dnnl_eltwise_relu, 0.01f, 0},
    [ACTIVATION_SIGMOID] = {dnnl_eltwise_logistic, 0, 0},
    [ACTIVATION_SILU] = {dnnl_eltwise_swish, 1, 0},
    [ACTIVATION_MISH] = {dnnl_eltwise_mish, 0, 0},
    [ACTIVATION_TANH] = {dnnl_eltwise_tanh, 0, 0},
};

bool linear_fuses(enum activation activation)
{
    return fused_activations[activation].kind != dnnl_alg_kind_undef;
}

dnnl_status_t linear_attributes(enum activation activation, bool accumulate,
                                dnnl_primitive_attr_t *ret)
{
    dnnl_post_ops_t post_ops = NULL;
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_alg_kind_t kind = fused_activations[activation].kind;
    dnnl_status_t status = dnnl_primitive_attr_create(&attributes);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
    if (status == dnnl_success)
        status = dnnl_post_ops_create(&post_ops);
    if (status == dnnl_success && accumulate)
        status = dnnl_post_ops_append_sum(post_ops, 1.0f);
    if (status == dnnl_success && kind != dnnl_alg_kind_undef)
        status =
            dnnl_post_ops_append_eltwise(post_ops, 1.0f, kind, fused_activations[activation].alpha,
                                         fused_activations[activation].beta);
    if (status == dnnl_success)
        status = dnnl_primitive_attr_set_post_ops(attributes, post_ops);
    (void)dnnl_post_ops_destroy(post_ops);
    if (status == dnnl_success)
        *ret = attributes;
    else
        (void)dnnl_primitive_attr_destroy(attributes);
    return status;
}

dnnl_status_t linear_describe(dnnl_engine_t engine, const struct linear_class *class,
                              const dnnl_memory_desc_t *weights, size_t n_rows,
                              dnnl_primitive_desc_t *ret)
{
    dnnl_dims_t x = {(int64_t)n_rows, class->in_features}, bias = {1, class->out_features};
    dnnl_dims_t y = {(int64_t)n_rows, class->out_features};
    dnnl_memory_desc_t x_desc, bias_desc, y_desc;
    dnnl_matmul_desc_t matmul;
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_status_t status = dnnl_memory_desc_init_by_tag(&x_desc, 2, x, dnnl_f32, dnnl_ab);
    if (status == dnnl_success)
        status = dnnl_memory_desc_init_by_tag(&bias_desc, 2, bias, dnnl_f32, dnnl_ab);
    if (status == dnnl_success)
        status = dnnl_memory_desc_init_by_tag(&y_desc, 2, y, dnnl_f32, dnnl_ab);
    if (status == dnnl_success)
        status = dnnl_matmul_desc_init(&matmul, &x_desc, weights, &bias_desc, &y_desc);
    if (status == dnnl_success)
        status = linear_attributes(class->activation, class->accumulate, &attributes);
    if (status != dnnl_success)
        return status;
    status = dnnl_primitive_desc_create(ret, &matmul, attributes, engine, NULL);
    (void)dnnl_primitive_attr_destroy(attributes);
    return status;
}

model_status linear_backend_create(struct kernels *kernels, struct model_error *err)
{
    const dnnl_version_t *version = dnnl_version();
    struct linear_backend *backend = kernels_allocate(kernels, sizeof *backend);
    if (backend == NULL)
        return kernels_no_memory(err, "the kernels of a model");
    kernels->backend = backend;
    (void)snprintf(kernels->build_key, sizeof kernels->build_key, "onednn-%d.%d.%d-isa%x",
                   version->major, version->minor, version->patch,
                   (unsigned)dnnl_get_effective_cpu_isa());
    if (dnnl_engine_create(&backend->engine, dnnl_cpu, 0) != dnnl_success)
        return kernels_fail(err, MODEL_INTERNAL, "oneDNN has no CPU engine");
    return MODEL_OK;
}

void linear_backend_destroy(struct kernels *kernels)
{
    if (kernels->backend != NULL && kernels->backend->engine != NULL)
        (void)dnnl_engine_destroy(kernels->backend->engine);
}

/* For one more class. What was outgrown is given back with the kernels. */
static bool have_room(struct kernels *kernels)
{
    struct linear_backend *backend = kernels->backend;
    if (backend->n_classes < backend->class_capacity)
        return true;
    const uint32_t capacity = backend->class_capacity > 0 ? 2 * backend->class_capacity : 16;
    struct linear_class *classes = kernels_allocate(kernels, capacity * sizeof *classes);
    if (classes == NULL)
        return false;
    if (backend->n_classes > 0)
        memcpy(classes, backend->classes, backend->n_classes * sizeof *classes);
    backend->classes = classes;
    backend->class_capacity = capacity;
    return true;
}

/* The class of a linear; a new one asks oneDNN for the layout. */
static model_status find_class(struct kernels *kernels, struct linear_class *class, uint32_t *ret,
                               struct model_error *err)
{
    struct linear_backend *backend = kernels->backend;
    dnnl_dims_t dims = {class->in_features, class->out_features};
    dnnl_memory_desc_t open;
    dnnl_primitive_desc_t description = NULL;
    for (uint32_t i = 0; i < backend->n_classes; i++) {
        const struct linear_class *old = &backend->classes[i];
        if (old->in_features == class->in_features && old->out_features == class->out_features &&
            old->activation == class->activation && old->accumulate == class->accumulate &&
            old->view == class->view) {
            *ret = i;
            return MODEL_OK;
        }
    }
    if (!have_room(kernels))
        return kernels_no_memory(err, "the shapes of linear layers");
    dnnl_format_tag_t tag = class->view ? dnnl_ba : dnnl_format_tag_any;
    dnnl_status_t status = dnnl_memory_desc_init_by_tag(&open, 2, dims, dnnl_f32, tag);
    if (status == dnnl_success)
        status = linear_describe(backend->engine, class, &open, SAMPLE_ROWS, &description);
    if (status != dnnl_success)
        return kernels_fail(err, MODEL_INTERNAL, "oneDNN has no product [%lld, %lld] (status %d)",
                            (long long)class->out_features, (long long)class->in_features,
                            (int)status);
    class->weights = *dnnl_primitive_desc_query_md(description, dnnl_query_weights_md, 0);
    (void)dnnl_primitive_desc_destroy(description);
    backend->classes[backend->n_classes] = *class;
    *ret = backend->n_classes++;
    return MODEL_OK;
}

struct pack_job {
    const struct kernels *kernels;
    const struct linear_source *source;
    const dnnl_memory_desc_t *weights;
};

dnnl_status_t linear_reorder(dnnl_engine_t engine, const dnnl_memory_desc_t *plain,
                             const void *source, const dnnl_memory_desc_t *packed,
                             void *destination)
{
    dnnl_memory_t from = NULL, to = NULL;
    dnnl_primitive_desc_t description = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_stream_t stream = NULL;
    dnnl_status_t status = dnnl_memory_create(&from, plain, engine, (void *)(uintptr_t)source);
    if (status == dnnl_success)
        status = dnnl_memory_create(&to, packed, engine, destination);
    if (status == dnnl_success)
        status =
            dnnl_reorder_primitive_desc_create(&description, plain, engine, packed, engine, NULL);
    if (status == dnnl_success)
        status = dnnl_primitive_create(&primitive, description);
    if (status == dnnl_success)
        status = dnnl_stream_create(&stream, engine, dnnl_stream_default_flags);
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    if (status == dnnl_success)
        status = dnnl_primitive_execute(primitive, stream, 2, arguments);
    if (status == dnnl_success)
        status = dnnl_stream_wait(stream);
    (void)dnnl_stream_destroy(stream);
    (void)dnnl_primitive_destroy(primitive);
    (void)dnnl_primitive_desc_destroy(description);
    (void)dnnl_memory_destroy(to);
    (void)dnnl_memory_destroy(from);
    return status;
}

static model_status pack(void *argument, void *destination)
{
    const struct pack_job *job = argument;
    const struct linear_source *source = job->source;
    const struct model_services *services = job->kernels->services;
    const float *view = linear_source_view(source);
    float *rows = NULL; /* (out, in), or (in, out) */
    if (view == NULL) {
        rows = services->allocate(services->context,
                                  source->out_features * source->in_features * sizeof *rows);
        if (rows == NULL)
            return MODEL_OUT_OF_MEMORY;
        if (source->transposed)
            weight_read_f32(&source->parts[0], 0, source->out_features * source->in_features, rows);
        else
            linear_source_read(source, 0, source->out_features, rows);
    }
    dnnl_dims_t dims = {(int64_t)source->in_features, (int64_t)source->out_features};
    dnnl_memory_desc_t plain; /* (out, in) in rows, or transposed */
    dnnl_status_t status = dnnl_memory_desc_init_by_tag(&plain, 2, dims, dnnl_f32,
                                                        source->transposed ? dnnl_ab : dnnl_ba);
    if (status == dnnl_success)
        status = linear_reorder(job->kernels->backend->engine, &plain, view != NULL ? view : rows,
                                job->weights, destination);
    services->release(services->context, rows);
    if (status == dnnl_out_of_memory)
        return MODEL_OUT_OF_MEMORY;
    return status == dnnl_success ? MODEL_OK : MODEL_INTERNAL;
}

void linear_layout_name(const dnnl_memory_desc_t *weights, char *name, size_t name_bytes)
{
    uint64_t hash = 0xCBF29CE484222325u; /* FNV-1a */
    const dnnl_blocking_desc_t *blocking = &weights->format_desc.blocking;
    int64_t numbers[2 + 4 * DNNL_MAX_NDIMS] = {blocking->inner_nblks,
                                               (int64_t)weights->format_kind};
    size_t n = 2;
    for (int i = 0; i < weights->ndims; i++) {
        numbers[n++] = weights->padded_dims[i];
        numbers[n++] = blocking->strides[i];
    }
    for (int i = 0; i < blocking->inner_nblks; i++) {
        numbers[n++] = blocking->inner_blks[i];
        numbers[n++] = blocking->inner_idxs[i];
    }
    for (size_t i = 0; i < n * sizeof numbers[0]; i++)
        hash = (hash ^ ((const uint8_t *)numbers)[i]) * 0x100000001B3u;
    (void)snprintf(name, name_bytes, "layout-%016llx", (unsigned long long)hash);
}

static model_status pack_weights(struct kernels *kernels, const struct linear_source *source,
                                 const dnnl_memory_desc_t *weights, const void **ret,
                                 struct model_error *err)
{
    struct pack_job job = {kernels, source, weights};
    const struct model_services *services = kernels->services;
    size_t size_bytes = dnnl_memory_desc_get_size(weights);
    char layout[32], key[LINEAR_KEY_BYTES];
    int threads_before = omp_get_max_threads();
    linear_layout_name(weights, layout, sizeof layout);
    omp_set_num_threads((int)kernels->threads);
    model_status status =
        services->packed_blob(services->context, linear_source_key(kernels, source, layout, key),
                              size_bytes, pack, &job, ret);
    omp_set_num_threads(threads_before);
    if (status != MODEL_OK)
        return kernels_fail(err, status, "weight '%s' cannot be packed (%zu bytes)",
                            source->parts[0].name, size_bytes);
    kernels->memory_bytes += size_bytes;
    return MODEL_OK;
}

/* Whether the weights can be read by linear_panels.h too: views, and the layout that oneDNN chooses
 * on processors with AVX-512, in which blocks of 16 rows and n columns follow each other. */
static bool find_panels(const struct linear *linear, const struct linear_source *source,
                        struct linear_panels *ret)
{
    const dnnl_memory_desc_t *weights = &linear->class.weights;
    const dnnl_blocking_desc_t *blocking = &weights->format_desc.blocking;
    *ret = (struct linear_panels){.columns = PANEL,
                                  .bias = linear->bias,
                                  .in_features = source->in_features,
                                  .out_features = source->out_features,
                                  .activation = linear->class.activation,
                                  .accumulate = linear->class.accumulate};
    if (linear->class.view) {
        ret->view = source->parts[0];
        return true;
    }
    if (weights->format_kind != dnnl_blocked || blocking->inner_nblks != 2 ||
        blocking->inner_idxs[0] != 0 || blocking->inner_idxs[1] != 1 ||
        blocking->inner_blks[1] > PANEL || blocking->inner_blks[1] % PRODUCT_COLUMNS != 0 ||
        blocking->strides[0] != blocking->inner_blks[0] * blocking->inner_blks[1] ||
        blocking->strides[1] != weights->padded_dims[0] * blocking->inner_blks[1] ||
        weights->offset0 != 0)
        return false;
    ret->packed = linear->weights;
    ret->columns = (size_t)blocking->inner_blks[1];
    ret->floats_per_panel = (size_t)blocking->strides[1];
    return true;
}

/* Compact weights run on our own loops, few rows and many. */
static model_status create_compact(struct kernels *kernels, const struct linear_source *source,
                                   struct linear *linear, struct model_error *err)
{
    linear->panels = (struct linear_panels){.columns = PANEL,
                                            .bias = linear->bias,
                                            .in_features = source->in_features,
                                            .out_features = source->out_features,
                                            .activation = linear->class.activation,
                                            .accumulate = linear->class.accumulate};
    linear->own_all = true;
    return compact_weights_prepare(kernels, source, &linear->panels.compact, err);
}

/* As it is, for many rows in oneDNN's layout. */
static model_status create_whole(struct kernels *kernels, const struct linear_source *source,
                                 struct linear *linear, struct model_error *err)
{
    model_status status = find_class(kernels, &linear->class, &linear->class_index, err);
    if (status != MODEL_OK)
        return status;
    linear->class = kernels->backend->classes[linear->class_index];
    if (linear->class.view)
        linear->weights = source->parts[0].data;
    else
        status = pack_weights(kernels, source, &linear->class.weights, &linear->weights, err);
    if (status != MODEL_OK)
        return status;
    linear->own_few = find_panels(linear, source, &linear->panels);
    if (linear->own_few)
        linear_blocks_expect(kernels, &linear->panels);
    linear->own_all = linear->class.view && source->parts[0].dtype != MODEL_F32;
    return MODEL_OK;
}

model_status linear_create(struct kernels *kernels, const struct linear_spec *spec,
                           const struct linear **ret, struct model_error *err)
{
    struct linear_source source;
    model_status status = linear_source_find(kernels, spec, &source, err);
    if (status != MODEL_OK)
        return status;
    const bool is_compact = compact_weights_suit(kernels, &source);
    struct linear *linear = kernels_allocate(kernels, sizeof *linear);
    if (linear == NULL)
        return kernels_no_memory(err, "a linear layer");
    linear->bias = source.bias;
    linear->class = (struct linear_class){.in_features = (int64_t)source.in_features,
                                          .out_features = (int64_t)source.out_features,
                                          .activation = spec->activation,
                                          .accumulate = spec->accumulate,
                                          .view = !is_compact && spec->keep_view &&
                                                  linear_source_stays(&source)};
    status = is_compact ? create_compact(kernels, &source, linear, err)
                        : create_whole(kernels, &source, linear, err);
    if (status != MODEL_OK)
        return status;
    if (!spec->keep_view)
        linear_source_discard(kernels, &source);
    *ret = linear;
    return MODEL_OK;
}

int64_t linear_in_features(const struct linear *linear)
{
    return linear->class.in_features;
}

int64_t linear_out_features(const struct linear *linear)
{
    return linear->class.out_features;
}
