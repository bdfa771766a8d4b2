/* plugin_error.h - the error text that comes back from a plugin is untrusted like all it gives. */
#ifndef PLUGIN_ERROR_H
#define PLUGIN_ERROR_H

#include "modelhost.h"

/* After a call into a plugin: terminates the sentence, turns control characters into blanks, cuts it where
 * it is no UTF-8, and puts `fallback` where a failure says nothing. Does nothing to a success but clear
 * the text. [any-thread] */
void plugin_error_tidy(struct model_error *err, model_status status, const char *fallback);

#endif
