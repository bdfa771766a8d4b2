/* coreml_call.m - the tensors of a call as Core ML's values, and back; see coreml_bridge.h. Inputs are copied. Which numbers
 * of an output belong together is told by its strides. Each refusal names the feature, what was found and what was
 * wanted. */
#include "bridge_objects.h"

/* ---- sentences */

/* For %@, where %s would not be UTF-8. */
static NSString *text_of(const char *name)
{
    NSString *text = [NSString stringWithUTF8String:name];
    return text != nil ? text : @"(not UTF-8)";
}

/* "[1, 3, 2..8]". */
static NSString *sizes_text(uint32_t rank, const int64_t *min, const int64_t *max)
{
    NSMutableString *text = [NSMutableString new];
    for (uint32_t i = 0; i < rank; i++) {
        [text appendFormat:@"%s%lld", i == 0 ? "" : ", ", (long long)min[i]];
        if (max[i] > min[i])
            [text appendFormat:@"..%lld", (long long)max[i]];
    }
    return [NSString stringWithFormat:@"[%@]", text];
}

/* Of a port of rank 0 any do. */
static bool has_sizes(const struct coreml_port *port, uint32_t rank, const int64_t *shape)
{
    if (port->rank == 0)
        return true;
    bool fits = rank == port->rank;
    for (uint32_t i = 0; i < rank && fits; i++)
        fits = shape[i] >= port->min[i] && shape[i] <= port->max[i];
    return fits;
}

static const struct coreml_port *find_port(const struct coreml_port *ports, uint32_t n,
                                           const char *name)
{
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(ports[i].name, name) == 0)
            return &ports[i];
    return NULL;
}

/* ---- inputs */

static model_status check_input(const struct bridge_ask *ask, const struct coreml_port *port,
                                const struct model_tensor *tensor)
{
    const bool is_image = port != NULL && (port->flags & COREML_PORT_IMAGE) != 0;
    if (port == NULL)
        return bridge_fail(ask->ret_error, MODEL_INVALID_ARGUMENT, @"the model has no input '%@'",
                           text_of(tensor->name));
    if (tensor->dtype != port->dtype && !(is_image && tensor->dtype == MODEL_U8))
        return bridge_fail(ask->ret_error, MODEL_INVALID_ARGUMENT,
                           @"input '%@' is of dtype %d, want %s", text_of(tensor->name),
                           (int)tensor->dtype,
                           is_image                   ? "F32 or U8"
                           : port->dtype == MODEL_I32 ? "I32"
                                                      : "F32");
    if (!has_sizes(port, tensor->rank, tensor->shape))
        return bridge_fail(ask->ret_error, MODEL_INVALID_ARGUMENT, @"input '%@' is %@, want %@",
                           text_of(tensor->name),
                           sizes_text(tensor->rank, tensor->shape, tensor->shape),
                           sizes_text(port->rank, port->min, port->max));
    return MODEL_OK;
}

/* False: its memory cannot be had. */
static bool fill_buffer(CVPixelBufferRef buffer, const struct coreml_port *port,
                        const struct model_tensor *tensor)
{
    if (CVPixelBufferLockBaseAddress(buffer, 0) != 0)
        return false;
    void *pixels = CVPixelBufferGetBaseAddress(buffer);
    const struct bridge_picture picture = {.form = bridge_form_of(port),
                                           .is_bgr = (port->flags & COREML_PORT_BGR) != 0,
                                           .height = (size_t)tensor->shape[2],
                                           .width = (size_t)tensor->shape[3],
                                           .row_bytes = CVPixelBufferGetBytesPerRow(buffer)};
    if (pixels != NULL)
        bridge_write_pixels(&picture, tensor->dtype, tensor->data, pixels);
    return CVPixelBufferUnlockBaseAddress(buffer, 0) == 0 && pixels != NULL;
}

static MLFeatureValue *make_image(const struct coreml_port *port, const struct model_tensor *tensor)
{
    CVPixelBufferRef buffer = NULL;
    if (CVPixelBufferCreate(NULL, (size_t)tensor->shape[3], (size_t)tensor->shape[2],
                            bridge_format_of(bridge_form_of(port)), NULL, &buffer) != 0)
        return nil;
    @try {
        return fill_buffer(buffer, port, tensor)
                   ? [MLFeatureValue featureValueWithPixelBuffer:buffer]
                   : nil;
    } @finally {
        CVPixelBufferRelease(buffer);
    }
}

