/* text_task.h - the tasks that turn a model's tensors into answers about texts, and what they see of
 * pipeline and batch. Internal to host/pipelines/. */
#ifndef TEXT_TASK_H
#define TEXT_TASK_H

#include "pooling.h"
#include "request.h"
#include "text_pipeline.h"
#include "tokenizer.h"

struct text_task {
    const char *name;       /* the hub's pipeline tag: model_description.task */
    const char *alias;      /* the short name on the command line */
    const char *outputs[3]; /* wanted outputs; ends with NULL */
    const char *fallback;   /* instead of outputs[0] where the model lacks it; may be NULL */
    bool wants_pair;        /* a text without its pair is refused */
    /* Refuses texts that make no sense for the task, before anything runs; may be NULL. */
    model_status (*check)(const struct text_batch *batch, struct model_error *err);
    /* Adds one object per text to `answers`; may replace the result's tensors. */
    model_status (*answer)(const struct text_batch *batch, struct modelhost_result *result,
                           json_node *answers, struct model_error *err);
};

struct text_pipeline {
    struct tokenizer *tokenizer;
    const struct model_description *description;
    const json_node *config;
    struct pooling pooling;
    int64_t max_tokens;       /* of one text, special tokens included */
    int64_t max_embed_tokens; /* the same for task embed */
};

struct text_item {
    char *text;
    char *pair; /* NULL: none */
    size_t text_bytes, pair_bytes;
    struct encoding encoding;
};

struct text_batch {
    struct request_job job;
    const struct text_pipeline *pipeline;
    const struct text_task *task;
    uint32_t top_k;
    bool truncate;
    struct text_item *items; /* (n_items) */
    uint32_t n_items;
    uint32_t n_columns;             /* tokens of the longest text */
    int64_t *ids, *mask, *type_ids; /* (n_items, n_columns) */
    struct model_tensor tensors[3];
    const struct model_tensor *inputs[3];
    uint32_t n_inputs;
    const char *output_names[3];
    uint32_t n_output_names;
};

/* The tasks; ends with a row whose name is NULL. */
extern const struct text_task text_tasks[];

model_status task_embed_answer(const struct text_batch *batch, struct modelhost_result *result,
                               json_node *answers, struct model_error *err);
model_status task_fill_mask_check(const struct text_batch *batch, struct model_error *err);
model_status task_fill_mask_answer(const struct text_batch *batch, struct modelhost_result *result,
                                   json_node *answers, struct model_error *err);
model_status task_classify_answer(const struct text_batch *batch, struct modelhost_result *result,
                                  json_node *answers, struct model_error *err);
model_status task_token_classify_answer(const struct text_batch *batch,
                                        struct modelhost_result *result, json_node *answers,
                                        struct model_error *err);
model_status task_question_answer(const struct text_batch *batch, struct modelhost_result *result,
                                  json_node *answers, struct model_error *err);

/* An object for item `index` with its "text" (and "pair"), added to answers; NULL without memory. */
json_node *text_task_add_item(const struct text_batch *batch, uint32_t index, json_node *answers);
/* The model's own task, or "none". */
const char *text_task_own(const struct text_batch *batch);
/* The output that the task named first, of rank `rank` and F32. */
model_status text_task_output(const struct text_batch *batch, struct modelhost_result *result,
                              uint32_t which, uint32_t rank, const struct model_tensor **ret,
                              struct model_error *err);
/* MODEL_INTERNAL when one of n values of text `index` in an output is no number: no answer is better than
 * one that looks like one. */
model_status text_task_check_finite(const struct text_batch *batch, uint32_t index,
                                    const struct model_tensor *output, const float *values,
                                    size_t n, struct model_error *err);

#endif
