/* labels.h - what the logits of a classification head say, as transformers' pipelines read config.json.
 * [any-thread] */
#ifndef LABELS_H
#define LABELS_H

#include "json_view.h"

/* Scores of n labels: sigmoid for one label or multi_label_classification, softmax for several, the plain
 * value for regression. */
void labels_score(const json_node *config, const float *logits, size_t n, double *ret_scores);

/* id2label[index], or NULL; lives as long as config. */
const char *labels_find(const json_node *config, int64_t index);
/* id2label[index], or "LABEL_<index>" written into text. */
const char *labels_name(const json_node *config, int64_t index, char *text, size_t text_bytes);

/* Adds {"label": its name, "score": this} to a list; NULL: no memory. */
json_node *labels_add(json_node *list, const json_node *config, size_t index, double score);

#endif
