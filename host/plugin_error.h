/* plugin_error.h - the error that comes back from a plugin is untrusted like all it gives. */
#ifndef PLUGIN_ERROR_H
#define PLUGIN_ERROR_H

#include "modelhost.h"

/* After a call into a plugin: terminates the sentence, turns control characters into blanks, cuts it where
 * it is no UTF-8, and puts `fallback` where a failure says nothing. Does nothing to a success but clear
 * the text. [any-thread] */
void plugin_error_tidy(struct model_error *err, model_status status, const char *fallback);

/* What the status of a failed create_model() or create_instance() means to a caller: a wrong value or a
 * missing weight is a broken package, MODEL_CORRUPT; what creating cannot be (cancelled, busy, no status
 * at all) is the plugin's bug, MODEL_INTERNAL. */
model_status plugin_error_of_creating(model_status status);
/* The same for run(): MODEL_CANCELLED and MODEL_DEADLINE only when `cancelled` (of the token) was raised
 * or the deadline has passed. */
model_status plugin_error_of_running(model_status status, uint32_t cancelled, int64_t deadline_ns);

#endif
