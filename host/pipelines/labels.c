/* labels.c - see labels.h. */
#include "labels.h"
#include "scores.h"

#include <stdio.h>
#include <string.h>

void labels_score(const json_node *config, const float *logits, size_t n, double *ret_scores)
{
    const char *type = json_string_or(json_member(config, "problem_type"), "");
    int regression = strcmp(type, "regression") == 0;
    if (!regression && n > 1 && strcmp(type, "multi_label_classification") != 0) {
        scores_softmax(logits, n, ret_scores);
        return;
    }
    for (size_t i = 0; i < n; i++)
        ret_scores[i] = regression ? (double)logits[i] : scores_sigmoid((double)logits[i]);
}

const char *labels_find(const json_node *config, int64_t index)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%lld", (long long)index);
    return json_string_or(json_member(json_member(config, "id2label"), text), NULL);
}

const char *labels_name(const json_node *config, int64_t index, char *text, size_t text_bytes)
{
    const char *label = labels_find(config, index);
    if (label != NULL)
        return label;
    (void)snprintf(text, text_bytes, "LABEL_%lld", (long long)index);
    return text;
}

json_node *labels_add(json_node *list, const json_node *config, size_t index, double score)
{
    char text[32];
    json_node *label = json_add_object(list, NULL);
    (void)json_add_string(label, "label", labels_name(config, (int64_t)index, text, sizeof text));
    return scores_add(label, "score", score) != NULL ? label : NULL;
}
