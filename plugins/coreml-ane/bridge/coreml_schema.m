/* coreml_schema.m - what a loaded model takes and gives, as ports; see coreml_bridge.h. What cannot cross as a tensor is
 * refused here, by its name, so that nobody finds out at the first prediction. */
#include "bridge_objects.h"

/* Where a feature stands, and where a refusal goes. */
struct place {
    const char *kind; /* "input", "output" */
    bool may_be_open; /* an array may declare no sizes */
    char **ret_error;
};

enum bridge_type bridge_type_of(MLMultiArrayDataType type)
{
    switch (type) {
    case MLMultiArrayDataTypeDouble:
        return BRIDGE_F64;
    case MLMultiArrayDataTypeFloat32:
        return BRIDGE_F32;
    case MLMultiArrayDataTypeFloat16:
        return BRIDGE_F16;
    case MLMultiArrayDataTypeInt32:
        return BRIDGE_I32;
    default:
        return BRIDGE_UNKNOWN; /* of a later system */
    }
}

static const OSType formats[BRIDGE_N_FORMS] = {[BRIDGE_GREY8] = kCVPixelFormatType_OneComponent8,
                                               [BRIDGE_GREY16F] =
                                                   kCVPixelFormatType_OneComponent16Half,
                                               [BRIDGE_BGRA] = kCVPixelFormatType_32BGRA,
                                               [BRIDGE_ARGB] = kCVPixelFormatType_32ARGB};

OSType bridge_format_of(enum bridge_form form)
{
    return formats[form];
}

bool bridge_find_form(OSType format, enum bridge_form *ret)
{
    for (uint32_t i = 0; i < BRIDGE_N_FORMS; i++)
        if (formats[i] == format) {
            *ret = (enum bridge_form)i;
            return true;
        }
    return false;
}

enum bridge_form bridge_form_of(const struct coreml_port *port)
{
    return (port->flags & COREML_PORT_HALF) != 0 ? BRIDGE_GREY16F
           : port->min[1] == 1                   ? BRIDGE_GREY8
                                                 : BRIDGE_BGRA;
}

/* ---- arrays */

static void read_shapes(struct coreml_port *port, NSArray<NSArray<NSNumber *> *> *shapes)
{
    for (NSArray<NSNumber *> *shape in shapes)
        for (uint32_t i = 0; i < port->rank && shape.count == port->rank; i++)
            bridge_widen(port, i, shape[i].longLongValue);
}

static void read_ranges(struct coreml_port *port, NSArray<NSValue *> *ranges)
{
    for (uint32_t i = 0; i < port->rank && ranges.count == port->rank; i++)
        bridge_set_range(port, i, ranges[i].rangeValue.location, ranges[i].rangeValue.length);
}

static model_status read_array(const struct place *place, MLFeatureDescription *feature,
                               struct coreml_port *port)
{
    MLMultiArrayConstraint *array = feature.multiArrayConstraint;
    MLMultiArrayShapeConstraint *between = array.shapeConstraint;
    const NSUInteger rank = array.shape.count;
    if ((rank == 0 && !place->may_be_open) || rank > MODEL_MAX_RANK)
        return bridge_fail(place->ret_error, MODEL_UNSUPPORTED,
                           @"%s '%@' is declared with %lu dimensions, want 1 to %d: convert the "
                           @"model so that it declares the sizes",
                           place->kind, feature.name, (unsigned long)rank, MODEL_MAX_RANK);
    if (bridge_type_of(array.dataType) == BRIDGE_UNKNOWN)
        return bridge_fail(place->ret_error, MODEL_UNSUPPORTED,
                           @"%s '%@' is an array of the unknown type %ld, want float16, float32, "
                           @"double or int32",
                           place->kind, feature.name, (long)array.dataType);
    port->dtype = array.dataType == MLMultiArrayDataTypeInt32 ? MODEL_I32 : MODEL_F32;
    port->rank = (uint32_t)rank;
    for (NSUInteger i = 0; i < rank; i++)
        port->min[i] = port->max[i] = array.shape[i].longLongValue;
    if (between.type == MLMultiArrayShapeConstraintTypeEnumerated)
        read_shapes(port, between.enumeratedShapes);
    if (between.type == MLMultiArrayShapeConstraintTypeRange)
        read_ranges(port, between.sizeRangeForDimension);
    return MODEL_OK;
}

