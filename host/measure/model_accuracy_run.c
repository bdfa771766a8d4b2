/* model_accuracy_run.c - see model_accuracy_run.h. Covered by tests/system/test_quantize.sh. */
#include "model_accuracy_run.h"
#include "errors.h"
#include "output_difference.h"
#include "stoppable_call.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct model_tensor *ids_of(const struct made_inputs *sample)
{
    for (uint32_t i = 0; i < sample->n; i++)
        if (strcmp(sample->list[i]->name, "input_ids") == 0)
            return sample->list[i];
    return NULL;
}

static model_status refuse_no_number(const char *name, struct model_error *err)
{
    return error_set(err, MODEL_UNSUPPORTED,
                     "the output '%.100s' has not one finite number in float32, there is nothing "
                     "to compare with; give inputs that the model is made for: --text, --image or "
                     "--inputs",
                     name);
}

/* Adds what two answers to one sample have in common. */
static model_status compare(const struct modelhost_result *exact,
                            const struct modelhost_result *other, const struct made_inputs *sample,
                            bool predicts, struct output_difference *difference,
                            struct model_error *err)
{
    bool found = false;
    for (uint32_t i = 0; i < modelhost_result_count(exact); i++) {
        const struct model_tensor *want = modelhost_result_at(exact, i);
        const struct model_tensor *is = modelhost_result_find(other, want->name);
        if (is == NULL || !output_difference_add(difference, want, is))
            continue;
        if (!output_difference_has_numbers(want))
            return refuse_no_number(want->name, err);
        found = true;
        if (strcmp(want->name, "logits") != 0)
            continue;
        output_difference_add_rows(difference, want, is);
        const struct model_tensor *ids = predicts ? ids_of(sample) : NULL;
        if (ids != NULL && ids->rank == 2)
            output_difference_add_predictions(difference, want, is, ids->data,
                                              (size_t)ids->shape[1]);
    }
    return found ? MODEL_OK
                 : error_set(err, MODEL_UNSUPPORTED,
                             "the model's usual outputs are not float32, or empty: there is "
                             "nothing to compare");
}

static model_status run_sample(struct modelhost_model *exact, struct modelhost_model *other,
                               const struct made_inputs *sample, bool predicts,
                               const struct stop_question *stop,
                               struct output_difference *difference, struct model_error *err)
{
    struct modelhost_result *want = NULL, *is = NULL;
    model_status status = stoppable_run(exact, sample->list, sample->n, NULL, stop, &want, err);
    if (status == MODEL_OK)
        status = stoppable_run(other, sample->list, sample->n, NULL, stop, &is, err);
    if (status == MODEL_OK)
        status = compare(want, is, sample, predicts, difference, err);
    modelhost_result_destroy(want);
    modelhost_result_destroy(is);
    return status;
}

static void fill_in(const struct output_difference *difference, const struct sample_set *set,
                    struct accuracy_report *report)
{
    const double n = (double)difference->n_predicted;
    report->samples = (int64_t)set->n;
    (void)snprintf(report->inputs, sizeof report->inputs, "%s", set->source);
    (void)snprintf(report->worst_output, sizeof report->worst_output, "%s", difference->worst);
    report->cosine = difference->min_cosine;
    report->max_abs = difference->max_abs;
    report->top1_agreement = report->perplexity_f32 = report->perplexity = ACCURACY_NOT_MEASURED;
    if (difference->n_rows > 0)
        report->top1_agreement = (double)difference->n_agreeing / (double)difference->n_rows;
    if (n > 0 && isfinite(exp(difference->exact_nll / n)) &&
        isfinite(exp(difference->other_nll / n))) {
        report->perplexity_f32 = exp(difference->exact_nll / n);
        report->perplexity = exp(difference->other_nll / n);
    }
}

model_status model_accuracy_run(struct modelhost_model *exact, struct modelhost_model *other,
                                const struct sample_set *set, bool (*interrupted)(void *context),
                                struct accuracy_report *report, struct model_error *err)
{
    struct output_difference difference = OUTPUT_DIFFERENCE_INIT;
    const char *task = modelhost_description(exact)->task;
    const struct stop_question stop = {interrupted, NULL};
    const bool predicts = set->is_text && task != NULL && strcmp(task, "text-generation") == 0;
    model_status status = MODEL_OK;
    if (set->n == 0)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "there is nothing to compare with: the text has no tokens");
    for (size_t i = 0; i < set->n && status == MODEL_OK; i++)
        status = run_sample(exact, other, set->samples[i], predicts, &stop, &difference, err);
    if (status == MODEL_OK)
        fill_in(&difference, set, report);
    return status;
}
