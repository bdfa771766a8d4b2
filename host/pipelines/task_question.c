/* task_question.c - the span of a context that answers a question (question-answering).
 *
 * Follows transformers' QuestionAnsweringPipeline: softmax of start and end logits over the context's
 * tokens and [CLS], which takes the share of "no answer" and is none itself; the best products with
 * end >= start and at most 15 tokens, widened to whole words. */
#include "errors.h"
#include "scores.h"
#include "text_offsets.h"
#include "text_task.h"

#include <math.h>
#include <stdlib.h>

#define MAX_ANSWER_TOKENS 15
#define MAX_ANSWERS       100

struct span {
    size_t start, end; /* tokens, both included */
    double score;
};

/* Softmax over the context's tokens and [CLS], whose own score is 0 afterwards; (n_tokens) out. */
static void context_scores(const struct encoding *encoding, const float *logits, float *masked,
                           double *scores)
{
    for (size_t t = 0; t < encoding->n_tokens; t++) {
        int in_context = encoding->sequences[t] == 1 && !encoding->special_mask[t];
        int is_cls = t == 0 && encoding->special_mask[t];
        masked[t] = in_context || is_cls ? logits[t] : -INFINITY;
    }
    scores_softmax(masked, encoding->n_tokens, scores);
    if (encoding->n_tokens > 0 && encoding->special_mask[0])
        scores[0] = 0;
}

static size_t insert_span(struct span *spans, size_t n_spans, size_t max_spans, struct span span)
{
    size_t at = n_spans;
    while (at > 0 && spans[at - 1].score < span.score)
        at--;
    if (at >= max_spans)
        return n_spans;
    size_t last = n_spans < max_spans ? n_spans : max_spans - 1;
    for (size_t i = last; i > at; i--)
        spans[i] = spans[i - 1];
    spans[at] = span;
    return last + 1;
}

static size_t best_spans(const double *starts, const double *ends, size_t n_tokens,
                         struct span *spans, size_t max_spans)
{
    size_t n_spans = 0;
    for (size_t s = 0; s < n_tokens; s++) {
        if (starts[s] <= 0)
            continue;
        for (size_t e = s; e < n_tokens && e < s + MAX_ANSWER_TOKENS; e++)
            if (ends[e] > 0)
                n_spans = insert_span(spans, n_spans, max_spans,
                                      (struct span){s, e, starts[s] * ends[e]});
    }
    return n_spans;
}

static model_status add_answer(const struct text_item *item, struct span span, json_node *list,
                               struct model_error *err)
{
    const struct encoding *encoding = &item->encoding;
    while (span.start > 0 && encoding->sequences[span.start - 1] == 1 &&
           encoding->words[span.start - 1] >= 0 &&
           encoding->words[span.start - 1] == encoding->words[span.start])
        span.start--;
    while (span.end + 1 < encoding->n_tokens && encoding->sequences[span.end + 1] == 1 &&
           encoding->words[span.end + 1] >= 0 &&
           encoding->words[span.end + 1] == encoding->words[span.end])
        span.end++;
    json_node *node = json_add_object(list, NULL);
    (void)scores_add(node, "score", span.score);
    return text_offsets_add(node, "answer", item->pair, item->pair_bytes,
                            encoding->spans[span.start].start, encoding->spans[span.end].end, err);
}

static model_status answer_text(const struct text_batch *batch, uint32_t index,
                                const struct model_tensor *start_logits,
                                const struct model_tensor *end_logits, float *masked,
                                double *starts, double *ends, json_node *answers,
                                struct model_error *err)
{
    const struct text_item *item = &batch->items[index];
    size_t first = (size_t)index * batch->n_columns;
    struct span spans[MAX_ANSWERS];
    const float *start_row = (const float *)start_logits->data + first;
    const float *end_row = (const float *)end_logits->data + first;
    size_t n_tokens = item->encoding.n_tokens;
    model_status status =
        text_task_check_finite(batch, index, start_logits, start_row, n_tokens, err);
    if (status == MODEL_OK)
        status = text_task_check_finite(batch, index, end_logits, end_row, n_tokens, err);
    if (status != MODEL_OK)
        return status;
    context_scores(&item->encoding, start_row, masked, starts);
    context_scores(&item->encoding, end_row, masked, ends);
    size_t n = best_spans(starts, ends, n_tokens, spans,
                          batch->top_k < MAX_ANSWERS ? batch->top_k : MAX_ANSWERS);
    json_node *list = json_add_array(text_task_add_item(batch, index, answers), "answers");
    status = list != NULL ? MODEL_OK : error_no_memory(err, "the answer");
    for (size_t i = 0; i < n && status == MODEL_OK; i++)
        status = add_answer(item, spans[i], list, err);
    return status;
}

model_status task_question_answer(const struct text_batch *batch, struct modelhost_result *result,
                                  json_node *answers, struct model_error *err)
{
    const struct model_tensor *start_logits = NULL, *end_logits = NULL;
    model_status status = text_task_output(batch, result, 0, 2, &start_logits, err);
    if (status == MODEL_OK)
        status = text_task_output(batch, result, 1, 2, &end_logits, err);
    if (status != MODEL_OK)
        return status;
    float *masked = calloc(batch->n_columns + 1u, sizeof *masked);
    double *starts = calloc(batch->n_columns + 1u, sizeof *starts);
    double *ends = calloc(batch->n_columns + 1u, sizeof *ends);
    if (masked == NULL || starts == NULL || ends == NULL)
        status = error_no_memory(err, "scores");
    for (uint32_t i = 0; i < batch->n_items && status == MODEL_OK; i++)
        status =
            answer_text(batch, i, start_logits, end_logits, masked, starts, ends, answers, err);
    free(masked);
    free(starts);
    free(ends);
    return status;
}