static MLFeatureValue *make_array(MLMultiArrayDataType type, const struct model_tensor *tensor)
{
    NSMutableArray<NSNumber *> *shape = [NSMutableArray new];
    for (uint32_t i = 0; i < tensor->rank; i++)
        [shape addObject:[NSNumber numberWithLongLong:tensor->shape[i]]];
    MLMultiArray *array = [[MLMultiArray alloc] initWithShape:shape dataType:type error:NULL];
    __block bool is_full = false;
    [array getMutableBytesWithHandler:^(void *bytes, NSInteger size, NSArray<NSNumber *> *strides) {
      struct bridge_layout layout = {.type = bridge_type_of(type), .rank = tensor->rank};
      for (uint32_t i = 0; i < layout.rank && strides.count == layout.rank; i++) {
          layout.shape[i] = tensor->shape[i];
          layout.strides[i] = strides[i].longLongValue;
      }
      is_full = bridge_scatter(&layout, bytes, size, tensor->dtype, tensor->data);
    }];
    return array != nil && is_full ? [MLFeatureValue featureValueWithMultiArray:array] : nil;
}

static model_status add_input(const struct bridge_ask *ask, const struct model_tensor *tensor,
                              NSMutableDictionary<NSString *, id> *values)
{
    BridgeModel *model = ask->model;
    const struct coreml_port *port = find_port(model->inputs, model->schema.n_inputs, tensor->name);
    const model_status status = check_input(ask, port, tensor);
    if (status != MODEL_OK)
        return status;
    MLFeatureValue *value = (port->flags & COREML_PORT_IMAGE) != 0
                                ? make_image(port, tensor)
                                : make_array(model->input_types[port - model->inputs], tensor);
    if (value == nil)
        return bridge_fail(
            ask->ret_error, MODEL_OUT_OF_MEMORY, @"Core ML makes no %s of %@ for input '%@'",
            (port->flags & COREML_PORT_IMAGE) != 0 ? "picture" : "array",
            sizes_text(tensor->rank, tensor->shape, tensor->shape), text_of(tensor->name));
    values[text_of(tensor->name)] = value;
    return MODEL_OK;
}

model_status bridge_make_inputs(const struct bridge_ask *ask, id<MLFeatureProvider> *ret)
{
    NSMutableDictionary<NSString *, id> *values = [NSMutableDictionary new];
    NSError *error = nil;
    for (uint32_t i = 0; i < ask->call->n_inputs; i++) {
        const model_status status = add_input(ask, ask->call->inputs[i], values);
        if (status != MODEL_OK)
            return status;
    }
    *ret = [[MLDictionaryFeatureProvider alloc] initWithDictionary:values error:&error];
    return *ret != nil
               ? MODEL_OK
               : bridge_fail(ask->ret_error, MODEL_INVALID_ARGUMENT,
                             @"Core ML does not take these inputs: %@", bridge_reason(error));
}

/* ---- outputs: each is checked before the caller gives memory for it, whose status comes through without a sentence */

static model_status allocate(const struct bridge_ask *ask, uint32_t index, int32_t dtype,
                             uint32_t rank, const int64_t *shape)
{
    const struct model_call *call = ask->call;
    return call->allocate_output(call->context, index, dtype, rank, shape, ask->err);
}

static model_status refuse_output(const struct bridge_ask *ask, uint32_t index, NSString *found,
                                  NSString *wanted)
{
    return bridge_fail(ask->ret_error, MODEL_INTERNAL, @"Core ML gave %@ for output '%@', want %@",
                       found, text_of(ask->call->outputs[index]->name), wanted);
}

/* False: more dimensions than tensors have. */
static bool read_layout(MLMultiArray *array, struct bridge_layout *ret)
{
    NSArray<NSNumber *> *shape = array.shape, *strides = array.strides;
    if (shape.count > MODEL_MAX_RANK || strides.count != shape.count)
        return false;
    *ret = (struct bridge_layout){.type = bridge_type_of(array.dataType),
                                  .rank = (uint32_t)shape.count};
    for (NSUInteger i = 0; i < shape.count; i++) {
        ret->shape[i] = shape[i].longLongValue;
        ret->strides[i] = strides[i].longLongValue;
    }
    return true;
}

/* Networks give [1, 1, C, 1, 1] for what is declared as [C]: as many numbers, in the same order. */
static bool is_reshaped(const struct coreml_port *port, int64_t n)
{
    int64_t declared = 1;
    for (uint32_t i = 0; i < port->rank; i++)
        if (port->min[i] != port->max[i] ||
            __builtin_mul_overflow(declared, port->min[i], &declared))
            return false;
    return declared == n;
}

