/* coreml_plan.m - where Core ML plans to run the operations of a model; see coreml_bridge.h. */
#include "bridge_objects.h"

struct tally {
    struct coreml_plan_counts counts;
    double cost, neural_engine_cost;
};

API_AVAILABLE(macos(14.4))
static void add_usage(struct tally *tally, MLComputePlanDeviceUsage *usage, double cost)
{
    id<MLComputeDeviceProtocol> device = usage.preferredComputeDevice;
    if (device == nil)
        return; /* a constant, say */
    tally->counts.n_operators++;
    tally->cost += cost;
    if ([device isKindOfClass:[MLNeuralEngineComputeDevice class]]) {
        tally->counts.n_neural_engine++;
        tally->neural_engine_cost += cost;
    } else if ([device isKindOfClass:[MLGPUComputeDevice class]])
        tally->counts.n_gpu++;
    else
        tally->counts.n_cpu++;
}

API_AVAILABLE(macos(14.4))
static void add_block(struct tally *tally, MLComputePlan *plan, MLModelStructureProgramBlock *block)
{
    for (MLModelStructureProgramOperation *operation in block.operations) {
        add_usage(tally, [plan computeDeviceUsageForMLProgramOperation:operation],
                  [plan estimatedCostOfMLProgramOperation:operation].weight);
        for (MLModelStructureProgramBlock *inner in operation.blocks)
            add_block(tally, plan, inner);
    }
}

API_AVAILABLE(macos(14.4))
static void add_model(struct tally *tally, MLComputePlan *plan)
{
    NSDictionary<NSString *, MLModelStructureProgramFunction *> *functions =
        plan.modelStructure.program.functions;
    for (NSString *name in functions)
        add_block(tally, plan, functions[name].block);
    for (MLModelStructureNeuralNetworkLayer *layer in plan.modelStructure.neuralNetwork.layers)
        add_usage(tally, [plan computeDeviceUsageForNeuralNetworkLayer:layer], 0);
}

API_AVAILABLE(macos(14.4))
static model_status count_planned(const char *path, MLModelConfiguration *configuration,
                                  struct coreml_plan_counts *ret, char **ret_error)
{
    NSString *text = [NSString stringWithUTF8String:path];
    if (text == nil)
        return bridge_fail(ret_error, MODEL_INVALID_ARGUMENT, "the path is not UTF-8", nil);
    __block MLComputePlan *plan = nil;
    __block NSError *error = nil;
    dispatch_semaphore_t done = dispatch_semaphore_create(0);
    [MLComputePlan loadContentsOfURL:[NSURL fileURLWithPath:text]
                       configuration:configuration
                   completionHandler:^(MLComputePlan *made, NSError *reason) {
                     plan = made;
                     error = reason;
                     (void)dispatch_semaphore_signal(done);
                   }];
    (void)dispatch_semaphore_wait(done, DISPATCH_TIME_FOREVER);
    if (plan == nil)
        return bridge_fail(ret_error, MODEL_CORRUPT, "Core ML makes no plan of the model",
                           error.localizedDescription);
    struct tally tally = {.counts = {.struct_size = sizeof tally.counts}};
    add_model(&tally, plan);
    const double n = tally.counts.n_operators;
    tally.counts.neural_engine_share =
        tally.cost > 0 ? tally.neural_engine_cost / tally.cost
        : n > 0        ? tally.counts.n_neural_engine / n
                       : 0;
    *ret = tally.counts;
    return MODEL_OK;
}

model_status coreml_plan(const char *compiled_path, const struct coreml_load_options *options,
                         struct coreml_plan_counts *ret, char **ret_error)
{
    if (compiled_path == NULL || ret == NULL)
        return bridge_fail(ret_error, MODEL_INVALID_ARGUMENT, "no path to plan", nil);
    @autoreleasepool {
        @try {
            MLModelConfiguration *configuration = bridge_configuration(options);
            if (configuration == nil)
                return bridge_fail(ret_error, MODEL_INVALID_ARGUMENT, "unknown compute units", nil);
            if (@available(macOS 14.4, *))
                return count_planned(compiled_path, configuration, ret, ret_error);
            return bridge_fail(ret_error, MODEL_UNSUPPORTED, "plans need macOS 14.4", nil);
        } @catch (NSException *thrown) {
            return bridge_fail(ret_error, MODEL_INTERNAL, "planning threw", thrown.reason);
        }
    }
}
