/* task_embed.c - one vector per text (feature-extraction); see pooling.h for how. */
#include "errors.h"
#include "scores.h"
#include "text_task.h"

#include <stdlib.h>

static model_status add_vector(const struct text_batch *batch, uint32_t index, const float *vector,
                               int64_t size, json_node *answers, struct model_error *err)
{
    json_node *item = text_task_add_item(batch, index, answers);
    json_node *values = json_add_array(item, "embedding");
    for (int64_t i = 0; i < size; i++)
        if (scores_add(values, NULL, (double)vector[i]) == NULL)
            return error_no_memory(err, "the answer");
    return MODEL_OK;
}

model_status task_embed_answer(const struct text_batch *batch, struct modelhost_result *result,
                               json_node *answers, struct model_error *err)
{
    const struct model_tensor *hidden_states = NULL;
    model_status status = text_task_output(batch, result, 0, 3, &hidden_states, err);
    if (status != MODEL_OK)
        return status;
    const struct pooling *pooling = &batch->pipeline->pooling;
    size_t n_tokens = (size_t)hidden_states->shape[1],
           hidden_size = (size_t)hidden_states->shape[2];
    int64_t size = pooling_size(pooling, hidden_states->shape[2]);
    float *vectors = calloc((size_t)batch->n_items * (size_t)size, sizeof *vectors);
    if (vectors == NULL)
        return error_no_memory(err, "embeddings");
    for (uint32_t i = 0; i < batch->n_items && status == MODEL_OK; i++) {
        float *vector = vectors + (size_t)i * (size_t)size;
        const float *states = (const float *)hidden_states->data + i * n_tokens * hidden_size;
        status = text_task_check_finite(batch, i, hidden_states, states,
                                        batch->items[i].encoding.n_tokens * hidden_size, err);
        if (status != MODEL_OK)
            break;
        pooling_apply(pooling, states, batch->mask + (size_t)i * batch->n_columns, n_tokens,
                      hidden_size, vector);
        status = add_vector(batch, i, vector, size, answers, err);
    }
    if (status == MODEL_OK) {
        int64_t shape[2] = {batch->n_items, size};
        status = result_replace(result, "embeddings", MODEL_F32, 2, shape, vectors, err);
    }
    if (status != MODEL_OK)
        free(vectors);
    return status;
}
