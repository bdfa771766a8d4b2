/* image_preprocess.h - a picture becomes a model's pixel_values. */
#ifndef IMAGE_PREPROCESS_H
#define IMAGE_PREPROCESS_H

#include "preprocessor.h"

/* Resizing and cropping: the picture as the model is to see it, still RGB of 8 bits (gray values three
 * times when the preprocessor wants one channel). The picture may be changed. MODEL_INVALID_ARGUMENT
 * when it would become too large. [any-thread] */
model_status image_preprocess_shape(const struct preprocessor *preprocessor, struct image *image,
                                    struct image *ret, struct model_error *err);

/* Rescaling and normalising: writes (num_channels, height, width) values. [any-thread] */
void image_preprocess_values(const struct preprocessor *preprocessor, const struct image *image,
                             float *ret_values);

#endif
