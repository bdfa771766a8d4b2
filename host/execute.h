/* execute.h - running one request through the plugin, on a lane. */
#ifndef EXECUTE_H
#define EXECUTE_H

#include "hosted_instance.h"
#include "plugin_file.h"
#include "request.h"
#include "schema.h"

/* Checks the inputs, takes an instance of the model, calls run(), checks what came out, and lets the
 * request's job turn tensors into the answer. [lane-thread] */
model_status execute_request(struct modelhost_request *request,
                             struct modelhost_result **ret_result, struct model_error *err);

/* Its steps, for requests that run together. First what makes the inputs, checked. [lane-thread] */
model_status execute_prepare(struct modelhost_request *request, struct schema_binding *ret_binding,
                             struct model_error *err);
/* Then a run of its own. [lane-thread] */
model_status execute_alone(struct modelhost_request *request, struct modelhost_result **ret_result,
                           struct model_error *err);
/* What follows a run that succeeded; the result is destroyed where this fails. [lane-thread] */
model_status execute_finish(struct modelhost_request *request, struct modelhost_result *result,
                            struct modelhost_result **ret_result, struct model_error *err);

/* One run() of a plugin, for jobs that make several. */
struct plugin_call {
    struct hosted_instance *instance;
    const struct plugin_file *plugin;         /* whose errors these are; NULL: not said */
    const struct model_tensor *const *inputs; /* (n_inputs), checked */
    uint32_t n_inputs;
    const struct schema_binding *binding; /* what schema_check_inputs() found */
    const uint32_t *slots;                /* one for each item of the batch; NULL: none */
    const uint32_t *cancelled;            /* as in struct model_cancel */
    int64_t deadline_ns;
    struct modelhost_request *streaming; /* whose caller is told what is emitted; NULL: nobody */
    bool *
        ret_has_read; /* whether run() succeeded, whatever is wrong with its outputs; may be NULL */
};

/* Runs it into an empty result (result_create()); adds the time to its run_ns. [lane-thread] */
model_status execute_call(const struct plugin_call *plugin_call, struct modelhost_result *result,
                          struct model_error *err);

#endif
