/* coreml_bridge.m - compiling, loading and describing models by Core ML; see coreml_bridge.h.
 *
 * Every function has an autorelease pool and catches what Apple's code throws. A struct coreml_handle is a retained
 * BridgeModel. */
#include "bridge_objects.h"

@implementation BridgeModel
- (void)dealloc
{
    for (uint32_t i = 0; i < schema.n_inputs; i++)
        free((void *)(uintptr_t)inputs[i].name);
    for (uint32_t i = 0; i < schema.n_outputs; i++)
        free((void *)(uintptr_t)outputs[i].name);
}
@end

model_status bridge_fail(char **ret_error, model_status status, const char *what, NSString *reason)
{
    if (ret_error == NULL)
        return status;
    const char *why = reason.UTF8String;
    size_t n_what = 0, n_why = 0;
    while (what[n_what] != '\0')
        n_what++;
    while (why != NULL && why[n_why] != '\0')
        n_why++;
    char *text = malloc(n_what + n_why + 3);
    if (text != NULL) {
        memcpy(text, what, n_what);
        memcpy(text + n_what, ": ", 3);
        if (why != NULL)
            memcpy(text + n_what + 2, why, n_why + 1);
        else
            text[n_what] = '\0';
    }
    *ret_error = text;
    return status;
}

MLModelConfiguration *bridge_configuration(const struct coreml_load_options *options)
{
    static const MLComputeUnits units[] = {
        [COREML_UNITS_CPU_AND_NEURAL_ENGINE] = MLComputeUnitsCPUAndNeuralEngine,
        [COREML_UNITS_ALL] = MLComputeUnitsAll,
        [COREML_UNITS_CPU_ONLY] = MLComputeUnitsCPUOnly,
        [COREML_UNITS_CPU_AND_GPU] = MLComputeUnitsCPUAndGPU};
    const int32_t wanted = options != NULL ? options->units : 0;
    if (wanted < 0 || wanted > COREML_UNITS_CPU_AND_GPU)
        return nil;
    MLModelConfiguration *configuration = [MLModelConfiguration new];
    configuration.computeUnits = units[wanted];
    configuration.allowLowPrecisionAccumulationOnGPU =
        options != NULL && options->low_precision != 0 ? YES : NO;
    return configuration;
}

/* nil: not UTF-8. */
static NSURL *url_of(const char *path)
{
    NSString *text = [NSString stringWithUTF8String:path];
    return text != nil ? [NSURL fileURLWithPath:text] : nil;
}

/* ---- compiling */

static model_status compile(const char *source_path, const char *target_path, char **ret_path,
                            char **ret_error)
{
    NSURL *source = url_of(source_path), *target = target_path != NULL ? url_of(target_path) : nil;
    __block NSURL *made = nil;
    __block NSError *error = nil;
    if (source == nil || (target_path != NULL && target == nil))
        return bridge_fail(ret_error, MODEL_INVALID_ARGUMENT, "the path is not UTF-8", nil);
    dispatch_semaphore_t done = dispatch_semaphore_create(0);
    [MLModel compileModelAtURL:source
             completionHandler:^(NSURL *url, NSError *reason) {
               made = url;
               error = reason;
               (void)dispatch_semaphore_signal(done);
             }];
    (void)dispatch_semaphore_wait(done, DISPATCH_TIME_FOREVER);
    if (made == nil)
        return bridge_fail(ret_error, MODEL_CORRUPT, "Core ML does not compile the model",
                           error.localizedDescription);
    NSError *moving = nil;
    if (target != nil && ![NSFileManager.defaultManager moveItemAtURL:made
                                                                toURL:target
                                                                error:&moving]) {
        (void)[NSFileManager.defaultManager removeItemAtURL:made error:NULL];
        return bridge_fail(ret_error, MODEL_IO, "the compiled model cannot be put into the cache",
                           moving.localizedDescription);
    }
    const char *path = (target != nil ? target : made).path.UTF8String;
    char *copy = path != NULL ? strdup(path) : NULL;
    if (copy == NULL)
        return bridge_fail(ret_error, MODEL_OUT_OF_MEMORY, "no memory for a path", nil);
    *ret_path = copy;
    return MODEL_OK;
}

