/* model_accuracy_run.h - two models of the same weights, asked the same. One thread. */
#ifndef MODEL_ACCURACY_RUN_H
#define MODEL_ACCURACY_RUN_H

#include "accuracy_report.h"
#include "sample_set.h"

/* Runs each sample through both and fills in what was found: samples, inputs, cosine, worst_output, max_abs,
 * top1_agreement, perplexities. Errors are those of the calls; MODEL_UNSUPPORTED when the models have no output in F32.
 * `interrupted` (NULL: never) is asked several times a second and ends it with MODEL_CANCELLED. */
model_status model_accuracy_run(struct modelhost_model *exact, struct modelhost_model *other,
                                const struct sample_set *set, bool (*interrupted)(void *context),
                                struct accuracy_report *report, struct model_error *err);

#endif
