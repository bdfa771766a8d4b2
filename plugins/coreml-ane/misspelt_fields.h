/* misspelt_fields.h - fields of config.json that are nearly the plugin's own: misspelt, they would be passed over in silence. */
#ifndef MISSPELT_FIELDS_H
#define MISSPELT_FIELDS_H

#include "model_abi.h"

/* A warning for each. Unknown ones are others' (the hub's have dozens), and nothing is said of them. `text` is valid JSON, terminated.
 * [create-thread] */
void misspelt_fields_tell(const struct model_services *services, const char *text);

#endif
