/* coreml_signature.h - what a function of an ML Program as text takes and gives: (TYPE NAME, ...) {...} -> (NAME, ...).
 * [any-thread] */
#ifndef COREML_SIGNATURE_H
#define COREML_SIGNATURE_H

#include "coreml_interface.h"
#include "coreml_words.h"

/* The inputs and states that stand next. MODEL_CORRUPT: something else does. */
model_status coreml_signature_inputs(struct coreml_words *words, struct coreml_interface *ret,
                                     struct model_error *err);
/* The outputs that stand next; their types are those that the text from `body` on declares, if it does. */
model_status coreml_signature_outputs(struct coreml_words *words, const struct coreml_words *body,
                                      struct coreml_interface *ret, struct model_error *err);

#endif
