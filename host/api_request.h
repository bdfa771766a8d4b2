/* api_request.h - what the public functions that run requests share; see api_run.c. */
#ifndef API_REQUEST_H
#define API_REQUEST_H

#include "request.h"

/* MODEL_INVALID_ARGUMENT for options of a struct_size that cannot be. NULL is fine. */
model_status api_check_options(const struct modelhost_run_options *options,
                               struct model_error *err);
/* The options that a caller gave (or NULL), whose struct may be shorter or longer than ours. */
void api_copy_options(const struct modelhost_run_options *options,
                      struct modelhost_run_options *ret);
/* MODEL_UNSUPPORTED for on_tensors where the answer is no tensors. */
model_status api_refuse_tensors(const struct modelhost_run_options *options,
                                struct model_error *err);
/* Counts a call that fails before it waits; returns the status. */
model_status api_refused(struct modelhost_model *model, model_status status);
/* Both take the request over. */
model_status api_run_and_wait(struct modelhost_request *request,
                              struct modelhost_result **ret_result, struct model_error *err);
model_status api_start(struct modelhost_request *request,
                       const struct modelhost_run_options *options, modelhost_callback callback,
                       void *user, struct modelhost_request **ret_request, struct model_error *err);

#endif
