/* config_variants.h - a configuration with one value changed, again and again. [any-thread] */
#ifndef CONFIG_VARIANTS_H
#define CONFIG_VARIANTS_H

#include "json_view.h"

struct config_variant {
    const char *field;       /* "hidden_size", "text_config.depths" */
    const char *what;        /* "config.json where hidden_size is -1" */
    const json_node *config; /* the whole of it, and its text; both live during the visit */
    const char *text;
};

/* Visits each field of the object, and those of the objects in it, missing and with other values. False
 * when visit() returned false, which ends it. */
bool config_variants_visit(const json_node *config,
                           bool (*visit)(void *context, const struct config_variant *variant),
                           void *context);

#endif
