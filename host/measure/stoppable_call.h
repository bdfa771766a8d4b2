/* stoppable_call.h - calls of the public functions that a signal ends: made asynchronously, waited for with an eye on
 * whoever wants to stop, and cancelled then. One thread; not the host's own. */
#ifndef STOPPABLE_CALL_H
#define STOPPABLE_CALL_H

#include "modelhost.h"

#include <stdbool.h>

struct stop_question {
    bool (*interrupted)(void *context); /* asked several times a second; NULL: never */
    void *context;
};

/* As modelhost_run(). MODEL_CANCELLED, "interrupted", once the question is answered with yes: before the call, or soon
 * after that, whatever the plugin does meanwhile. */
model_status stoppable_run(struct modelhost_model *model, const struct model_tensor *const *inputs,
                           uint32_t n_inputs, const struct modelhost_run_options *options,
                           const struct stop_question *stop, struct modelhost_result **ret_result,
                           struct model_error *err);
/* The same of modelhost_generate(). */
model_status stoppable_generate(struct modelhost_model *model,
                                const struct modelhost_prompt *prompts, uint32_t n_prompts,
                                const struct modelhost_generation *generation,
                                const struct stop_question *stop,
                                struct modelhost_result **ret_result, struct model_error *err);

#endif
