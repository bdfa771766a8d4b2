/* model_opening.h - the steps from a package folder to a model that is ready to run. */
#ifndef MODEL_OPENING_H
#define MODEL_OPENING_H

#include "loaded_model.h"

/* Fills in a zeroed model; on failure what was made stays in it for loaded_model.c to free. */
model_status model_opening_open(struct modelhost_model *model, const struct model_source *source,
                                struct model_error *err);

#endif
