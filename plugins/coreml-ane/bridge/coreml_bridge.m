/* coreml_bridge.m - compiling and loading models by Core ML, and giving them back; see bridge_calls.h.
 *
 * What calls Apple's code is guarded (bridge_guard()). A struct coreml_handle is a retained BridgeModel. */
#include "bridge_objects.h"

#include <stdarg.h>

@implementation BridgeModel
- (void)dealloc
{
    for (uint32_t i = 0; i < schema.n_inputs; i++)
        free((void *)(uintptr_t)inputs[i].name);
    for (uint32_t i = 0; i < schema.n_outputs; i++)
        free((void *)(uintptr_t)outputs[i].name);
}
@end

/* ---- errors */

model_status bridge_fail(char **ret_error, model_status status, NSString *format, ...)
{
    if (ret_error == NULL)
        return status;
    @autoreleasepool {
        va_list arguments;
        va_start(arguments, format);
        NSString *sentence = [[NSString alloc] initWithFormat:format arguments:arguments];
        va_end(arguments);
        const char *text = sentence.UTF8String;
        *ret_error = text != NULL ? bridge_copy_string(text) : NULL;
    }
    return status;
}

NSString *bridge_reason(NSError *error)
{
    return error != nil ? error.localizedDescription : @"it does not say why";
}

model_status bridge_guard(char **ret_error, NSString *doing, model_status (^body)(void))
{
    @autoreleasepool {
        @try {
            return body();
        } @catch (NSException *thrown) {
            return bridge_fail(ret_error, MODEL_INTERNAL, @"%@ threw %@: %@", doing, thrown.name,
                               thrown.reason);
        } @catch (...) {
            return bridge_fail(ret_error, MODEL_INTERNAL, @"%@ threw what is no NSException",
                               doing);
        }
    }
}

/* ---- options */

MLModelConfiguration *bridge_configuration(const struct coreml_load_options *options)
{
    static const MLComputeUnits units[] = {[COREML_UNITS_CPU_AND_NEURAL_ENGINE] =
                                               MLComputeUnitsCPUAndNeuralEngine,
                                           [COREML_UNITS_ALL] = MLComputeUnitsAll,
                                           [COREML_UNITS_CPU_ONLY] = MLComputeUnitsCPUOnly,
                                           [COREML_UNITS_CPU_AND_GPU] = MLComputeUnitsCPUAndGPU};
    if (options->units < 0 || options->units > COREML_UNITS_CPU_AND_GPU)
        return nil;
    MLModelConfiguration *configuration = [MLModelConfiguration new];
    configuration.computeUnits = units[options->units];
    configuration.allowLowPrecisionAccumulationOnGPU = options->low_precision != 0 ? YES : NO;
    if (@available(macOS 15.0, *)) /* before it there is no other than the default */
        configuration.functionName =
            options->function != NULL ? [NSString stringWithUTF8String:options->function] : nil;
    return configuration;
}

NSURL *bridge_url(const char *path)
{
    NSString *text = [NSString stringWithUTF8String:path];
    return text != nil ? [NSURL fileURLWithPath:text] : nil;
}

/* ---- compiling */

/* Into a temporary folder of the system's. */
static NSURL *compile_source(NSURL *source, NSError **ret_error)
{
    __block NSURL *made = nil;
    __block NSError *error = nil;
    dispatch_semaphore_t done = dispatch_semaphore_create(0);
    [MLModel compileModelAtURL:source
             completionHandler:^(NSURL *url, NSError *reason) {
               made = url;
               error = reason;
               (void)dispatch_semaphore_signal(done);
             }];
    (void)dispatch_semaphore_wait(done, DISPATCH_TIME_FOREVER);
    *ret_error = error;
    return made;
}

