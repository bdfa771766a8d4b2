/* task_token_classify.c - a label for each token (token-classification), and tokens grouped to spans.
 *
 * Follows transformers' TokenClassificationPipeline: "entities" are its aggregation_strategy "none"
 * (softmax, the best label, label "O" left out), "groups" its "simple": neighbouring tokens of one
 * entity type belong together unless a "B-" starts a new one; the score is their mean. */
#include "errors.h"
#include "labels.h"
#include "scores.h"
#include "text_offsets.h"
#include "text_task.h"

#include <stdlib.h>
#include <string.h>

#define LABEL_TEXT_BYTES 32 /* room for "LABEL_<number>" */

struct group {
    const char *type;                  /* the config's string, or short_type */
    char short_type[LABEL_TEXT_BYTES]; /* a made-up label does not outlive its token */
    size_t start, end;                 /* bytes of the text */
    size_t last_token;
    double score_sum;
    size_t n_tokens;
};

static model_status close_group(const struct text_item *item, struct group *group,
                                json_node *groups, struct model_error *err)
{
    if (group->n_tokens == 0)
        return MODEL_OK;
    json_node *node = json_add_object(groups, NULL);
    (void)json_add_string(node, "entity_group", group->type);
    (void)scores_add(node, "score", group->score_sum / (double)group->n_tokens);
    group->n_tokens = 0;
    return text_offsets_add(node, "word", item->text, item->text_bytes, group->start, group->end,
                            err);
}

/* "B-PER" -> 'B' and "PER"; a label without prefix counts as inside. */
static char split_label(const char *label, const char **ret_type)
{
    int has_prefix = (label[0] == 'B' || label[0] == 'I') && label[1] == '-';
    *ret_type = has_prefix ? label + 2 : label;
    return has_prefix ? label[0] : 'I';
}

static void open_group(struct group *group, const char *type, size_t start)
{
    *group = (struct group){.type = type, .start = start};
    if (strlen(type) < sizeof group->short_type) {
        memcpy(group->short_type, type, strlen(type) + 1);
        group->type = group->short_type;
    }
}

static model_status add_token(const struct text_item *item, size_t token, const char *label,
                              double score, json_node *entities, json_node *groups,
                              struct group *group, struct model_error *err)
{
    const char *type = NULL;
    char prefix = split_label(label, &type);
    size_t start = item->encoding.spans[token].start, end = item->encoding.spans[token].end;
    json_node *node = json_add_object(entities, NULL);
    (void)json_add_string(node, "entity", label);
    (void)scores_add(node, "score", score);
    (void)json_add_number(node, "index", (double)token);
    model_status status =
        text_offsets_add(node, "word", item->text, item->text_bytes, start, end, err);
    int joins = group->n_tokens > 0 && prefix == 'I' && group->last_token + 1 == token &&
                strcmp(group->type, type) == 0;
    if (status == MODEL_OK && !joins)
        status = close_group(item, group, groups, err);
    if (group->n_tokens == 0)
        open_group(group, type, start);
    group->end = end;
    group->last_token = token;
    group->score_sum += score;
    group->n_tokens++;
    return status;
}

static model_status classify_text(const struct text_batch *batch, uint32_t index,
                                  const struct model_tensor *logits, double *scores,
                                  json_node *answers, struct model_error *err)
{
    const struct text_item *item = &batch->items[index];
    size_t n_labels = (size_t)logits->shape[2];
    const float *rows = (const float *)logits->data + index * (size_t)logits->shape[1] * n_labels;
    json_node *node = text_task_add_item(batch, index, answers);
    json_node *entities = json_add_array(node, "entities"),
              *groups = json_add_array(node, "groups");
    struct group group = {.n_tokens = 0};
    model_status status = MODEL_OK;
    for (size_t t = 0; t < item->encoding.n_tokens && status == MODEL_OK; t++) {
        if (item->encoding.special_mask[t])
            continue;
        size_t best = 0;
        char text[LABEL_TEXT_BYTES];
        status = text_task_check_finite(batch, index, logits, rows + t * n_labels, n_labels, err);
        if (status != MODEL_OK)
            break;
        scores_softmax(rows + t * n_labels, n_labels, scores);
        (void)scores_top(scores, n_labels, 1, &best);
        const char *label = labels_name(batch->pipeline->config, (int64_t)best, text, sizeof text);
        if (strcmp(label, "O") != 0)
            status = add_token(item, t, label, scores[best], entities, groups, &group, err);
    }
    return status == MODEL_OK ? close_group(item, &group, groups, err) : status;
}

/* Another head's output may have the same name and rank: a word's place in the vocabulary is no label. */
static model_status check_labels(const struct text_batch *batch, const struct model_tensor *logits,
                                 struct model_error *err)
{
    const struct model_description *description = batch->pipeline->description;
    const json_node *config = batch->pipeline->config;
    int64_t n_labels = (int64_t)json_count(json_member(config, "id2label"));
    if (n_labels == 0)
        (void)json_integer(json_member(config, "num_labels"), 0, INT64_MAX, &n_labels);
    if (strcmp(text_task_own(batch), batch->task->name) == 0 || logits->shape[2] == n_labels)
        return MODEL_OK;
    return error_set(
        err, MODEL_UNSUPPORTED,
        "task %s wants a score for each of the %lld labels in config.json, but this %s "
        "gives %lld for each token; its own task is %s",
        batch->task->alias, (long long)n_labels, description->architecture,
        (long long)logits->shape[2], text_task_own(batch));
}

model_status task_token_classify_answer(const struct text_batch *batch,
                                        struct modelhost_result *result, json_node *answers,
                                        struct model_error *err)
{
    const struct model_tensor *logits = NULL;
    model_status status = text_task_output(batch, result, 0, 3, &logits, err);
    if (status == MODEL_OK)
        status = check_labels(batch, logits, err);
    if (status != MODEL_OK)
        return status;
    double *scores = calloc((size_t)logits->shape[2] + 1, sizeof *scores);
    if (scores == NULL)
        return error_no_memory(err, "scores");
    for (uint32_t i = 0; i < batch->n_items && status == MODEL_OK; i++)
        status = classify_text(batch, i, logits, scores, answers, err);
    free(scores);
    return status;
}
