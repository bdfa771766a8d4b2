/* model_prepared.h - where a model that is being opened has its prepared weights from: the store, or, in a worker, its
 * host. */
#ifndef MODEL_PREPARED_H
#define MODEL_PREPARED_H

#include "loaded_model.h"
#include "prepared_key.h"

/* What a key is made of, for the model in its dtype; a view of all that is given. `weights` NULL: none, or an archive's
 * that are not open. */
struct prepared_model model_prepared_facts(const struct modelhost_model *model,
                                           const struct weights *weights,
                                           const char *plugin_sha256);

/* In this process: when weights, plugin and services are there, before create_model(). [create-thread] */
void model_prepared_begin(struct modelhost_model *model, struct prepared_ends *ends);
/* The model is made: keeps what is new, and counts. */
void model_prepared_made(struct modelhost_model *model);
/* For workers: fills in model->prepared_share, if anything is to be kept. model->parts says which plugin, `weights`
 * are open (NULL: an archive's, or there are none). */
void model_prepared_share(struct modelhost_model *model, const struct weights *weights);

#endif