/* ---- pictures */

/* Dimensions 2 and 3 are height and width. Unspecified is the declared size, which has its place in the others, too. */
static void read_image_sizes(struct coreml_port *port, MLImageSizeConstraint *sizes)
{
    if (sizes.type == MLImageSizeConstraintTypeEnumerated)
        for (MLImageSize *size in sizes.enumeratedImageSizes) {
            bridge_widen(port, 2, size.pixelsHigh);
            bridge_widen(port, 3, size.pixelsWide);
        }
    if (sizes.type == MLImageSizeConstraintTypeRange) {
        bridge_set_range(port, 2, sizes.pixelsHighRange.location, sizes.pixelsHighRange.length);
        bridge_set_range(port, 3, sizes.pixelsWideRange.location, sizes.pixelsWideRange.length);
    }
}

static model_status read_image(const struct place *place, MLFeatureDescription *feature,
                               struct coreml_port *port)
{
    MLImageConstraint *image = feature.imageConstraint;
    const OSType format = image.pixelFormatType;
    enum bridge_form form = BRIDGE_GREY8;
    if (!bridge_find_form(format, &form) || image.pixelsHigh <= 0 || image.pixelsWide <= 0)
        return bridge_fail(place->ret_error, MODEL_UNSUPPORTED,
                           @"%s '%@' is a picture of %ld x %ld pixels in the format 0x%x, want a "
                           @"size, and bytes of grey, float16 of grey, BGRA or ARGB",
                           place->kind, feature.name, (long)image.pixelsWide,
                           (long)image.pixelsHigh, format);
    const int64_t shape[] = {1, bridge_channels(form), image.pixelsHigh, image.pixelsWide};
    port->dtype = MODEL_F32;
    port->rank = 4;
    port->flags |= COREML_PORT_IMAGE | (form == BRIDGE_GREY16F ? COREML_PORT_HALF : 0);
    memcpy(port->min, shape, sizeof shape);
    memcpy(port->max, shape, sizeof shape);
    read_image_sizes(port, image.sizeConstraint);
    return MODEL_OK;
}

static void mark_bgr(const char *const *names, uint32_t n, struct coreml_port *port)
{
    for (uint32_t i = 0; i < n; i++)
        if ((port->flags & COREML_PORT_IMAGE) != 0 && strcmp(names[i], port->name) == 0)
            port->flags |= COREML_PORT_BGR;
}

/* ---- features */

static model_status read_feature(const struct place *place, MLFeatureDescription *feature,
                                 struct coreml_port *port)
{
    if (feature.type == MLFeatureTypeMultiArray)
        return read_array(place, feature, port);
    if (feature.type == MLFeatureTypeImage)
        return read_image(place, feature, port);
    return bridge_fail(place->ret_error, MODEL_UNSUPPORTED,
                       @"%s '%@' is a feature of Core ML's type %ld, want an array or a picture",
                       place->kind, feature.name, (long)feature.type);
}

/* The port gets a name of its own and its place among n others. */
static model_status add_port(const struct place *place, NSString *name, struct coreml_port *port,
                             struct coreml_port *ports, uint32_t *n)
{
    if (*n == BRIDGE_MAX_PORTS)
        return bridge_fail(place->ret_error, MODEL_UNSUPPORTED,
                           @"%s '%@' is one too many, want at most %d", place->kind, name,
                           BRIDGE_MAX_PORTS);
    const char *text = name.UTF8String;
    port->name = strdup(text != NULL ? text : "");
    if (port->name == NULL)
        return bridge_fail(place->ret_error, MODEL_OUT_OF_MEMORY, @"no memory for a name");
    ports[(*n)++] = *port;
    return MODEL_OK;
}

static NSArray<NSString *> *names_of(NSDictionary<NSString *, MLFeatureDescription *> *features)
{
    return [features.allKeys sortedArrayUsingSelector:@selector(compare:)];
}

