/* task_classify.c - labels for a text (text-classification).
 *
 * Follows transformers' TextClassificationPipeline. */
#include "errors.h"
#include "labels.h"
#include "scores.h"
#include "text_task.h"

#include <stdlib.h>

static model_status add_labels(const struct text_batch *batch, uint32_t index, const double *scores,
                               size_t n, size_t *order, json_node *answers, struct model_error *err)
{
    json_node *item = text_task_add_item(batch, index, answers);
    json_node *labels = json_add_array(item, "labels");
    size_t n_labels = scores_top(scores, n, n < batch->top_k ? n : batch->top_k, order);
    for (size_t i = 0; i < n_labels; i++)
        if (labels_add(labels, batch->pipeline->config, order[i], scores[order[i]]) == NULL)
            return error_no_memory(err, "the answer");
    return MODEL_OK;
}

model_status task_classify_answer(const struct text_batch *batch, struct modelhost_result *result,
                                  json_node *answers, struct model_error *err)
{
    const struct model_tensor *logits = NULL;
    model_status status = text_task_output(batch, result, 0, 2, &logits, err);
    if (status != MODEL_OK)
        return status;
    size_t n = (size_t)logits->shape[1];
    double *scores = calloc(n + 1, sizeof *scores);
    size_t *order = calloc(n + 1, sizeof *order);
    if (scores == NULL || order == NULL)
        status = error_no_memory(err, "scores");
    for (uint32_t i = 0; i < batch->n_items && status == MODEL_OK; i++) {
        const float *row = (const float *)logits->data + i * n;
        status = text_task_check_finite(batch, i, logits, row, n, err);
        if (status != MODEL_OK)
            break;
        labels_score(batch->pipeline->config, row, n, scores);
        status = add_labels(batch, i, scores, n, order, answers, err);
    }
    free(scores);
    free(order);
    return status;
}
