/* text_pipeline.h - text in, answer out: tokenizer, tensors, task.
 *
 * A pipeline belongs to a model and is immutable; a batch belongs to a request. The task is the plugin's
 * own word (model_description.task); text_task.h has the table of those that are known. */
#ifndef TEXT_PIPELINE_H
#define TEXT_PIPELINE_H

#include "json_view.h"
#include "package.h"
#include "result.h"

struct request_job;
struct text_pipeline;
struct text_batch;

/* MODEL_UNSUPPORTED when the model takes no token ids; MODEL_NOT_FOUND when the package has no
 * tokenizer. `description` and `config` must outlive the pipeline. */
model_status text_pipeline_create(const struct package *package,
                                  const struct model_description *description,
                                  const json_node *config, struct text_pipeline **ret,
                                  struct model_error *err);
struct tokenizer;
/* Lives as long as the pipeline. */
const struct tokenizer *text_pipeline_tokenizer(const struct text_pipeline *pipeline);
void text_pipeline_destroy(struct text_pipeline *pipeline);

/* Takes copies of the texts, and what is wanted of them. */
model_status text_batch_create(const struct text_pipeline *pipeline,
                               const struct modelhost_text *texts, uint32_t n_texts,
                               const struct modelhost_run_options *options, struct text_batch **ret,
                               struct model_error *err);
void text_batch_destroy(struct text_batch *batch);
/* The batch as a request owns it. */
struct request_job *text_batch_job(struct text_batch *batch);
/* Tokenizes and lays the texts out as one padded batch with its mask; stops when *cancelled
 * is raised. [lane-thread] */
model_status text_batch_tokenize(struct text_batch *batch, const uint32_t *cancelled,
                                 struct model_error *err);
/* The tensors to run (owned by the batch), and the outputs that the task wants. */
const struct model_tensor *const *text_batch_inputs(const struct text_batch *batch,
                                                    uint32_t *ret_n_inputs);
const char *const *text_batch_output_names(const struct text_batch *batch, uint32_t *ret_n_names);
/* Turns the model's tensors into the task's answer: sets result->json, and for embeddings replaces the
 * tensors. [lane-thread] */
model_status text_batch_answer(const struct text_batch *batch, struct modelhost_result *result,
                               struct model_error *err);

#endif
