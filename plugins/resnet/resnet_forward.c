/* resnet_forward.c - one run: stem, blocks, pooling, classifier. [lane-thread]
 *
 * A batch is computed in groups of pictures, so that memory stays bounded. Four maps are enough: a
 * block adds its result to its shortcut, or to its own input where the shortcut is that. */
#include "resnet.h"

#include <string.h>

#define GROUP_BYTES ((size_t)64 << 20) /* of a group's maps, if it has more than one picture */

static const struct pool_spec stem_pool = {.kernel_height = 3,
                                           .kernel_width = 3,
                                           .stride_y = 2,
                                           .stride_x = 2,
                                           .padding_y = 1,
                                           .padding_x = 1};

enum { HIDDEN, OTHER, INNER, INNERMOST, N_MAPS };

struct run {
    const struct resnet *resnet;
    struct linear_runner *runner;
    struct map_shape image, last; /* of a group; last: of its last_hidden_state */
    size_t sizes[N_MAPS];         /* numbers that each map needs */
    float *maps[N_MAPS];
    float *pooled; /* (pictures of a group, hidden) */
    float *logits, *pooler_output, *last_hidden_state;
};

static void need(struct run *run, size_t map, struct map_shape shape)
{
    const size_t size = map_size(shape);
    run->sizes[map] = size > run->sizes[map] ? size : run->sizes[map];
}

/* What a block needs. false: a map is too large. */
static bool measure_block(struct run *run, const struct resnet_block *block,
                          struct map_shape *shape)
{
    struct map_shape inner = *shape, shortcut = *shape;
    if (block->shortcut != NULL && !conv_shape(block->shortcut, *shape, &shortcut))
        return false;
    for (uint32_t i = 0; i < block->n_convs; i++) {
        if (!conv_shape(block->convs[i], inner, &inner))
            return false;
        if (i + 1 < block->n_convs)
            need(run, i == 0 ? INNER : INNERMOST, inner);
    }
    need(run, HIDDEN, shortcut);
    need(run, OTHER, shortcut);
    *shape = shortcut;
    return true;
}

/* The sizes of the maps for a group of pictures, or false: they are too large. */
static bool measure(struct run *run, struct map_shape image)
{
    struct map_shape shape = image;
    memset(run->sizes, 0, sizeof run->sizes);
    if (!conv_shape(run->resnet->stem, image, &shape))
        return false;
    need(run, OTHER, image);
    need(run, INNER, shape);
    if (!pool_shape(&stem_pool, shape, &shape))
        return false;
    need(run, HIDDEN, shape);
    for (size_t i = 0; i < run->resnet->n_blocks; i++)
        if (!measure_block(run, &run->resnet->blocks[i], &shape))
            return false;
    if (run->sizes[HIDDEN] < run->sizes[OTHER]) /* they change places */
        run->sizes[HIDDEN] = run->sizes[OTHER];
    run->sizes[OTHER] = run->sizes[HIDDEN];
    run->image = image;
    run->last = shape;
    return true;
}

static void layout(struct run *run, struct scratch *scratch)
{
    for (size_t i = 0; i < N_MAPS; i++)
        run->maps[i] = scratch_take(scratch, run->sizes[i], sizeof(float));
    run->pooled =
        scratch_take(scratch, (size_t)(run->last.batch * run->last.channels), sizeof(float));
}

size_t resnet_scratch_bytes(const struct resnet *resnet, int64_t height, int64_t width)
{
    struct run run = {.resnet = resnet};
    struct scratch scratch = {NULL, 0};
    if (measure(&run, (struct map_shape){1, height, width, resnet->config.num_channels}))
        layout(&run, &scratch);
    return scratch.used;
}

static void forward_block(struct run *run, const struct resnet_block *block,
                          struct map_shape *shape)
{
    float *const *maps = run->maps;
    const float *from = maps[HIDDEN];
    float *sum = maps[HIDDEN];
    struct map_shape inner = *shape;
    if (block->shortcut != NULL) {
        sum = maps[OTHER];
        conv_run(run->runner, block->shortcut, maps[HIDDEN], *shape, sum);
    }
    for (uint32_t i = 0; i < block->n_convs; i++) {
        float *to = i + 1 == block->n_convs ? sum : i == 0 ? maps[INNER] : maps[INNERMOST];
        conv_run(run->runner, block->convs[i], from, inner, to);
        (void)conv_shape(block->convs[i], inner, &inner);
        from = to;
    }
    if (block->shortcut != NULL) {
        run->maps[OTHER] = run->maps[HIDDEN];
        run->maps[HIDDEN] = sum;
    }
    *shape = inner;
}

