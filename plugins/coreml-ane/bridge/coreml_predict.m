/* coreml_predict.m - one prediction by Core ML, and as long as the caller will wait; see coreml_bridge.h.
 *
 * What a prediction needs is copied before it starts, so that one that nobody waits for any more reads nothing of the
 * caller's. Which numbers of an output belong together is told by its strides. */
#include "bridge_objects.h"

#define MAX_UNFINISHED 4
#define POLL_MS        10

/* What comes back of a prediction; written before the semaphore, read behind it. */
@interface BridgeAnswer : NSObject {
  @public
    id<MLFeatureProvider> output;
    NSString *reason;
}
@end
@implementation BridgeAnswer
@end

/* ---- inputs */

static uint8_t to_pixel(float x)
{
    return x >= 255.0f ? 255 : x > 0.0f ? (uint8_t)(x + 0.5f) : 0;
}

/* Number i of a picture in F32 or U8. */
static uint8_t pixel_at(const struct model_tensor *tensor, size_t i)
{
    return tensor->dtype == MODEL_U8 ? ((const uint8_t *)tensor->data)[i]
                                     : to_pixel(((const float *)tensor->data)[i]);
}

/* Planes (channels, height, width) into rows of BGRA or of grey. */
static void fill_pixels(const struct coreml_port *port, const struct model_tensor *tensor,
                        uint8_t *pixels, size_t row_bytes)
{
    const size_t height = (size_t)tensor->shape[2], width = (size_t)tensor->shape[3];
    const size_t plane = height * width, n_channels = (size_t)tensor->shape[1];
    const size_t first = (port->flags & COREML_PORT_BGR) != 0 ? 0 : 2; /* where blue is */
    for (size_t row = 0; row < height; row++)
        for (size_t column = 0; column < width; column++) {
            const size_t at = row * width + column;
            uint8_t *to = pixels + row * row_bytes + column * (n_channels == 1 ? 1 : 4);
            to[0] = pixel_at(tensor, n_channels == 1 ? at : at + first * plane);
            if (n_channels == 1)
                continue;
            to[1] = pixel_at(tensor, at + plane);
            to[2] = pixel_at(tensor, at + (2 - first) * plane);
            to[3] = 255;
        }
}

static MLFeatureValue *make_image(const struct coreml_port *port, const struct model_tensor *tensor)
{
    CVPixelBufferRef buffer = NULL;
    MLFeatureValue *value = nil;
    const OSType format =
        tensor->shape[1] == 1 ? kCVPixelFormatType_OneComponent8 : kCVPixelFormatType_32BGRA;
    if (CVPixelBufferCreate(NULL, (size_t)tensor->shape[3], (size_t)tensor->shape[2], format, NULL,
                            &buffer) != 0)
        return nil;
    if (CVPixelBufferLockBaseAddress(buffer, 0) == 0) {
        uint8_t *pixels = CVPixelBufferGetBaseAddress(buffer);
        if (pixels != NULL)
            fill_pixels(port, tensor, pixels, CVPixelBufferGetBytesPerRow(buffer));
        (void)CVPixelBufferUnlockBaseAddress(buffer, 0);
        value = pixels != NULL ? [MLFeatureValue featureValueWithPixelBuffer:buffer] : nil;
    }
    CVPixelBufferRelease(buffer);
    return value;
}

static MLFeatureValue *make_array(MLMultiArrayDataType type, const struct model_tensor *tensor)
{
    NSMutableArray<NSNumber *> *shape = [NSMutableArray new];
    for (uint32_t i = 0; i < tensor->rank; i++)
        [shape addObject:[NSNumber numberWithLongLong:tensor->shape[i]]];
    MLMultiArray *array = [[MLMultiArray alloc] initWithShape:shape dataType:type error:NULL];
    __block bool is_full = false;
    const void *data = tensor->data;
    const int32_t dtype = tensor->dtype;
    [array getMutableBytesWithHandler:^(void *bytes, NSInteger size, NSArray<NSNumber *> *strides) {
      struct bridge_layout layout;
      is_full = bridge_read_layout(array, strides, &layout) &&
                bridge_scatter(&layout, bytes, size, dtype, data);
    }];
    return array != nil && is_full ? [MLFeatureValue featureValueWithMultiArray:array] : nil;
}

static id<MLFeatureProvider> make_inputs(BridgeModel *model, const struct model_call *call)
{
    NSMutableDictionary<NSString *, id> *values = [NSMutableDictionary new];
    for (uint32_t i = 0; i < call->n_inputs; i++) {
        const struct model_tensor *tensor = call->inputs[i];
        MLFeatureValue *value = nil;
        for (uint32_t k = 0; k < model->schema.n_inputs; k++) {
            const struct coreml_port *port = &model->inputs[k];
            const bool is_image = (port->flags & COREML_PORT_IMAGE) != 0;
            const bool fits =
                tensor->dtype == port->dtype || (is_image && tensor->dtype == MODEL_U8);
            if (strcmp(port->name, tensor->name) != 0 || !fits || port->rank != tensor->rank)
                continue;
            value = is_image ? make_image(port, tensor) : make_array(model->input_types[k], tensor);
        }
        NSString *name = [NSString stringWithUTF8String:tensor->name];
        if (value == nil || name == nil)
            return nil;
        values[name] = value;
    }
    return [[MLDictionaryFeatureProvider alloc] initWithDictionary:values error:NULL];
}

/* ---- outputs */

