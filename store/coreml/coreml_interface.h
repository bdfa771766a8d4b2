/* coreml_interface.h - what a model takes and gives, where no model file says it: beside compiled ones. One owner. */
#ifndef COREML_INTERFACE_H
#define COREML_INTERFACE_H

#include "coreml_arena.h"
#include "coreml_model.h"

#define COREML_MAX_FEATURES 4096u /* of a list */

struct coreml_interface {
    struct coreml_features inputs, outputs, states;
    struct coreml_arena arena; /* has them, and their names */
};

/* Adds a feature of that name, all else of which is 0, to one of the lists; it may be written to until the next is added.
 * NULL: no memory, or COREML_MAX_FEATURES are there. */
struct coreml_feature *coreml_interface_add(struct coreml_interface *interface,
                                            struct coreml_features *list, const char *name,
                                            size_t name_bytes);
void coreml_interface_finish(struct coreml_interface *interface);

#endif
