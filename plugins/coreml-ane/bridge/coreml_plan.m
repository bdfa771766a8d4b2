/* coreml_plan.m - where Core ML plans to run the operations of a model; see bridge_calls.h. */
#include "bridge_objects.h"

API_AVAILABLE(macos(14.4))
static void add_usage(struct bridge_tally *tally, MLComputePlanDeviceUsage *usage, double cost)
{
    id<MLComputeDeviceProtocol> device = usage.preferredComputeDevice;
    if (device == nil)
        return; /* a constant, say */
    bridge_tally_add(tally,
                     [device isKindOfClass:[MLNeuralEngineComputeDevice class]]
                         ? BRIDGE_NEURAL_ENGINE
                     : [device isKindOfClass:[MLGPUComputeDevice class]] ? BRIDGE_GPU
                                                                         : BRIDGE_CPU,
                     cost);
}

/* With the blocks of loops and branches inside. */
API_AVAILABLE(macos(14.4))
static void add_block(struct bridge_tally *tally, MLComputePlan *plan,
                      MLModelStructureProgramBlock *block)
{
    for (MLModelStructureProgramOperation *operation in block.operations) {
        add_usage(tally, [plan computeDeviceUsageForMLProgramOperation:operation],
                  [plan estimatedCostOfMLProgramOperation:operation].weight);
        for (MLModelStructureProgramBlock *inner in operation.blocks)
            add_block(tally, plan, inner);
    }
}

/* The function that is loaded, and no other: the named one, else main, else the only one. */
API_AVAILABLE(macos(14.4))
static MLModelStructureProgramFunction *loaded_function(
    NSDictionary<NSString *, MLModelStructureProgramFunction *> *functions, const char *name)
{
    NSString *wanted = name != NULL ? [NSString stringWithUTF8String:name] : @"main";
    MLModelStructureProgramFunction *found = wanted != nil ? functions[wanted] : nil;
    if (found != nil || functions.count != 1)
        return found;
    return functions[functions.allKeys[0]];
}

/* A program, a network, or a pipeline of them, in which no function has a name of its own. */
API_AVAILABLE(macos(14.4))
static void add_model(struct bridge_tally *tally, MLComputePlan *plan, MLModelStructure *structure,
                      const char *function)
{
    add_block(tally, plan, loaded_function(structure.program.functions, function).block);
    for (MLModelStructureNeuralNetworkLayer *layer in structure.neuralNetwork.layers)
        add_usage(tally, [plan computeDeviceUsageForNeuralNetworkLayer:layer], 0);
    for (MLModelStructure *part in structure.pipeline.subModels)
        add_model(tally, plan, part, NULL);
}

API_AVAILABLE(macos(14.4))
static model_status count_planned(NSURL *url, const struct coreml_load_options *options,
                                  MLModelConfiguration *configuration,
                                  struct coreml_plan_counts *ret, char **ret_error)
{
    __block MLComputePlan *plan = nil;
    __block NSError *error = nil;
    dispatch_semaphore_t done = dispatch_semaphore_create(0);
    [MLComputePlan loadContentsOfURL:url
                       configuration:configuration
                   completionHandler:^(MLComputePlan *made, NSError *reason) {
                     plan = made;
                     error = reason;
                     (void)dispatch_semaphore_signal(done);
                   }];
    (void)dispatch_semaphore_wait(done, DISPATCH_TIME_FOREVER);
    if (plan == nil)
        return bridge_fail(ret_error, MODEL_CORRUPT, @"Core ML makes no plan of %@: %@", url.path,
                           bridge_reason(error));
    struct bridge_tally tally = {.n = {0}};
    add_model(&tally, plan, plan.modelStructure, options->function);
    *ret = bridge_tally_counts(&tally);
    return MODEL_OK;
}

static model_status plan(const char *path, const struct coreml_load_options *options,
                         struct coreml_plan_counts *ret, char **ret_error)
{
    MLModelConfiguration *configuration = bridge_configuration(options);
    NSURL *url = bridge_url(path);
    if (url == nil || configuration == nil)
        return bridge_fail(ret_error, MODEL_INVALID_ARGUMENT,
                           url == nil ? @"the path of the compiled model is not UTF-8"
                                      : @"the compute units are not known");
    if (@available(macOS 14.4, *))
        return count_planned(url, options, configuration, ret, ret_error);
    return bridge_fail(ret_error, MODEL_UNSUPPORTED, @"plans need macOS 14.4");
}

model_status bridge_plan(const char *compiled_path, const struct coreml_load_options *options,
                         struct coreml_plan_counts *ret, char **ret_error)
{
    return bridge_guard(ret_error, @"planning", ^model_status {
      return plan(compiled_path, options, ret, ret_error);
    });
}