/* A group whose pictures begin at `first` of the batch. */
static void forward(struct run *run, const float *pixels, size_t first)
{
    const struct resnet *resnet = run->resnet;
    const struct kernels *kernels = resnet->model.kernels;
    const size_t n = (size_t)run->image.batch, hidden = (size_t)run->last.channels;
    struct map_shape shape = run->image;
    float *pooled = run->pooler_output != NULL ? run->pooler_output + first * hidden : run->pooled;
    feature_map_from_planes(kernels, pixels, shape, run->maps[OTHER]);
    conv_run(run->runner, resnet->stem, run->maps[OTHER], shape, run->maps[INNER]);
    (void)conv_shape(resnet->stem, shape, &shape);
    pool_run(kernels, &stem_pool, run->maps[INNER], shape, run->maps[HIDDEN]);
    (void)pool_shape(&stem_pool, shape, &shape);
    for (size_t i = 0; i < resnet->n_blocks && linear_runner_status(run->runner) == MODEL_OK; i++)
        forward_block(run, &resnet->blocks[i], &shape);
    if (linear_runner_status(run->runner) != MODEL_OK)
        return;
    if (run->last_hidden_state != NULL)
        feature_map_to_planes(kernels, run->maps[HIDDEN], shape,
                              run->last_hidden_state + first * map_size(shape) / n);
    if (run->pooler_output != NULL || run->logits != NULL)
        pool_global_average(kernels, run->maps[HIDDEN], shape, pooled);
    if (run->logits != NULL)
        linear_run(run->runner, resnet->classifier, pooled, n, n,
                   run->logits + first * (size_t)linear_out_features(resnet->classifier));
}

/* The largest group within GROUP_BYTES, in which the batch is divided evenly. */
static int64_t group_size(struct run *run, int64_t batch)
{
    struct scratch scratch = {NULL, 0};
    layout(run, &scratch); /* of one picture */
    const int64_t most = (int64_t)(GROUP_BYTES / scratch.used);
    const int64_t n_groups = most < 1 ? batch : (batch + most - 1) / most;
    return (batch + n_groups - 1) / n_groups;
}

static model_status run_groups(struct run *run, const float *pixels, int64_t batch,
                               struct model_error *err)
{
    const struct model_services *services = kernels_services(run->resnet->model.kernels);
    const size_t picture = map_size(run->image) / (size_t)run->image.batch;
    const int64_t group = run->image.batch;
    struct scratch scratch = {NULL, 0};
    layout(run, &scratch);
    scratch = (struct scratch){services->scratch(services->context, scratch.used), 0};
    if (scratch.memory == NULL)
        return kernels_no_memory(err, "the feature maps of a run");
    layout(run, &scratch);
    for (int64_t first = 0; first < batch && linear_runner_status(run->runner) == MODEL_OK;
         first += group) {
        run->image.batch = batch - first < group ? batch - first : group;
        forward(run, pixels + (size_t)first * picture, (size_t)first);
    }
    return linear_runner_status(run->runner);
}

model_status resnet_run(struct model_instance *self, const struct model_call *call,
                        struct model_error *err)
{
    const struct plugin_instance *instance = (const struct plugin_instance *)self;
    const struct resnet *resnet = (const struct resnet *)instance->model;
    const struct model_tensor *pixels = call_input(call, "pixel_values");
    const int64_t *size = pixels->shape, batch = size[0];
    struct run run = {.resnet = resnet, .runner = instance->runner};
    struct call_reader r = {.call = call, .err = err, .batch = batch};
    struct map_shape image = {1, size[2], size[3], size[1]};
    linear_runner_begin(instance->runner, call->cancel, err);
    if (!measure(&run, image))
        return kernels_fail(err, MODEL_INVALID_ARGUMENT,
                            "pixel_values: pictures of %lld x %lld are too large for this model: "
                            "a feature map has at most %lld numbers",
                            (long long)size[2], (long long)size[3], (long long)MAP_MAX_SIZE);
    image.batch = group_size(&run, batch);
    (void)measure(&run, image);
    const int64_t hidden = run.last.channels;
    if (resnet->classifier != NULL)
        run.logits = take_output(&r, "logits", 2,
                                 (int64_t[]){batch, linear_out_features(resnet->classifier)});
    run.pooler_output = take_output(&r, "pooler_output", 2, (int64_t[]){batch, hidden});
    run.last_hidden_state = take_output(
        &r, "last_hidden_state", 4, (int64_t[]){batch, hidden, run.last.height, run.last.width});
    return r.status == MODEL_OK ? run_groups(&run, pixels->data, batch, err) : r.status;
}
