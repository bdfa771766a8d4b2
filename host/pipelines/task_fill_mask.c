/* task_fill_mask.c - words for the mask token (fill-mask).
 *
 * Follows transformers' FillMaskPipeline: softmax over the vocabulary at each mask, the best top_k; a
 * sequence is the whole text decoded with the candidate in place. With several masks the others stay,
 * and with them every special token. */
#include "errors.h"
#include "scores.h"
#include "text_task.h"

#include <stdlib.h>
#include <string.h>

/* Memory for one row of scores and its order. */
struct work {
    double *scores; /* (vocab_size) */
    size_t *order;  /* (top_k) */
    int64_t *ids;   /* (n_columns) */
    bool one_mask;  /* in the text */
};

static model_status add_candidate(const struct text_batch *batch, const struct text_item *item,
                                  size_t position, int64_t id, double score_value,
                                  struct work *work, json_node *candidates, struct model_error *err)
{
    const struct tokenizer *tokenizer = batch->pipeline->tokenizer;
    struct buffer text = BUFFER_INIT(1 << 20);
    json_node *candidate = json_add_object(candidates, NULL);
    const char *token = tokenizer_token(tokenizer, id);
    model_status status = tokenizer_decode(tokenizer, &id, 1, false, &text, err);
    if (status == MODEL_OK) {
        (void)json_add_number(candidate, "token", (double)id);
        (void)json_add_string(candidate, "token_str",
                              text.size > 0   ? text.data
                              : token != NULL ? token
                                              : "");
        buffer_clear(&text);
        memcpy(work->ids, item->encoding.ids, item->encoding.n_tokens * sizeof *work->ids);
        work->ids[position] = id;
        status = tokenizer_decode(tokenizer, work->ids, item->encoding.n_tokens, work->one_mask,
                                  &text, err);
    }
    if (status == MODEL_OK) {
        (void)json_add_string(candidate, "sequence", text.data != NULL ? text.data : "");
        if (scores_add(candidate, "score", score_value) == NULL)
            status = error_no_memory(err, "the answer");
    }
    buffer_finish(&text);
    return status;
}

static model_status fill_one(const struct text_batch *batch, uint32_t index, size_t position,
                             const struct model_tensor *logits, struct work *work, json_node *masks,
                             struct model_error *err)
{
    size_t vocab_size = (size_t)logits->shape[2];
    const float *row =
        (const float *)logits->data + (index * (size_t)logits->shape[1] + position) * vocab_size;
    model_status status = text_task_check_finite(batch, index, logits, row, vocab_size, err);
    if (status != MODEL_OK)
        return status;
    scores_softmax(row, vocab_size, work->scores);
    size_t n = scores_top(work->scores, vocab_size, batch->top_k, work->order);
    json_node *mask = json_add_object(masks, NULL);
    (void)json_add_number(mask, "index", (double)position);
    json_node *candidates = json_add_array(mask, "candidates");
    for (size_t i = 0; i < n && status == MODEL_OK; i++)
        status = add_candidate(batch, &batch->items[index], position, (int64_t)work->order[i],
                               work->scores[work->order[i]], work, candidates, err);
    return status;
}

static model_status fill_text(const struct text_batch *batch, uint32_t index,
                              const struct model_tensor *logits, struct work *work,
                              json_node *answers, struct model_error *err)
{
    const struct encoding *encoding = &batch->items[index].encoding;
    int64_t mask_id = tokenizer_mask_id(batch->pipeline->tokenizer);
    json_node *masks = json_add_array(text_task_add_item(batch, index, answers), "masks");
    model_status status = MODEL_OK;
    size_t n_masks = 0;
    for (size_t i = 0; i < encoding->n_tokens; i++)
        n_masks += encoding->ids[i] == mask_id;
    work->one_mask = n_masks == 1;
    for (size_t i = 0; i < encoding->n_tokens && status == MODEL_OK; i++)
        if (encoding->ids[i] == mask_id)
            status = fill_one(batch, index, i, logits, work, masks, err);
    return status;
}

static bool has_id(const struct encoding *encoding, int64_t id)
{
    for (size_t i = 0; i < encoding->n_tokens; i++)
        if (encoding->ids[i] == id)
            return true;
    return false;
}

model_status task_fill_mask_check(const struct text_batch *batch, struct model_error *err)
{
    int64_t mask_id = tokenizer_mask_id(batch->pipeline->tokenizer);
    if (mask_id < 0)
        return error_set(err, MODEL_UNSUPPORTED, "the tokenizer has no mask token");
    for (uint32_t i = 0; i < batch->n_items; i++)
        if (!has_id(&batch->items[i].encoding, mask_id))
            return error_set(err, MODEL_INVALID_ARGUMENT,
                             "text %u has no mask; put %s where the word is wanted", i + 1,
                             tokenizer_token(batch->pipeline->tokenizer, mask_id));
    return MODEL_OK;
}

model_status task_fill_mask_answer(const struct text_batch *batch, struct modelhost_result *result,
                                   json_node *answers, struct model_error *err)
{
    const struct model_tensor *logits = NULL;
    model_status status = text_task_output(batch, result, 0, 3, &logits, err);
    if (status != MODEL_OK)
        return status;
    struct work work = {
        .scores = calloc((size_t)logits->shape[2] + 1, sizeof *work.scores),
        .order = calloc(batch->top_k + 1u, sizeof *work.order),
        .ids = calloc(batch->n_columns + 1u, sizeof *work.ids),
    };
    if (work.scores == NULL || work.order == NULL || work.ids == NULL)
        status = error_no_memory(err, "scores");
    for (uint32_t i = 0; i < batch->n_items && status == MODEL_OK; i++)
        status = fill_text(batch, i, logits, &work, answers, err);
    free(work.scores);
    free(work.order);
    free(work.ids);
    return status;
}
