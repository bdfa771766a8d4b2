/* image_pipeline.h - pictures in, labels out: decoding, preprocessor_config.json, tensors, answer.
 *
 * A pipeline belongs to a model and is immutable; a batch belongs to a request. Pictures are decoded on
 * the lane, several at a time on its threads, so that an application's thread is never held up. */
#ifndef IMAGE_PIPELINE_H
#define IMAGE_PIPELINE_H

#include "json_view.h"
#include "package.h"

struct request_job;
struct image_batch;
struct image_pipeline;

/* The picture is the input pixel_values, or else the one with MODEL_SPEC_BYTES; the answer is made of logits, or else of the first
 * output with a number for each label. MODEL_UNSUPPORTED when the model takes no pictures, other inputs too, or has no labels;
 * MODEL_NOT_FOUND when there is no preprocessor_config.json: the backend's, or the package's of pixel_values.
 * `description` and `config` must outlive the pipeline. */
model_status image_pipeline_create(const struct package *package,
                                   const struct model_description *description,
                                   const json_node *config, struct image_pipeline **ret,
                                   struct model_error *err);
void image_pipeline_destroy(struct image_pipeline *pipeline);

/* Takes the files as they are; what is wrong with one is said when it runs. `copy`: the call may return
 * before they are read. */
model_status image_batch_create(const struct image_pipeline *pipeline,
                                const struct modelhost_image *images, uint32_t n_images, bool copy,
                                const struct modelhost_run_options *options,
                                struct image_batch **ret, struct model_error *err);
void image_batch_destroy(struct image_batch *batch);
/* The batch as a request owns it. */
struct request_job *image_batch_job(struct image_batch *batch);
/* The outputs that the answer wants; they live as long as the batch's model. */
const char *const *image_batch_output_names(const struct image_batch *batch, uint32_t *ret_n_names);

#endif
