/* text_pipeline.c - see text_pipeline.h: making pipelines, choosing the task, and what tasks share. */
#include "errors.h"
#include "schema.h"
#include "text_task.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct text_task text_tasks[] = {
    {"feature-extraction", "embed", {"last_hidden_state"}, NULL, false, NULL, task_embed_answer},
    {"fill-mask",
     "fill-mask",
     {"logits"},
     "prediction_logits",
     false,
     task_fill_mask_check,
     task_fill_mask_answer},
    {"text-classification", "classify", {"logits"}, NULL, false, NULL, task_classify_answer},
    {"token-classification",
     "token-classify",
     {"logits"},
     NULL,
     false,
     NULL,
     task_token_classify_answer},
    {"question-answering",
     "question",
     {"start_logits", "end_logits"},
     NULL,
     true,
     NULL,
     task_question_answer},
    {.name = NULL},
};

model_status text_pipeline_create(const struct package *package,
                                  const struct model_description *description,
                                  const json_node *config, struct text_pipeline **ret,
                                  struct model_error *err)
{
    const struct model_tensor_spec *ids =
        schema_find(description->inputs, description->n_inputs, "input_ids");
    if (ids == NULL || ids->rank != 2 || ids->dtype != MODEL_I64)
        return error_set(
            err, MODEL_UNSUPPORTED,
            "this model takes no text: it has no input 'input_ids' of I64 and rank 2; give "
            "it tensors (--inputs)");
    struct text_pipeline *pipeline = calloc(1, sizeof *pipeline);
    if (pipeline == NULL)
        return error_no_memory(err, "a text pipeline");
    pipeline->description = description;
    pipeline->config = config;
    model_status status =
        tokenizer_load_from(package->archive, package->dir, &pipeline->tokenizer, err);
    if (status == MODEL_NOT_FOUND) { /* an author's folder may have it beside the weights */
        struct model_error beside = MODEL_ERROR_INIT;
        model_status found = tokenizer_load_from(package->archive, package->backend_dir,
                                                 &pipeline->tokenizer, &beside);
        if (found != MODEL_NOT_FOUND && found != MODEL_OK)
            (void)error_set(err, found, "%s", beside.message);
        status = found;
    }
    if (status == MODEL_OK)
        status = pooling_read(package->archive, package->dir, &pipeline->pooling, err);
    if (status != MODEL_OK) {
        text_pipeline_destroy(pipeline);
        return status;
    }
    pipeline->max_tokens = ids->shape[1].max;
    int64_t tokenizer_max = tokenizer_model_max_length(pipeline->tokenizer);
    if (tokenizer_max > 0 && tokenizer_max < pipeline->max_tokens)
        pipeline->max_tokens = tokenizer_max;
    int64_t embed_max = pipeline->pooling.max_tokens;
    pipeline->max_embed_tokens = embed_max == 0                  ? pipeline->max_tokens
                                 : embed_max < ids->shape[1].max ? embed_max
                                                                 : ids->shape[1].max;
    *ret = pipeline;
    return MODEL_OK;
}

const struct tokenizer *text_pipeline_tokenizer(const struct text_pipeline *pipeline)
{
    return pipeline->tokenizer;
}

void text_pipeline_destroy(struct text_pipeline *pipeline)
{
    if (pipeline == NULL)
        return;
    tokenizer_destroy(pipeline->tokenizer);
    free(pipeline);
}

const char *text_task_own(const struct text_batch *batch)
{
    const char *task = batch->pipeline->description->task;
    return task != NULL ? task : "none";
}

json_node *text_task_add_item(const struct text_batch *batch, uint32_t index, json_node *answers)
{
    const struct text_item *item = &batch->items[index];
    json_node *node = json_add_object(answers, NULL);
    (void)json_add_string(node, "task", batch->task->name);
    (void)json_add_text(node, "text", item->text, item->text_bytes);
    if (item->pair != NULL)
        (void)json_add_text(node, "pair", item->pair, item->pair_bytes);
    return node;
}

model_status text_task_output(const struct text_batch *batch, struct modelhost_result *result,
                              uint32_t which, uint32_t rank, const struct model_tensor **ret,
                              struct model_error *err)
{
    const struct model_tensor *tensor = result_find(result, batch->output_names[which]);
    if (tensor == NULL || tensor->dtype != MODEL_F32 || tensor->rank != rank ||
        tensor->shape[0] != batch->n_items || tensor->shape[rank - 1] <= 0 ||
        (rank == 3 && tensor->shape[1] != batch->n_columns))
        return error_set(
            err, MODEL_UNSUPPORTED,
            "task %s: the model's output '%s' is not an F32 tensor of rank %u over the batch; this is "
            "a %s, its own task is %s",
            batch->task->alias, batch->output_names[which], rank,
            batch->pipeline->description->architecture, text_task_own(batch));
    *ret = tensor;
    return MODEL_OK;
}

model_status text_task_check_finite(const struct text_batch *batch, uint32_t index,
                                    const struct model_tensor *output, const float *values,
                                    size_t n, struct model_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(values[i]))
            return error_set(
                err, MODEL_INTERNAL,
                "text %u: the model's output '%s' holds %s, out of which task %s makes no answer; "
                "its weights may be damaged",
                index + 1, output->name, isnan(values[i]) ? "nan" : "infinity", batch->task->alias);
    return MODEL_OK;
}
