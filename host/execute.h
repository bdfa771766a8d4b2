/* execute.h - running one request through the plugin, on a lane. */
#ifndef EXECUTE_H
#define EXECUTE_H

#include "request.h"

/* Checks the inputs, takes an instance of the model, calls run(), checks what came out, and for the
 * text form turns tensors into the answer. [lane-thread] */
model_status execute_request(struct modelhost_request *request,
                             struct modelhost_result **ret_result, struct model_error *err);

#endif
