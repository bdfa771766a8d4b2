/* image_pipeline.c - see image_pipeline.h: what a model's pictures and labels need. */
#include "image_pipeline.h"
#include "dtype.h"
#include "errors.h"
#include "image_batch.h"
#include "image_input.h"
#include "schema.h"

#include <stdlib.h>

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

/* Of a model that takes pictures as they are. */
static model_status refuse_bytes(const struct image_pipeline *pipeline, struct model_error *err)
{
    const size_t n_labels = json_count(json_member(pipeline->config, "id2label"));
    const char *architecture = pipeline->description->architecture;
    if (n_labels == 0)
        (void)error_set(err, MODEL_UNSUPPORTED,
                        "this %s has no labels: there is no id2label in its config.json",
                        architecture);
    else
        (void)error_set(err, MODEL_UNSUPPORTED,
                        "none of the outputs of this %s is of %zu, the number of labels in its "
                        "config.json",
                        architecture, n_labels);
    error_advise(err, "give '%.100s' as a tensor, F32 or U8 from 0 to 255 (--inputs)",
                 pipeline->pixels->name);
    return MODEL_UNSUPPORTED;
}

static model_status find_tensors(struct image_pipeline *pipeline, struct model_error *err)
{
    const struct model_description *description = pipeline->description;
    model_status status = image_input_find(description, &pipeline->pixels, err);
    if (status != MODEL_OK)
        return status;
    pipeline->scores = find_scores(description, pipeline->config);
    if (pipeline->scores != NULL)
        return MODEL_OK;
    if ((pipeline->pixels->flags & MODEL_SPEC_BYTES) != 0)
        return refuse_bytes(pipeline, err);
    return error_set(err, MODEL_UNSUPPORTED,
                     "this %s has no labels: it has no output '" IMAGE_LOGITS
                     "' of F32 and rank 2; make pixel_values with modelhost preprocess and run "
                     "them as tensors",
                     description->architecture);
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
        status = image_input_load(package, pipeline->pixels, &pipeline->preprocessor, err);
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
