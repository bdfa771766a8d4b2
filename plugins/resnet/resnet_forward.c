/* resnet_forward.c - one run: the network, pooling, classifier. A batch is computed in groups of
 * pictures, so that memory stays bounded. [lane-thread] */
#include "resnet.h"

#define GROUP_BYTES ((size_t)16 << 20) /* of a group's maps, if it has more than one picture */

struct run {
    const struct resnet *resnet;
    struct linear_runner *runner;
    struct residual_pass pass;
    float *logits, *pooler_output, *last_hidden_state;
};

/* n pictures that begin at `first` of the batch. */
static void forward(struct run *run, const float *pixels, size_t first, size_t n)
{
    const struct linear *classifier = run->resnet->classifier;
    const struct kernels *kernels = run->resnet->model.kernels;
    const size_t hidden = (size_t)run->pass.last.channels;
    const float *map = residual_forward(&run->resnet->network, kernels, run->runner, &run->pass,
                                        pixels, (int64_t)n);
    struct map_shape shape = run->pass.last;
    float *pooled =
        run->pooler_output != NULL ? run->pooler_output + first * hidden : run->pass.pooled;
    shape.batch = (int64_t)n;
    if (linear_runner_status(run->runner) != MODEL_OK)
        return;
    if (run->last_hidden_state != NULL)
        feature_map_to_planes(kernels, map, shape,
                              run->last_hidden_state + first * (map_size(shape) / n));
    if (run->pooler_output != NULL || run->logits != NULL)
        pool_global_average(kernels, map, shape, pooled);
    if (run->logits != NULL)
        linear_run(run->runner, classifier, pooled, n, n,
                   run->logits + first * (size_t)linear_out_features(classifier));
}

static model_status run_groups(struct run *run, const float *pixels, size_t batch)
{
    const size_t group = (size_t)run->pass.image.batch, picture = map_size(run->pass.image) / group;
    for (size_t first = 0; first < batch && linear_runner_status(run->runner) == MODEL_OK;
         first += group)
        forward(run, pixels + first * picture, first,
                batch - first < group ? batch - first : group);
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
    if (!residual_measure(&resnet->network, image, &run.pass))
        return kernels_fail(err, MODEL_INVALID_ARGUMENT,
                            "pixel_values: pictures of %lld x %lld are too large for this model: "
                            "a feature map has at most %lld numbers",
                            (long long)size[2], (long long)size[3], (long long)MAP_MAX_SIZE);
    image.batch = residual_group(&run.pass, batch, GROUP_BYTES);
    (void)residual_measure(&resnet->network, image, &run.pass);
    const struct map_shape last = run.pass.last;
    if (resnet->classifier != NULL)
        run.logits = take_output(&r, "logits", 2,
                                 (int64_t[]){batch, linear_out_features(resnet->classifier)});
    run.pooler_output = take_output(&r, "pooler_output", 2, (int64_t[]){batch, last.channels});
    run.last_hidden_state = take_output(&r, "last_hidden_state", 4,
                                        (int64_t[]){batch, last.channels, last.height, last.width});
    if (r.status == MODEL_OK)
        r.status = residual_begin(&run.pass, resnet->model.kernels, err);
    return r.status == MODEL_OK ? run_groups(&run, pixels->data, (size_t)batch) : r.status;
}