static model_status put_array(MLMultiArray *array, uint32_t index, int32_t dtype,
                              const struct model_call *call, struct model_error *err)
{
    struct bridge_layout layout;
    if (!bridge_read_layout(array, array.strides, &layout))
        return MODEL_INTERNAL;
    const model_status status = call->allocate_output(call->context, index, dtype, layout.rank,
                                                      layout.shape, err);
    if (status != MODEL_OK)
        return status;
    __block bool is_read = false;
    void *dense = call->outputs[index]->data;
    [array getBytesWithHandler:^(const void *bytes, NSInteger size) {
      is_read = bridge_gather(&layout, bytes, size, dtype, dense);
    }];
    return is_read ? MODEL_OK : MODEL_INTERNAL;
}

static model_status put_probabilities(MLFeatureValue *value, NSArray *labels, uint32_t index,
                                      const struct model_call *call, struct model_error *err)
{
    NSDictionary<id, NSNumber *> *all = value.dictionaryValue;
    const int64_t n = (int64_t)labels.count;
    const model_status status =
        call->allocate_output(call->context, index, MODEL_F32, 1, &n, err);
    if (status != MODEL_OK)
        return status;
    float *numbers = call->outputs[index]->data;
    for (NSUInteger i = 0; i < labels.count; i++) {
        NSNumber *number = all[labels[i]];
        numbers[i] = number != nil ? number.floatValue : 0.0f;
    }
    return MODEL_OK;
}

static model_status put_output(BridgeModel *model, id<MLFeatureProvider> output, uint32_t index,
                               const struct model_call *call, struct model_error *err)
{
    const char *name = call->outputs[index]->name;
    NSString *text = [NSString stringWithUTF8String:name];
    MLFeatureValue *value = text != nil ? [output featureValueForName:text] : nil;
    for (uint32_t k = 0; k < model->schema.n_outputs && value != nil; k++) {
        const struct coreml_port *port = &model->outputs[k];
        if (strcmp(port->name, name) != 0)
            continue;
        if ((port->flags & COREML_PORT_PROBABILITIES) != 0)
            return put_probabilities(value, model->model.modelDescription.classLabels, index, call,
                                     err);
        MLMultiArray *array = value.multiArrayValue;
        return array != nil ? put_array(array, index, port->dtype, call, err) : MODEL_INTERNAL;
    }
    return MODEL_INTERNAL;
}

/* ---- running */

static void start(BridgeModel *model, id<MLFeatureProvider> input, BridgeAnswer *answer,
                  dispatch_semaphore_t done)
{
    MLPredictionOptions *options = [MLPredictionOptions new];
    if (@available(macOS 14.0, *)) {
        [model->model predictionFromFeatures:input
                                     options:options
                           completionHandler:^(id<MLFeatureProvider> output, NSError *error) {
                             answer->output = output;
                             answer->reason = error.localizedDescription;
                             model->unfinished--;
                             (void)dispatch_semaphore_signal(done);
                           }];
        return;
    }
    dispatch_async(dispatch_get_global_queue(0, 0), ^{
      @autoreleasepool {
          @try {
              NSError *error = nil;
              answer->output = [model->model predictionFromFeatures:input
                                                            options:options
                                                              error:&error];
              answer->reason = error.localizedDescription;
          } @catch (NSException *thrown) {
              answer->reason = thrown.reason;
          }
          model->unfinished--;
          (void)dispatch_semaphore_signal(done);
      }
    });
}

static model_status predict(BridgeModel *model, const struct model_call *call,
                            struct model_error *err, char **ret_error)
{
    id<MLFeatureProvider> input = make_inputs(model, call);
    if (input == nil)
        return bridge_fail(ret_error, MODEL_INVALID_ARGUMENT,
                           "Core ML does not take these inputs", nil);
    if (model->unfinished++ >= MAX_UNFINISHED) {
        model->unfinished--;
        return bridge_fail(ret_error, MODEL_BUSY, "predictions that were given up go on", nil);
    }
    BridgeAnswer *answer = [BridgeAnswer new];
    dispatch_semaphore_t done = dispatch_semaphore_create(0);
    @try {
        start(model, input, answer, done);
    } @catch (NSException *thrown) {
        model->unfinished--;
        return bridge_fail(ret_error, MODEL_INTERNAL, "predicting threw", thrown.reason);
    }
    while (dispatch_semaphore_wait(done, dispatch_time(DISPATCH_TIME_NOW,
                                                       POLL_MS * (int64_t)NSEC_PER_MSEC)) != 0) {
        const model_status given_up = model_cancel_status(call->cancel);
        if (given_up != MODEL_OK)
            return bridge_fail(ret_error, given_up, "Core ML was not done in time", nil);
    }
    if (answer->output == nil)
        return bridge_fail(ret_error, MODEL_INTERNAL, "Core ML does not predict", answer->reason);
    model_status status = MODEL_OK;
    for (uint32_t i = 0; i < call->n_outputs && status == MODEL_OK; i++)
        status = put_output(model, answer->output, i, call, err);
    return status;
}

model_status coreml_predict(struct coreml_handle *handle, const struct model_call *call,
                            struct model_error *err, char **ret_error)
{
    if (handle == NULL || call == NULL || call->cancel == NULL)
        return bridge_fail(ret_error, MODEL_INVALID_ARGUMENT, "no model or no call", nil);
    @autoreleasepool {
        @try {
            return predict((__bridge BridgeModel *)(void *)handle, call, err, ret_error);
        } @catch (NSException *thrown) {
            return bridge_fail(ret_error, MODEL_INTERNAL, "predicting threw", thrown.reason);
        }
    }
}
