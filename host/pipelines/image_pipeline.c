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

/* What to do for a model without preprocessor_config.json, whose pictures it tells. */
static model_status advise(const char *dir, const struct model_tensor_spec *pixels,
                           struct model_error *err)
{
    const bool takes_bytes = (pixels->flags & MODEL_SPEC_BYTES) != 0;
    char channels[24], height[24], width[24];
    return error_set(err, MODEL_NOT_FOUND,
                     "%s has no " PREPROCESSOR_FILE
                     ", which says how pictures become the model's %.100s (num_channels %s, "
                     "height %s, width %s); %s, or give %.100s as tensors (--inputs)",
                     dir, pixels->name, dimension_text(&pixels->shape[1], channels),
                     dimension_text(&pixels->shape[2], height),
                     dimension_text(&pixels->shape[3], width),
                     takes_bytes ? "'pkgmgr import' of the model makes one"
                                 : "put the one of the model's repository there",
                     pixels->name);
}

/* pixel_values, or else the one input that says of itself that it is a picture. */
static model_status find_pixels(const struct model_description *description,
                                const struct model_tensor_spec **ret, struct model_error *err)
{
    const struct model_tensor_spec *pixels =
        schema_find(description->inputs, description->n_inputs, "pixel_values");
    for (uint32_t i = 0; i < description->n_inputs && pixels == NULL; i++)
        if ((description->inputs[i]->flags & MODEL_SPEC_BYTES) != 0)
            pixels = description->inputs[i];
    if (pixels == NULL || pixels->rank != 4 || pixels->dtype != MODEL_F32)
        return error_set(err, MODEL_UNSUPPORTED,
                         "this model takes no pictures: it has no input 'pixel_values' of F32 and "
                         "rank 4");
    for (uint32_t i = 0; i < description->n_inputs; i++)
        if (description->inputs[i] != pixels &&
            (description->inputs[i]->flags & MODEL_SPEC_OPTIONAL) == 0)
            return error_set(err, MODEL_UNSUPPORTED,
                             "this model takes more than a picture: '%.100s' and '%.100s'; give "
                             "them as tensors (--inputs)",
                             pixels->name, description->inputs[i]->name);
    *ret = pixels;
    return MODEL_OK;
}

/* logits, or else the first output with a number for each label of config.json, which are scores. */
static const struct model_tensor_spec *find_scores(const struct model_description *description,
                                                   const json_node *config)
{
    const int64_t n_labels = (int64_t)json_count(json_member(config, "id2label"));
    const struct model_tensor_spec *logits =
        schema_find(description->outputs, description->n_outputs, IMAGE_LOGITS);
    if (logits != NULL)
        return logits->rank == 2 && logits->dtype == MODEL_F32 ? logits : NULL;
    for (uint32_t i = 0; i < description->n_outputs && n_labels > 0; i++) {
        const struct model_tensor_spec *scores = description->outputs[i];
        int64_t left = scores->dtype == MODEL_F32 && scores->rank > 0 ? n_labels : 0;
        for (uint32_t k = 0; k < scores->rank; k++) {
            const struct model_dimension *size = &scores->shape[k];
            left = size->min == size->max && size->min > 0 && left % size->min == 0
                       ? left / size->min
                       : 0;
        }
        if (left == 1)
            return scores;
    }
    return NULL;
}

static model_status find_tensors(struct image_pipeline *pipeline, struct model_error *err)
{
    const struct model_description *description = pipeline->description;
    model_status status = find_pixels(description, &pipeline->pixels, err);
    if (status != MODEL_OK)
        return status;
    pipeline->scores = find_scores(description, pipeline->config);
    if (pipeline->scores != NULL)
        return MODEL_OK;
    if ((pipeline->pixels->flags & MODEL_SPEC_BYTES) != 0)
        return error_set(err, MODEL_UNSUPPORTED,
                         "this %s has no labels: none of its outputs has a number for each label "
                         "of config.json; give '%.100s' as a tensor, F32 or U8 from 0 to 255 "
                         "(--inputs)",
                         description->architecture, pipeline->pixels->name);
    return error_set(err, MODEL_UNSUPPORTED,
                     "this %s has no labels: it has no output '" IMAGE_LOGITS
                     "' of F32 and rank 2; make pixel_values with modelhost preprocess and run "
                     "them as tensors",
                     description->architecture);
}

/* The backend's own goes before the package's, which is for pixel_values alone: a model that takes pictures as they are
 * scales them itself. */
static model_status load_preprocessor(const struct package *package,
                                      struct image_pipeline *pipeline, struct model_error *err)
{
    const struct model_tensor_spec *pixels = pipeline->pixels;
    const bool takes_bytes = (pixels->flags & MODEL_SPEC_BYTES) != 0;
    model_status status =
        preprocessor_load(package->archive, package->backend_dir, &pipeline->preprocessor, err);
    if (status == MODEL_NOT_FOUND && !takes_bytes)
        status = preprocessor_load(package->archive, package->dir, &pipeline->preprocessor, err);
    if (status == MODEL_NOT_FOUND)
        status = advise(takes_bytes ? package->backend_dir : package->dir, pixels, err);
    if (status == MODEL_OK && pixels->shape[1].min == pixels->shape[1].max)
        status = preprocessor_set_channels(&pipeline->preprocessor, pixels->shape[1].min, err);
    return status;
}

model_status image_pipeline_create(const struct package *package,
                                   const struct model_description *description,
                                   const json_node *config, struct image_pipeline **ret,
                                   struct model_error *err)
{
    struct image_pipeline *pipeline = calloc(1, sizeof *pipeline);
    if (pipeline == NULL)
        return error_no_memory(err, "a picture pipeline");
    pipeline->description = description;
    pipeline->config = config;
    model_status status = find_tensors(pipeline, err);
    if (status == MODEL_OK)
        status = load_preprocessor(package, pipeline, err);
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
