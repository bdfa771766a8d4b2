/* result_key.h - digests that say that two answers are the same. */
#ifndef RESULT_KEY_H
#define RESULT_KEY_H

#include "loaded_model.h"
#include "result_memory.h"

/* Of a model: its plugin, configuration and weights. Files of a package count by the digests of its manifest,
 * so that hosts of the same package share results; other ones, and those that were changed since the manifest
 * was written, by their place, size and times. */
model_status result_key_of_model(const struct modelhost_model *model,
                                 char ret_key[RESULT_KEY_BYTES], struct model_error *err);

/* Of a call: the model's key, each input's name, type, shape and data, and the wanted outputs. */
model_status result_key_of_call(const char *model_key, const struct model_tensor *const *inputs,
                                uint32_t n_inputs, const struct modelhost_result *wanted,
                                char ret_key[RESULT_KEY_BYTES], struct model_error *err);

#endif
