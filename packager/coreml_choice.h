/* coreml_choice.h - which Core ML model of a package answers, and whether all of it is there. Files are blobs of the store
 * already. Used by download and by import, behind coreml_config_add(). [any-thread] */
#ifndef COREML_CHOICE_H
#define COREML_CHOICE_H

#include "store.h"

/* The model file of a container, "backends/coreml/x.mlmodel" or "backends/coreml/x.mlpackage/Data/...", to be freed; NULL in
 * *ret: it cannot be told. */
model_status coreml_choice_model(const struct store *store, const struct manifest *manifest,
                                 const char *container, char **ret, struct model_error *err);
/* MODEL_NOT_FOUND: the model that config.json names keeps weights in a file that the manifest does not have. What cannot be
 * read is fine here: the plugin will say why. */
model_status coreml_choice_check(const struct store *store, const struct manifest *manifest,
                                 struct model_error *err);
/* To be freed: which of several models answers, and how another does; NULL: there is one, the files themselves say it, or
 * there is no memory. */
char *coreml_choice_note(const struct store *store, const struct manifest *manifest);

#endif
