/* preprocessor.h - what a preprocessor_config.json wants done to pictures.
 *
 * Follows transformers' image processors: ViT, DeiT, BEiT, SigLIP, CLIP, BiT, ViT-hybrid, MobileNet V1 and
 * V2, MobileViT, ConvNext (which ResNet uses), as ...ImageProcessor, ...ImageProcessorFast or ...FeatureExtractor,
 * with the defaults of each for fields that are not there. Every field counts: one that is neither
 * known nor off is refused by name. Always converted to RGB, as transformers' pipeline loads pictures
 * (do_convert_rgb makes no difference). */
#ifndef PREPROCESSOR_H
#define PREPROCESSOR_H

#include "image_resize.h"
#include "json_view.h"

struct archive;

#define PREPROCESSOR_FILE     "preprocessor_config.json"
#define PREPROCESSOR_MAX_SIDE 8192 /* of what it makes */

struct preprocessor {
    bool do_resize;
    uint32_t height, width; /* to resize to; 0: by shortest_edge, keeping the ratio */
    uint32_t shortest_edge;
    enum image_filter filter;
    bool do_center_crop; /* padded with black where the picture is smaller */
    uint32_t crop_height, crop_width;
    bool do_rescale;
    double rescale_factor;
    bool do_normalize;
    double mean[3], std[3];
    bool do_flip;          /* blue, green, red */
    uint32_t num_channels; /* 3, or 1: gray */
};

/* MODEL_CORRUPT names the field, its value and what is wanted; MODEL_UNSUPPORTED the processor or field
 * that is not known. [any-thread] */
model_status preprocessor_read(const json_node *config, struct preprocessor *ret,
                               struct model_error *err);

/* Reads <dir>/preprocessor_config.json, of the archive if there is one. MODEL_NOT_FOUND says what to do when it is not there. */
model_status preprocessor_load(const struct archive *archive, const char *dir,
                               struct preprocessor *ret, struct model_error *err);

/* Makes it give a model's number of channels; MODEL_UNSUPPORTED when its mean and deviation do not. */
model_status preprocessor_set_channels(struct preprocessor *preprocessor, int64_t num_channels,
                                       struct model_error *err);

#endif
