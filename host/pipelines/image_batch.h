/* image_batch.h - what image_pipeline.c and image_batch.c share. Internal to host/pipelines/. */
#ifndef IMAGE_BATCH_H
#define IMAGE_BATCH_H

#include "image_pipeline.h"
#include "preprocessor.h"

#define IMAGE_LOGITS "logits"

struct image_pipeline {
    const struct model_description *description;
    const json_node *config;
    const struct model_tensor_spec *pixels, *scores; /* of the description */
    struct preprocessor preprocessor;
};

#endif
