/* execute.h - running one request through the plugin, on a lane. */
#ifndef EXECUTE_H
#define EXECUTE_H

#include "hosted_instance.h"
#include "plugin_file.h"
#include "request.h"
#include "result_memory.h"
#include "result.h"
#include "schema.h"

/* Checks the inputs, takes an instance of the model, calls run(), checks what came out, and lets the
 * request's job turn tensors into the answer. A job that was suspended leaves *ret_result alone. [lane-thread] */
model_status execute_request(struct modelhost_request *request,
                             struct modelhost_result **ret_result, struct model_error *err);

/* Its steps, for requests that run together. */
struct execution {
    struct modelhost_result *result; /* owned by it; empty until a run fills it */
    char key[RESULT_KEY_BYTES];      /* under which the result is kept; "": it is not */
    bool is_found;                   /* the result was kept: nothing is to be run */
};

/* Makes and checks the inputs, and looks for the result among those that were kept. [lane-thread] */
model_status execute_begin(struct modelhost_request *request, struct schema_binding *ret_binding,
                           struct execution *ret, struct model_error *err);
/* A run of its own. [lane-thread] */
model_status execute_alone(struct modelhost_request *request, const struct schema_binding *binding,
                           struct execution *execution, struct model_error *err);
/* The same on an instance that the caller has, for a request without a session. [lane-thread] */
model_status execute_on(struct modelhost_request *request, const struct schema_binding *binding,
                        struct hosted_instance *instance, struct modelhost_result *result,
                        struct model_error *err);
/* What follows a run with this status: the result is kept, and made the answer, or destroyed. [lane-thread] */
model_status execute_end(struct modelhost_request *request, model_status status,
                         struct execution *execution, struct modelhost_result **ret_result,
                         struct model_error *err);

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
    struct lane_progress *progress;    /* where signs of life go; NULL: nowhere */
    struct modelhost_request *request; /* which raises `cancelled`; NULL: somebody else does */
    struct modelhost_request
        *streaming; /* whose caller is told what is emitted; NULL: nobody, or */
    const struct model_stream_sink *sink; /* where it goes; NULL: nowhere */
    bool *
        ret_has_read; /* whether run() succeeded, whatever is wrong with its outputs; may be NULL */
};

/* Runs it into an empty result (result_create()); adds the time to its run_ns. [lane-thread] */
model_status execute_call(const struct plugin_call *plugin_call, struct modelhost_result *result,
                          struct model_error *err);

/* For an instance that stands for one in another process (host/workers/), inside its run(): what the call
 * that execute_call() made is about. */
struct modelhost_request *execute_request_of(const struct model_call *call); /* may be NULL */
/* Instead of call->allocate_output(): the output lies in this memory already, which the result gives back. On
 * failure it stays the caller's. */
model_status execute_adopt_output(const struct model_call *call, uint32_t index, int32_t dtype,
                                  uint32_t rank, const int64_t *shape,
                                  const struct tensor_memory *memory, struct model_error *err);

#endif
