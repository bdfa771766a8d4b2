/* bridge_objects.h - what the parts of the bridge share; Objective-C, seen by them alone. */
#ifndef BRIDGE_OBJECTS_H
#define BRIDGE_OBJECTS_H

#import <CoreML/CoreML.h>

#include "coreml_bridge.h"

#define BRIDGE_MAX_PORTS 64 /* inputs, and outputs */

/* What a struct coreml_handle is. Fixed once loaded, but for `unfinished`. */
@interface BridgeModel : NSObject {
  @public
    MLModel *model;
    struct coreml_schema schema; /* names are its own */
    struct coreml_port inputs[BRIDGE_MAX_PORTS], outputs[BRIDGE_MAX_PORTS];
    MLMultiArrayDataType input_types[BRIDGE_MAX_PORTS];
    _Atomic int unfinished; /* predictions that nobody waits for any more */
}
@end

/* Sets *ret_error to a copy of "what: reason" or of what alone, and returns status. */
model_status bridge_fail(char **ret_error, model_status status, const char *what, NSString *reason);

/* Inputs and outputs of a loaded model into its ports. */
model_status bridge_read_schema(BridgeModel *model, const struct coreml_load_options *options,
                                char **ret_error);

/* The configuration of options, which may be NULL; nil: units that are not known. */
MLModelConfiguration *bridge_configuration(const struct coreml_load_options *options);

/* Numbers of an array as Core ML lays it out, to and from dense ones of dtype MODEL_F32 or MODEL_I32. `bytes`
 * is the size of `strided`. False: the strides lead out of it, or its type is not known. */
struct bridge_layout {
    MLMultiArrayDataType type;
    uint32_t rank;
    int64_t shape[MODEL_MAX_RANK], strides[MODEL_MAX_RANK]; /* in elements */
};
bool bridge_gather(const struct bridge_layout *layout, const void *strided, int64_t bytes,
                   int32_t dtype, void *dense);
bool bridge_scatter(const struct bridge_layout *layout, void *strided, int64_t bytes, int32_t dtype,
                    const void *dense);
/* False: more than MODEL_MAX_RANK sizes. */
bool bridge_read_layout(MLMultiArray *array, NSArray<NSNumber *> *strides,
                        struct bridge_layout *ret);

#endif
