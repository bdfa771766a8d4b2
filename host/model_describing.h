/* model_describing.h - what a model is, as JSON: the text of modelhost_describe(). */
#ifndef MODEL_DESCRIBING_H
#define MODEL_DESCRIBING_H

#include "loaded_model.h"

/* The first text; afterwards there always is one. */
model_status model_describing_start(struct modelhost_model *model, struct model_error *err);
/* The text as of now: worker processes come and go. Lives as long as the model. [any-thread] */
const char *model_describing_text(struct modelhost_model *model);
void model_describing_finish(struct modelhost_model *model);

#endif