static model_status compile(const char *source_path, const char *target_path, char **ret_path,
                            char **ret_error)
{
    NSURL *source = bridge_url(source_path);
    NSURL *target = target_path != NULL ? bridge_url(target_path) : nil;
    NSFileManager *files = NSFileManager.defaultManager;
    NSError *error = nil;
    if (source == nil || (target_path != NULL && target == nil))
        return bridge_fail(ret_error, MODEL_INVALID_ARGUMENT,
                           @"the path of the %s is not UTF-8, which Core ML wants",
                           source == nil ? "model" : "compiled model");
    NSURL *made = compile_source(source, &error);
    if (made == nil)
        return bridge_fail(ret_error, MODEL_CORRUPT, @"Core ML does not compile %@: %@",
                           source.path, bridge_reason(error));
    if (target != nil && ![files moveItemAtURL:made toURL:target error:&error]) {
        (void)[files removeItemAtURL:made error:NULL];
        return bridge_fail(ret_error, MODEL_IO, @"the compiled model cannot be moved to %@: %@",
                           target.path, bridge_reason(error));
    }
    NSURL *place = target != nil ? target : made;
    const char *path = place.path.UTF8String;
    char *copy = path != NULL ? bridge_copy_string(path) : NULL;
    if (copy == NULL) {
        (void)[files removeItemAtURL:place error:NULL];
        return bridge_fail(ret_error, MODEL_OUT_OF_MEMORY, @"no memory for a path");
    }
    *ret_path = copy;
    return MODEL_OK;
}

model_status bridge_compile_model(const char *source_path, const char *target_path, char **ret_path,
                                  char **ret_error)
{
    return bridge_guard(ret_error, @"compiling", ^model_status {
      return compile(source_path, target_path, ret_path, ret_error);
    });
}

/* ---- loading */

static model_status load(const char *path, const struct coreml_load_options *options,
                         struct coreml_handle **ret, char **ret_error)
{
    MLModelConfiguration *configuration = bridge_configuration(options);
    NSURL *url = bridge_url(path);
    if (url == nil)
        return bridge_fail(ret_error, MODEL_INVALID_ARGUMENT,
                           @"the path of the compiled model is not UTF-8, which Core ML wants");
    if (configuration == nil)
        return bridge_fail(ret_error, MODEL_INVALID_ARGUMENT,
                           @"compute units %d are not known, want 0 to %d", (int)options->units,
                           COREML_UNITS_CPU_AND_GPU);
    NSError *error = nil;
    BridgeModel *model = [BridgeModel new];
    model->queue = dispatch_queue_create("coreml_predict", NULL);
    model->model = [MLModel modelWithContentsOfURL:url configuration:configuration error:&error];
    if (model->model == nil)
        return bridge_fail(ret_error, MODEL_CORRUPT, @"Core ML does not load %@: %@", url.path,
                           bridge_reason(error));
    const model_status status = bridge_read_schema(model, options, ret_error);
    if (status == MODEL_OK)
        *ret = (__bridge_retained void *)model;
    return status;
}

model_status bridge_load_model(const char *compiled_path, const struct coreml_load_options *options,
                               struct coreml_handle **ret, char **ret_error)
{
    return bridge_guard(ret_error, @"loading", ^model_status {
      return load(compiled_path, options, ret, ret_error);
    });
}

model_status bridge_model_schema(struct coreml_handle *handle, const struct coreml_schema **ret,
                                 char **ret_error)
{
    return bridge_guard(ret_error, @"describing", ^model_status {
      *ret = &((__bridge BridgeModel *)(void *)handle)->schema;
      return MODEL_OK;
    });
}

/* ---- giving back */

void bridge_free_model(struct coreml_handle *handle)
{
    /* nobody could be told what goes wrong */
    (void)bridge_guard(NULL, @"freeing", ^model_status {
      (void)(__bridge_transfer BridgeModel *)(void *)handle;
      return MODEL_OK;
    });
}

char *bridge_copy_string(const char *text)
{
    return strdup(text);
}

void bridge_free_string(char *text)
{
    free(text);
}