model_status coreml_compile_model(const char *source_path, const char *target_path, char **ret_path,
                                  char **ret_error)
{
    if (source_path == NULL || ret_path == NULL)
        return bridge_fail(ret_error, MODEL_INVALID_ARGUMENT, "no path to compile", nil);
    @autoreleasepool {
        @try {
            return compile(source_path, target_path, ret_path, ret_error);
        } @catch (NSException *thrown) {
            return bridge_fail(ret_error, MODEL_INTERNAL, "compiling threw", thrown.reason);
        }
    }
}

/* ---- loading */

static model_status load(const char *path, const struct coreml_load_options *options,
                         struct coreml_handle **ret, char **ret_error)
{
    MLModelConfiguration *configuration = bridge_configuration(options);
    NSURL *url = url_of(path);
    if (url == nil || configuration == nil)
        return bridge_fail(ret_error, MODEL_INVALID_ARGUMENT,
                           url == nil ? "the path is not UTF-8" : "unknown compute units", nil);
    NSError *error = nil;
    BridgeModel *model = [BridgeModel new];
    model->model = [MLModel modelWithContentsOfURL:url configuration:configuration error:&error];
    if (model->model == nil)
        return bridge_fail(ret_error, MODEL_CORRUPT, "Core ML does not load the model",
                           error.localizedDescription);
    const model_status status = bridge_read_schema(model, options, ret_error);
    if (status == MODEL_OK)
        *ret = (__bridge_retained void *)model;
    return status;
}

model_status coreml_load_model(const char *compiled_path, const struct coreml_load_options *options,
                               struct coreml_handle **ret, char **ret_error)
{
    if (compiled_path == NULL || ret == NULL)
        return bridge_fail(ret_error, MODEL_INVALID_ARGUMENT, "no path to load", nil);
    @autoreleasepool {
        @try {
            return load(compiled_path, options, ret, ret_error);
        } @catch (NSException *thrown) {
            return bridge_fail(ret_error, MODEL_INTERNAL, "loading threw", thrown.reason);
        }
    }
}

/* ---- the schema */

static bool add_name(NSString *name, struct coreml_port *port)
{
    port->name = strdup(name.UTF8String != NULL ? name.UTF8String : "");
    return port->name != NULL;
}

static void widen(struct coreml_port *port, NSArray<NSNumber *> *shape)
{
    for (NSUInteger i = 0; i < port->rank && shape.count == port->rank; i++) {
        const int64_t size = shape[i].integerValue;
        port->min[i] = size < port->min[i] ? size : port->min[i];
        port->max[i] = size > port->max[i] ? size : port->max[i];
    }
}

/* False: a rank that tensors do not have. */
static bool read_array(MLMultiArrayConstraint *array, struct coreml_port *port)
{
    MLMultiArrayShapeConstraint *between = array.shapeConstraint;
    if (array == nil || array.shape.count > MODEL_MAX_RANK)
        return false;
    port->dtype = array.dataType == MLMultiArrayDataTypeInt32 ? MODEL_I32 : MODEL_F32;
    port->rank = (uint32_t)array.shape.count;
    for (NSUInteger i = 0; i < port->rank; i++)
        port->min[i] = port->max[i] = array.shape[i].integerValue;
    if (between.type == MLMultiArrayShapeConstraintTypeEnumerated)
        for (NSArray<NSNumber *> *shape in between.enumeratedShapes)
            widen(port, shape);
    NSArray<NSValue *> *ranges = between.sizeRangeForDimension;
    if (between.type == MLMultiArrayShapeConstraintTypeRange)
        for (NSUInteger i = 0; i < port->rank && ranges.count == port->rank; i++) {
            const NSRange range = ranges[i].rangeValue;
            const bool is_open = range.length > (NSUInteger)INT64_MAX - range.location;
            port->min[i] = (int64_t)range.location;
            port->max[i] = is_open ? INT64_MAX : (int64_t)(range.location + range.length) - 1;
        }
    return true;
}

static bool read_image(MLImageConstraint *image, struct coreml_port *port)
{
    const int64_t channels = image.pixelFormatType == kCVPixelFormatType_OneComponent8 ? 1 : 3;
    const int64_t shape[] = {1, channels, image.pixelsHigh, image.pixelsWide};
    if (image == nil || image.pixelsHigh <= 0 || image.pixelsWide <= 0)
        return false;
    port->dtype = MODEL_F32;
    port->rank = 4;
    port->flags |= COREML_PORT_IMAGE;
    memcpy(port->min, shape, sizeof shape);
    memcpy(port->max, shape, sizeof shape);
    return true;
}

