/* coreml_predict.m - one prediction by Core ML, and as long as the caller will wait; see bridge_calls.h.
 *
 * What a prediction needs is copied before it starts, so that one that nobody waits for any more reads nothing of the
 * caller's: it holds the inputs, the answer and the model itself, which is freed behind it. */
#include "bridge_objects.h"

/* What comes back of a prediction; written before the semaphore, read behind it. */
@interface BridgeAnswer : NSObject {
  @public
    id<MLFeatureProvider> output;
    NSString *reason;
    struct bridge_wait wait;
}
@end
@implementation BridgeAnswer
@end

/* ---- running */

/* The end of a prediction, on a thread of Apple's. */
static void finish(BridgeAnswer *answer, id<MLFeatureProvider> output, NSString *reason,
                   dispatch_semaphore_t done)
{
    answer->output = output;
    answer->reason = reason;
    (void)dispatch_semaphore_signal(done);
}

/* On the model's queue, where it may have waited longer than its caller. */
static void predict_here(BridgeModel *model, id<MLFeatureProvider> input, BridgeAnswer *answer,
                         dispatch_semaphore_t done)
{
    __block id<MLFeatureProvider> output = nil;
    __block NSString *reason = nil;
    char *thrown = NULL;
    if (bridge_wait_is_given_up(&answer->wait)) {
        finish(answer, nil, nil, done);
        return;
    }
    (void)bridge_guard(&thrown, @"it", ^model_status {
      NSError *error = nil;
      output = [model->model predictionFromFeatures:input
                                            options:[MLPredictionOptions new]
                                              error:&error];
      reason = bridge_reason(error);
      return MODEL_OK;
    });
    finish(answer, output, thrown != NULL ? [NSString stringWithUTF8String:thrown] : reason, done);
    if (thrown != NULL)
        bridge_free_string(thrown);
}

static void start(BridgeModel *model, id<MLFeatureProvider> input, BridgeAnswer *answer,
                  dispatch_semaphore_t done)
{
    if (@available(macOS 14.0, *)) {
        [model->model predictionFromFeatures:input
                                     options:[MLPredictionOptions new]
                           completionHandler:^(id<MLFeatureProvider> output, NSError *error) {
                             @autoreleasepool {
                                 finish(answer, output, bridge_reason(error), done);
                             }
                           }];
        return;
    }
    dispatch_async(model->queue, ^{
      @autoreleasepool {
          predict_here(model, input, answer, done);
      }
    });
}

static model_status give_up(const struct bridge_ask *ask, model_status why)
{
    return bridge_fail(ask->ret_error, why,
                       why == MODEL_DEADLINE ? @"Core ML was not done at the deadline"
                                             : @"Core ML was not done when it was cancelled");
}

static bool is_done(void *context, int64_t ms)
{
    dispatch_semaphore_t done = (__bridge dispatch_semaphore_t)context;
    return dispatch_semaphore_wait(
               done, dispatch_time(DISPATCH_TIME_NOW, ms * (int64_t)NSEC_PER_MSEC)) == 0;
}

/* Until it is there, or nobody waits any more. */
static model_status wait_for(const struct bridge_ask *ask, BridgeAnswer *answer,
                             dispatch_semaphore_t done)
{
    const model_status given_up =
        bridge_wait_until(ask->call->cancel, is_done, (__bridge void *)done);
    if (given_up != MODEL_OK) {
        bridge_wait_give_up(&answer->wait);
        return give_up(ask, given_up);
    }
    return answer->output != nil ? MODEL_OK
                                 : bridge_fail(ask->ret_error, MODEL_INTERNAL,
                                               @"Core ML does not predict: %@", answer->reason);
}

static model_status predict(const struct bridge_ask *ask)
{
    id<MLFeatureProvider> input = nil;
    model_status status = model_cancel_status(ask->call->cancel);
    if (status != MODEL_OK)
        return give_up(ask, status);
    status = bridge_make_inputs(ask, &input);
    if (status != MODEL_OK)
        return status;
    BridgeAnswer *answer = [BridgeAnswer new];
    dispatch_semaphore_t done = dispatch_semaphore_create(0);
    start(ask->model, input, answer, done);
    status = wait_for(ask, answer, done);
    for (uint32_t i = 0; i < ask->call->n_outputs && status == MODEL_OK; i++)
        status = bridge_put_output(ask, answer->output, i);
    return status;
}

model_status bridge_predict(struct coreml_handle *handle, const struct model_call *call,
                            struct model_error *err, char **ret_error)
{
    const struct bridge_ask ask = {(__bridge BridgeModel *)(void *)handle, call, err, ret_error};
    return bridge_guard(ret_error, @"predicting", ^model_status {
      return predict(&ask);
    });
}