static model_status put_array(const struct bridge_ask *ask, const struct coreml_port *port,
                              MLMultiArray *array, uint32_t index)
{
    struct bridge_layout layout;
    if (array == nil || !read_layout(array, &layout) || layout.type == BRIDGE_UNKNOWN)
        return refuse_output(ask, index,
                             array == nil ? @"no array"
                                          : @"an array whose type or rank tensors do not have",
                             sizes_text(port->rank, port->min, port->max));
    const bool fits = has_sizes(port, layout.rank, layout.shape);
    if (!fits && !is_reshaped(port, bridge_layout_count(&layout, INT64_MAX)))
        return refuse_output(ask, index, sizes_text(layout.rank, layout.shape, layout.shape),
                             sizes_text(port->rank, port->min, port->max));
    const model_status status = allocate(ask, index, port->dtype, fits ? layout.rank : port->rank,
                                         fits ? layout.shape : port->min);
    if (status != MODEL_OK)
        return status;
    __block bool is_read = false;
    void *dense = ask->call->outputs[index]->data;
    [array getBytesWithHandler:^(const void *bytes, NSInteger size) {
      is_read = bridge_gather(&layout, bytes, size, port->dtype, dense);
    }];
    return is_read ? MODEL_OK
                   : refuse_output(ask, index, @"strides that lead out of the array",
                                   @"all of its numbers in it");
}

static model_status put_pixels(const struct bridge_ask *ask, const struct coreml_port *port,
                               CVPixelBufferRef buffer, uint32_t index)
{
    struct bridge_picture picture = {.is_bgr = (port->flags & COREML_PORT_BGR) != 0,
                                     .height = CVPixelBufferGetHeight(buffer),
                                     .width = CVPixelBufferGetWidth(buffer),
                                     .row_bytes = CVPixelBufferGetBytesPerRow(buffer)};
    const OSType format = CVPixelBufferGetPixelFormatType(buffer);
    const bool is_known = bridge_find_form(format, &picture.form);
    const int64_t shape[] = {1, is_known ? bridge_channels(picture.form) : 0,
                             (int64_t)picture.height, (int64_t)picture.width};
    if (!has_sizes(port, 4, shape))
        return refuse_output(ask, index,
                             [NSString stringWithFormat:@"pixels %@ of the format 0x%x",
                                                        sizes_text(4, shape, shape), format],
                             sizes_text(port->rank, port->min, port->max));
    const model_status status = allocate(ask, index, MODEL_F32, 4, shape);
    if (status != MODEL_OK)
        return status;
    if (CVPixelBufferLockBaseAddress(buffer, kCVPixelBufferLock_ReadOnly) != 0)
        return refuse_output(ask, index, @"pixels that cannot be locked", @"memory");
    const void *pixels = CVPixelBufferGetBaseAddress(buffer);
    if (pixels != NULL)
        bridge_read_pixels(&picture, pixels, ask->call->outputs[index]->data);
    (void)CVPixelBufferUnlockBaseAddress(buffer, kCVPixelBufferLock_ReadOnly);
    return pixels != NULL ? MODEL_OK
                          : refuse_output(ask, index, @"pixels without memory", @"memory");
}

static model_status put_image(const struct bridge_ask *ask, const struct coreml_port *port,
                              MLFeatureValue *value, uint32_t index)
{
    /* the value, which nobody uses any more, may go at once, and its buffer with it */
    CVPixelBufferRef buffer = CVPixelBufferRetain(value.imageBufferValue);
    if (buffer == NULL)
        return refuse_output(ask, index, @"no picture",
                             sizes_text(port->rank, port->min, port->max));
    @try {
        return put_pixels(ask, port, buffer, index);
    } @finally {
        CVPixelBufferRelease(buffer);
    }
}

static model_status put_probabilities(const struct bridge_ask *ask, MLFeatureValue *value,
                                      uint32_t index)
{
    NSDictionary<id, NSNumber *> *all = value.dictionaryValue;
    NSArray *labels = ask->model->model.modelDescription.classLabels;
    const int64_t n = (int64_t)labels.count;
    for (id label in labels)
        if (all[label] == nil)
            return refuse_output(ask, index,
                                 [NSString stringWithFormat:@"nothing of class '%@'", label],
                                 @"the probabilities of all classes");
    const model_status status = allocate(ask, index, MODEL_F32, 1, &n);
    if (status != MODEL_OK)
        return status;
    float *numbers = ask->call->outputs[index]->data;
    for (id label in labels)
        *numbers++ = all[label].floatValue;
    return MODEL_OK;
}

model_status bridge_put_output(const struct bridge_ask *ask, id<MLFeatureProvider> output,
                               uint32_t index)
{
    BridgeModel *model = ask->model;
    const char *name = ask->call->outputs[index]->name;
    const struct coreml_port *port = find_port(model->outputs, model->schema.n_outputs, name);
    if (port == NULL)
        return bridge_fail(ask->ret_error, MODEL_INVALID_ARGUMENT, @"the model has no output '%@'",
                           text_of(name));
    MLFeatureValue *value = [output featureValueForName:text_of(name)];
    if (value == nil)
        return refuse_output(ask, index, @"nothing", sizes_text(port->rank, port->min, port->max));
    if ((port->flags & COREML_PORT_PROBABILITIES) != 0)
        return put_probabilities(ask, value, index);
    return (port->flags & COREML_PORT_IMAGE) != 0
               ? put_image(ask, port, value, index)
               : put_array(ask, port, value.multiArrayValue, index);
}
