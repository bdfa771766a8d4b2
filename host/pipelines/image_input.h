/* image_input.h - where a model's pictures go in, and what becomes of files on their way there. [any-thread] */
#ifndef IMAGE_INPUT_H
#define IMAGE_INPUT_H

#include "package.h"
#include "preprocessor.h"

/* The input pixel_values, or else the one with MODEL_SPEC_BYTES. MODEL_UNSUPPORTED when the model takes no pictures, or other inputs
 * too. */
model_status image_input_find(const struct model_description *description,
                              const struct model_tensor_spec **ret, struct model_error *err);

/* Reads its preprocessor_config.json: the backend's, or the package's of pixel_values. MODEL_NOT_FOUND says what to do. */
model_status image_input_load(const struct package *package, const struct model_tensor_spec *pixels,
                              struct preprocessor *ret, struct model_error *err);

#endif
