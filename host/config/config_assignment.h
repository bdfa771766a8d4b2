/* config_assignment.h - one option as a command line says it: "max_batch=8", with the keys of a configuration file. */
#ifndef CONFIG_ASSIGNMENT_H
#define CONFIG_ASSIGNMENT_H

#include "modelhost.h"

/* Sets the field of whichever struct has the key; both are complete. A text stays where it is in `assignment`.
 * MODEL_INVALID_ARGUMENT says what is wrong with it. [any-thread] */
model_status config_assignment_apply(const char *assignment, struct modelhost_options *host,
                                     struct modelhost_load_options *model, struct model_error *err);

#endif
