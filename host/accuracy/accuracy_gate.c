/* accuracy_gate.c - see accuracy_gate.h. A report that cannot be read is no report. */
#include "accuracy_gate.h"
#include "compute_dtype.h"
#include "errors.h"

#include <stdlib.h>

/* The report of the model in a dtype, and the budget that holds; false: there is none. */
static bool find_report(const char *store_dir, const struct prepared_model *model, int32_t dtype,
                        struct accuracy_report *ret, struct accuracy_budget *ret_budget)
{
    char key[SHA256_HEX_BYTES];
    struct modelhost_load_options options = *model->options;
    struct prepared_model in_dtype = *model;
    options.dtype = dtype;
    in_dtype.options = &options;
    if (store_dir == NULL || model->plugin_sha256[0] == '\0' ||
        prepared_key_make(&in_dtype, key, NULL) != MODEL_OK ||
        accuracy_report_load(store_dir, key, ret, NULL) != MODEL_OK)
        return false;
    *ret_budget = ret->budget;
    if (options.max_cosine_loss > 0)
        ret_budget->max_cosine_loss = options.max_cosine_loss;
    if (options.min_top1_agreement > 0)
        ret_budget->min_top1_agreement = options.min_top1_agreement;
    return true;
}

static int32_t fewest_bits(const char *store_dir, const struct prepared_model *model)
{
    static const int32_t dtypes[] = {MODELHOST_INT4, MODELHOST_INT8, MODELHOST_BF16};
    struct accuracy_report report;
    struct accuracy_budget budget;
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        if (find_report(store_dir, model, dtypes[i], &report, &budget) &&
            accuracy_report_passes(&report, &budget))
            return dtypes[i];
    return MODELHOST_F32;
}

static model_status refuse(const char *store_dir, const struct accuracy_report *report,
                           const struct accuracy_budget *budget, const char *package_name,
                           struct model_error *err)
{
    char why[160];
    char *path = accuracy_report_path(store_dir, report->key);
    accuracy_report_say(report, budget, why, sizeof why);
    (void)error_set(err, MODEL_UNSUPPORTED,
                    "%s in %s missed its budget: %s (%s); take more bits, or allow it with "
                    "accuracy_policy \"any\"",
                    package_name, report->dtype, why, path != NULL ? path : report->key);
    free(path);
    return MODEL_UNSUPPORTED;
}

model_status accuracy_gate_choose(const char *store_dir, const struct prepared_model *model,
                                  const char *package_name, int32_t *ret_dtype,
                                  struct model_error *err)
{
    const struct modelhost_load_options *asked = model->options;
    struct accuracy_report report;
    struct accuracy_budget budget;
    if (asked->dtype == MODELHOST_AUTO) {
        *ret_dtype = fewest_bits(store_dir, model);
        return MODEL_OK;
    }
    if (asked->dtype != MODELHOST_F32 && asked->accuracy_policy != MODELHOST_ACCURACY_ANY) {
        const bool found = find_report(store_dir, model, asked->dtype, &report, &budget);
        if (found && !accuracy_report_passes(&report, &budget))
            return refuse(store_dir, &report, &budget, package_name, err);
        if (!found && asked->accuracy_policy == MODELHOST_ACCURACY_REQUIRED)
            return error_set(err, MODEL_UNSUPPORTED,
                             "%s has no accuracy report for %s, and the accuracy policy is "
                             "\"required\"; get one: modelhost quantize %s --dtype %s --report",
                             package_name, compute_dtype_asked(asked->dtype), package_name,
                             compute_dtype_asked(asked->dtype));
    }
    *ret_dtype = asked->dtype;
    return MODEL_OK;
}
