/* model_compiled.h - where a model that is being opened finds what a framework compiled of it: below the store, or, in a
 * worker, where its host says. */
#ifndef MODEL_COMPILED_H
#define MODEL_COMPILED_H

#include "loaded_model.h"

/* Has the model's services offer it, for its plugin or for its workers, if anything is to be kept. `given`: what a worker was
 * told; NULL in a host. Before create_model(). [create-thread] */
model_status model_compiled_offer(struct modelhost_model *model,
                                  const struct model_compiled_models *given,
                                  struct model_error *err);

#endif