static model_status read_inputs(BridgeModel *model, const struct coreml_load_options *options,
                                char **ret_error)
{
    const struct place place = {"input", false, ret_error}, unsaid = {"input", false, NULL};
    NSDictionary<NSString *, MLFeatureDescription *> *features =
        model->model.modelDescription.inputDescriptionsByName;
    model_status status = MODEL_OK;
    for (NSString *name in names_of(features)) {
        MLFeatureDescription *feature = features[name];
        struct coreml_port port = {.flags = feature.optional ? COREML_PORT_OPTIONAL : 0};
        status = read_feature(feature.optional ? &unsaid : &place, feature, &port);
        if (status != MODEL_OK && feature.optional)
            continue; /* can be left out, and is */
        if (status == MODEL_OK)
            status = add_port(&place, name, &port, model->inputs, &model->schema.n_inputs);
        if (status != MODEL_OK)
            return status;
        const uint32_t at = model->schema.n_inputs - 1;
        mark_bgr(options->bgr_inputs, options->n_bgr_inputs, &model->inputs[at]);
        model->input_types[at] = feature.multiArrayConstraint.dataType;
    }
    return MODEL_OK;
}

static model_status read_output(const struct place *place, MLModelDescription *all,
                                MLFeatureDescription *feature, struct coreml_port *port)
{
    if (feature.type != MLFeatureTypeDictionary)
        return read_feature(place, feature, port);
    if (![feature.name isEqual:all.predictedProbabilitiesName] || all.classLabels.count == 0)
        return bridge_fail(place->ret_error, MODEL_UNSUPPORTED,
                           @"output '%@' is a dictionary, want the probabilities of known classes",
                           feature.name);
    *port = (struct coreml_port){.dtype = MODEL_F32,
                                 .rank = 1,
                                 .min = {(int64_t)all.classLabels.count},
                                 .max = {(int64_t)all.classLabels.count},
                                 .flags = COREML_PORT_PROBABILITIES};
    return MODEL_OK;
}

static model_status read_outputs(BridgeModel *model, const struct coreml_load_options *options,
                                 char **ret_error)
{
    const struct place place = {"output", true, ret_error};
    MLModelDescription *all = model->model.modelDescription;
    NSDictionary<NSString *, MLFeatureDescription *> *features = all.outputDescriptionsByName;
    for (NSString *name in names_of(features)) {
        struct coreml_port port = {.flags = 0};
        MLFeatureDescription *feature = features[name];
        const bool is_tensor = feature.type == MLFeatureTypeMultiArray;
        if (!is_tensor && [name isEqual:all.predictedFeatureName])
            continue; /* the label: who calls has the probabilities */
        model_status status = read_output(&place, all, feature, &port);
        if (status == MODEL_OK)
            status = add_port(&place, name, &port, model->outputs, &model->schema.n_outputs);
        if (status != MODEL_OK)
            return status;
        mark_bgr(options->bgr_outputs, options->n_bgr_outputs,
                 &model->outputs[model->schema.n_outputs - 1]);
    }
    return MODEL_OK;
}

/* Older systems load no model that has one. */
static model_status refuse_states(MLModelDescription *all, char **ret_error)
{
    if (@available(macOS 15.0, *))
        for (NSString *name in all.stateDescriptionsByName)
            return bridge_fail(ret_error, MODEL_UNSUPPORTED,
                               @"the model keeps the state '%@' from one call to the next, want "
                               @"one whose calls do not depend on each other",
                               name);
    return MODEL_OK;
}

model_status bridge_read_schema(BridgeModel *model, const struct coreml_load_options *options,
                                char **ret_error)
{
    model->schema = (struct coreml_schema){
        .struct_size = sizeof model->schema, .inputs = model->inputs, .outputs = model->outputs};
    model_status status = refuse_states(model->model.modelDescription, ret_error);
    if (status == MODEL_OK)
        status = read_inputs(model, options, ret_error);
    return status == MODEL_OK ? read_outputs(model, options, ret_error) : status;
}
