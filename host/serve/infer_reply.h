/* infer_reply.h - answers of the Open Inference Protocol (v2), in JSON. [any-thread] */
#ifndef INFER_REPLY_H
#define INFER_REPLY_H

#include "buffer.h"

/* {"model_name", "id" if there was one, "parameters": {"backend", "fallback_reason" if it is not the first},
 * "outputs": [{"name", "datatype", "shape", "data"}]}: data is flat; numbers that are not finite are null. */
model_status infer_reply_result(const char *model_name, const char *id,
                                const struct modelhost_result *result, struct buffer *ret,
                                struct model_error *err);
/* {"name", "platform", "inputs", "outputs"} of a model; -1 is a size that varies. */
model_status infer_reply_model(const char *model_name, const struct model_description *description,
                               struct buffer *ret, struct model_error *err);

#endif
