/* bridge_objects.h - what the parts of the bridge share; Objective-C, seen by them alone. */
#ifndef BRIDGE_OBJECTS_H
#define BRIDGE_OBJECTS_H

#import <CoreML/CoreML.h>

#include "bridge_calls.h"
#include "bridge_layout.h"
#include "bridge_pixels.h"
#include "bridge_sizes.h"
#include "bridge_tally.h"
#include "bridge_wait.h"

#define BRIDGE_MAX_PORTS 64 /* inputs, and outputs */

/* What a struct coreml_handle is. Fixed once loaded. */
@interface BridgeModel : NSObject {
  @public
    MLModel *model;
    struct coreml_schema schema; /* names are its own */
    struct coreml_port inputs[BRIDGE_MAX_PORTS], outputs[BRIDGE_MAX_PORTS];
    MLMultiArrayDataType input_types[BRIDGE_MAX_PORTS];
    dispatch_queue_t queue; /* before macOS 14 one prediction at a time: it was not made for more */
}
@end

/* Sets *ret_error to a copy of the sentence, and returns status. Has a pool of its own. */
model_status bridge_fail(char **ret_error, model_status status, NSString *format, ...)
    __attribute__((format(__NSString__, 3, 4)));

/* What an error says; nil: that it says nothing. */
NSString *bridge_reason(NSError *error);

/* Runs `body` in an autorelease pool. Whatever it throws, of Objective-C or C++, is MODEL_INTERNAL: "<doing> threw ...". */
model_status bridge_guard(char **ret_error, NSString *doing, model_status (^body)(void));

/* nil: units that are not known. */
MLModelConfiguration *bridge_configuration(const struct coreml_load_options *options);

/* nil: not UTF-8. */
NSURL *bridge_url(const char *path);

/* Inputs and outputs of a loaded model into its ports. MODEL_UNSUPPORTED: one that cannot cross, by its name. */
model_status bridge_read_schema(BridgeModel *model, const struct coreml_load_options *options,
                                char **ret_error);

enum bridge_type bridge_type_of(MLMultiArrayDataType type);

/* How the pixels that are made for a port lie. */
enum bridge_form bridge_form_of(const struct coreml_port *port);
OSType bridge_format_of(enum bridge_form form);
/* False: a format that is not known. */
bool bridge_find_form(OSType format, enum bridge_form *ret);

/* One call: who is asked for what. */
struct bridge_ask {
    __unsafe_unretained BridgeModel *model; /* the handle holds it */
    const struct model_call *call;
    struct model_error *err; /* written to by call->allocate_output() alone */
    char **ret_error;
};
model_status bridge_make_inputs(const struct bridge_ask *ask, id<MLFeatureProvider> *ret);
/* Output `index` of the call, out of what Core ML gave. */
model_status bridge_put_output(const struct bridge_ask *ask, id<MLFeatureProvider> output,
                               uint32_t index);

#endif
