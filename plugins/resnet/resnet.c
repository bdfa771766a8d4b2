/* resnet.c - the model: config.json, the description, create and destroy. Immutable once created. */
#include "resnet.h"

#include <string.h>

MODEL_PLUGIN_NOTE("resnet", "1.0.0",
                  "resnet,resnet18,resnet34,resnet50,resnet101,resnet152,resnext50_32x4d,"
                  "resnext101_32x8d,resnext101_64x4d,wide_resnet50_2,wide_resnet101_2");

#define MAX_WIDTH (1 << 16)

/* Whether the model has a classifier: its class says so, or the weights where it is none of
 * transformers' classes. */
static void read_class(struct config_reader *reader, struct resnet *resnet)
{
    struct resnet_config *config = &resnet->config;
    const char *name = config_string(reader, "architectures[0]", "");
    config->classifies = strcmp(name, "ResNetForImageClassification") == 0;
    if (config->classifies || strcmp(name, "ResNetModel") == 0)
        return;
    config->classifies = weight_exists(resnet->model.kernels,
                                       config->torchvision ? "fc.weight" : "classifier.1.weight");
    if (name[0] != '\0' && !config->torchvision && reader->status == MODEL_OK)
        reader->status = kernels_fail(reader->err, MODEL_UNSUPPORTED,
                                      "config.json: this plugin does not compute '%.80s', want "
                                      "ResNetModel, ResNetForImageClassification or weights named "
                                      "as torchvision does",
                                      name);
}

/* A field that the weights answer where config.json does not; 0: neither. */
static int64_t either(struct config_reader *r, const char *path, int64_t max, int64_t of_weights)
{
    return config_integer(r, path, 1, max, of_weights > 0 ? of_weights : CONFIG_REQUIRED);
}

/* depths and hidden_sizes end with the shorter of the two, as in the original. */
static void read_stages(struct config_reader *r, struct resnet *resnet)
{
    struct resnet_config *config = &resnet->config;
    const uint32_t n_depths = config_length(r, "depths");
    const uint32_t n_sizes = config_length(r, "hidden_sizes");
    uint32_t n = n_depths == 0 || (n_sizes > 0 && n_sizes < n_depths) ? n_sizes : n_depths;
    while (n_depths + n_sizes == 0 && resnet_dimension(resnet, (int)n, 0, 1, 0) > 0)
        n++;
    if (r->status == MODEL_OK && (n == 0 || n > RESNET_MAX_STAGES))
        r->status = kernels_fail(r->err, MODEL_INVALID_ARGUMENT,
                                 "config.json and the weights give %u stages ('depths', "
                                 "'hidden_sizes'), want 1 to %d",
                                 n, RESNET_MAX_STAGES);
    config->n_stages = n > RESNET_MAX_STAGES ? 0 : (int)n;
    for (int i = 0; i < config->n_stages && r->status == MODEL_OK; i++) {
        char path[WEIGHT_NAME_BYTES];
        int64_t depth = 0, hidden = resnet_dimension(resnet, i, 0, config->bottleneck ? 3 : 2, 0);
        while (resnet_dimension(resnet, i, depth, 1, 0) > 0)
            depth++;
        weight_name(path, "depths[%d]", i);
        config->depths[i] = either(r, path, RESNET_MAX_DEPTH, depth);
        weight_name(path, "hidden_sizes[%d]", i);
        config->hidden_sizes[i] = either(r, path, MAX_WIDTH, hidden);
    }
}

static void read_layer_type(struct config_reader *r, struct resnet *resnet)
{
    const char *found = resnet_dimension(resnet, 0, 0, 3, 0) > 0 ? "bottleneck" : "basic";
    const char *type = config_string(r, "layer_type", found);
    resnet->config.bottleneck = strcmp(type, "bottleneck") == 0;
    if (!resnet->config.bottleneck && strcmp(type, "basic") != 0)
        r->status = kernels_fail(r->err, MODEL_INVALID_ARGUMENT,
                                 "config.json: 'layer_type' is \"%.80s\", want \"basic\" or "
                                 "\"bottleneck\"",
                                 type);
}

static model_status read_config(struct resnet *resnet, struct model_error *err)
{
    struct resnet_config *config = &resnet->config;
    struct config_reader reader = {kernels_services(resnet->model.kernels), err, MODEL_OK},
                         *r = &reader;
    config_require_string(r, "model_type", "resnet");
    config->torchvision = weight_exists(resnet->model.kernels, "layer1.0.conv1.weight");
    config->prefix = "resnet.";
    if (resnet_dimension(resnet, RESNET_STEM, 0, 1, 0) == 0)
        config->prefix = "";
    read_class(r, resnet);
    read_layer_type(r, resnet);
    config->num_channels =
        either(r, "num_channels", MAX_WIDTH, resnet_dimension(resnet, RESNET_STEM, 0, 1, 1));
    config->embedding_size =
        either(r, "embedding_size", MAX_WIDTH, resnet_dimension(resnet, RESNET_STEM, 0, 1, 0));
    config->downsample_in_first_stage = config_bool(r, "downsample_in_first_stage", false);
    config->downsample_in_bottleneck = config_bool(r, "downsample_in_bottleneck", false);
    config->activation = config_activation(r, "hidden_act", ACTIVATION_RELU);
    config->num_labels = config_integer(r, "num_labels", 1, 1 << 20, config_length(r, "id2label"));
    read_stages(r, resnet);
    return reader.status;
}

static model_status describe(struct resnet *resnet, struct model_error *err)
{
    const struct resnet_config *config = &resnet->config;
    struct model_description *description = &resnet->model.description;
    const int64_t hidden = config->hidden_sizes[config->n_stages - 1];
    const struct model_dimension batch = {"batch", 1, INT64_MAX};
    const struct model_dimension channels = {NULL, config->num_channels, config->num_channels};
    const struct model_dimension image[] = {
        batch, channels, {"height", 1, INT64_MAX}, {"width", 1, INT64_MAX}};
    const struct model_dimension map[] = {
        batch, {NULL, hidden, hidden}, {"map_height", 1, INT64_MAX}, {"map_width", 1, INT64_MAX}};
    struct spec_list in = {.kernels = resnet->model.kernels, .batch = batch}, out = in;
    spec_add(&in, "pixel_values", MODEL_F32, 0, 4, image);
    if (resnet->classifier != NULL)
        spec_add_sequences(&out, "logits", 0, linear_out_features(resnet->classifier));
    spec_add_sequences(&out, "pooler_output", 0, hidden);
    spec_add(&out, "last_hidden_state", MODEL_F32, MODEL_SPEC_ON_REQUEST, 4, map);
    description->architecture =
        resnet->classifier != NULL ? "ResNetForImageClassification" : "ResNetModel";
    description->task =
        resnet->classifier != NULL ? "image-classification" : "image-feature-extraction";
    struct residual_pass pass;
    if (residual_measure(&resnet->network, (struct map_shape){1, 224, 224, config->num_channels},
                         &pass))
        description->instance_bytes = residual_bytes(&pass);
    return spec_describe(&in, &out, description, err);
}

static model_status build(struct plugin_model *model, struct model_error *err)
{
    struct resnet *resnet = (struct resnet *)model;
    model_status status = read_config(resnet, err);
    model->run = resnet_run;
    if (status == MODEL_OK)
        status = resnet_weights_load(resnet, err);
    return status == MODEL_OK ? describe(resnet, err) : status;
}

model_status create_model(const struct model_services *services,
                          const struct model_create_args *args, struct model **ret,
                          struct model_error *err)
{
    return plugin_model_create(services, args, sizeof(struct resnet), build, ret, err);
}
