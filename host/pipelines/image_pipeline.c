/* image_pipeline.c - see image_pipeline.h: what a model's pictures and labels need. */
#include "image_pipeline.h"
#include "dtype.h"
#include "errors.h"
#include "image_batch.h"
#include "schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "3", or "any" for a dimension that is free. */
static const char *dimension_text(const struct model_dimension *dimension, char text[24])
{
    (void)snprintf(text, 24, "%lld", (long long)dimension->min);
    return dimension->min == dimension->max ? text : "any";
}

/* What to do for a model without preprocessor_config.json, whose pixel_values it tells. */
static model_status advise(const char *dir, const struct model_tensor_spec *pixels,
                           struct model_error *err)
{
    char channels[24], height[24], width[24];
    return error_set(err, MODEL_NOT_FOUND,
                     "%s has no " PREPROCESSOR_FILE
                     ", which says how pictures become the model's pixel_values (num_channels %s, "
                     "height %s, width %s); put the one of the model's repository there, or give "
                     "pixel_values as tensors (--inputs)",
                     dir, dimension_text(&pixels->shape[1], channels),
                     dimension_text(&pixels->shape[2], height),
                     dimension_text(&pixels->shape[3], width));
}

static model_status check_model(const struct model_description *description,
                                const struct model_tensor_spec **ret_pixels,
                                struct model_error *err)
{
    const struct model_tensor_spec *pixels =
        schema_find(description->inputs, description->n_inputs, "pixel_values");
    if (pixels == NULL || pixels->rank != 4 || pixels->dtype != MODEL_F32)
        return error_set(err, MODEL_UNSUPPORTED,
                         "this model takes no pictures: it has no input 'pixel_values' of F32 and "
                         "rank 4");
    const struct model_tensor_spec *logits =
        schema_find(description->outputs, description->n_outputs, IMAGE_LOGITS);
    if (logits == NULL || logits->rank != 2 || logits->dtype != MODEL_F32)
        return error_set(err, MODEL_UNSUPPORTED,
                         "this %s has no labels: it has no output '" IMAGE_LOGITS
                         "' of F32 and rank 2; make pixel_values with modelhost preprocess and run "
                         "them as tensors",
                         description->architecture);
    *ret_pixels = pixels;
    return MODEL_OK;
}

model_status image_pipeline_create(const struct package *package,
                                   const struct model_description *description,
                                   const json_node *config, struct image_pipeline **ret,
                                   struct model_error *err)
{
    const struct model_tensor_spec *pixels = NULL;
    model_status status = check_model(description, &pixels, err);
    if (status != MODEL_OK)
        return status;
    struct image_pipeline *pipeline = calloc(1, sizeof *pipeline);
    if (pipeline == NULL)
        return error_no_memory(err, "a picture pipeline");
    pipeline->description = description;
    pipeline->config = config;
    status = preprocessor_load(package->archive, package->dir, &pipeline->preprocessor, err);
    if (status == MODEL_NOT_FOUND) /* an author's folder may have it beside the weights */
        status =
            preprocessor_load(package->archive, package->backend_dir, &pipeline->preprocessor, err);
    if (status == MODEL_NOT_FOUND)
        status = advise(package->dir, pixels, err);
    if (status == MODEL_OK && pixels->shape[1].min == pixels->shape[1].max)
        status = preprocessor_set_channels(&pipeline->preprocessor, pixels->shape[1].min, err);
    if (status == MODEL_OK)
        *ret = pipeline;
    else
        image_pipeline_destroy(pipeline);
    return status;
}

void image_pipeline_destroy(struct image_pipeline *pipeline)
{
    free(pipeline);
}