static void mark_bgr(const struct coreml_load_options *options, struct coreml_port *port)
{
    for (uint32_t i = 0; options != NULL && i < options->n_bgr_inputs; i++)
        if ((port->flags & COREML_PORT_IMAGE) != 0 &&
            strcmp(options->bgr_inputs[i], port->name) == 0)
            port->flags |= COREML_PORT_BGR;
}

static bool read_feature(MLFeatureDescription *feature, struct coreml_port *port)
{
    if (feature.type == MLFeatureTypeMultiArray)
        return read_array(feature.multiArrayConstraint, port);
    return feature.type == MLFeatureTypeImage && read_image(feature.imageConstraint, port);
}

static model_status read_inputs(BridgeModel *model, const struct coreml_load_options *options,
                                char **ret_error)
{
    NSDictionary<NSString *, MLFeatureDescription *> *features =
        model->model.modelDescription.inputDescriptionsByName;
    for (NSString *name in [features.allKeys sortedArrayUsingSelector:@selector(compare:)]) {
        struct coreml_port port = {.flags = 0};
        MLFeatureDescription *feature = features[name];
        const uint32_t n = model->schema.n_inputs;
        if (n == BRIDGE_MAX_PORTS || !read_feature(feature, &port)) {
            if (feature.optional && n < BRIDGE_MAX_PORTS)
                continue;
            return bridge_fail(ret_error, MODEL_UNSUPPORTED,
                               "no tensor and no picture, or one input too many", name);
        }
        port.flags |= feature.optional ? (uint32_t)COREML_PORT_OPTIONAL : 0;
        if (!add_name(name, &port))
            return bridge_fail(ret_error, MODEL_OUT_OF_MEMORY, "no memory for a name", nil);
        mark_bgr(options, &port);
        model->input_types[n] = feature.multiArrayConstraint.dataType;
        model->inputs[model->schema.n_inputs++] = port;
    }
    return MODEL_OK;
}

static model_status read_outputs(BridgeModel *model, char **ret_error)
{
    MLModelDescription *all = model->model.modelDescription;
    NSDictionary<NSString *, MLFeatureDescription *> *features = all.outputDescriptionsByName;
    for (NSString *name in [features.allKeys sortedArrayUsingSelector:@selector(compare:)]) {
        struct coreml_port port = {.flags = 0};
        MLFeatureDescription *feature = features[name];
        if (feature.type == MLFeatureTypeDictionary && all.classLabels.count > 0) {
            port.dtype = MODEL_F32;
            port.rank = 1;
            port.min[0] = port.max[0] = (int64_t)all.classLabels.count;
            port.flags = COREML_PORT_PROBABILITIES;
        } else if (feature.type != MLFeatureTypeMultiArray || !read_feature(feature, &port))
            continue;
        if (model->schema.n_outputs == BRIDGE_MAX_PORTS)
            return bridge_fail(ret_error, MODEL_UNSUPPORTED, "one output too many", name);
        if (!add_name(name, &port))
            return bridge_fail(ret_error, MODEL_OUT_OF_MEMORY, "no memory for a name", nil);
        model->outputs[model->schema.n_outputs++] = port;
    }
    return MODEL_OK;
}

model_status bridge_read_schema(BridgeModel *model, const struct coreml_load_options *options,
                                char **ret_error)
{
    model->schema = (struct coreml_schema){.struct_size = sizeof model->schema,
                                           .inputs = model->inputs,
                                           .outputs = model->outputs};
    const model_status status = read_inputs(model, options, ret_error);
    return status == MODEL_OK ? read_outputs(model, ret_error) : status;
}

model_status coreml_model_schema(struct coreml_handle *handle, const struct coreml_schema **ret,
                                 char **ret_error)
{
    if (handle == NULL || ret == NULL)
        return bridge_fail(ret_error, MODEL_INVALID_ARGUMENT, "no model to describe", nil);
    BridgeModel *model = (__bridge BridgeModel *)(void *)handle;
    *ret = &model->schema;
    return MODEL_OK;
}

/* ---- giving back */

void coreml_free_model(struct coreml_handle *handle)
{
    if (handle == NULL)
        return;
    @autoreleasepool {
        @try {
            (void)(__bridge_transfer BridgeModel *)(void *)handle;
        } @catch (NSException *thrown) {
            (void)thrown; /* nobody could be told */
        }
    }
}

void coreml_free_string(char *text)
{
    free(text);
}
