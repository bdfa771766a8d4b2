/* model_creating.h - the calls of a plugin that make a model and its instances. */
#ifndef MODEL_CREATING_H
#define MODEL_CREATING_H

#include "loaded_model.h"

/* create_model() and a first instance, on a thread of their own with so many threads to compute: the model's plugin,
 * services and package are open. `prepared`: a worker's ends for prepared weights, or NULL. What was made is the model's, also on failure. MODELHOST_CRASHED: the plugin
 * ended the thread. */
model_status model_creating_run(struct modelhost_model *model, uint32_t threads,
                                struct prepared_ends *prepared, struct model_error *err);

/* Makes and checks an instance. [create-thread, lane-thread] */
model_status model_creating_instance(struct modelhost_model *model, struct hosted_instance **ret,
                                     struct model_error *err);

#endif
