/* accuracy_gate.c - see accuracy_gate.h. A report that cannot be read is no report. */
#include "accuracy_gate.h"
#include "compute_dtype.h"
#include "errors.h"

#include <stdlib.h>

/* The report of the model in a dtype, and the budget that holds; false: there is none. */
static bool find_report(const char *store_dir, const struct prepared_model *model, int32_t dtype,
                        const struct log_sink *log, struct accuracy_report *ret,
                        struct accuracy_budget *ret_budget)
{
    struct model_error why = MODEL_ERROR_INIT;
    char key[SHA256_HEX_BYTES];
    struct modelhost_load_options options = *model->options;
    struct prepared_model in_dtype = *model;
    options.dtype = dtype;
    in_dtype.options = &options;
    if (store_dir == NULL || model->plugin_sha256[0] == '\0' ||
        prepared_key_make(&in_dtype, key, NULL) != MODEL_OK)
        return false;
    const model_status status = accuracy_report_load(store_dir, key, ret, &why);
    if (status != MODEL_OK && status != MODEL_NOT_FOUND)
        log_write(log, MODEL_LOG_WARN, "an accuracy report does not count: %s", why.message);
    if (status != MODEL_OK)
        return false;
    *ret_budget = ret->budget;
    if (options.max_cosine_loss > 0)
        ret_budget->max_cosine_loss = options.max_cosine_loss;
    if (options.min_top1_agreement > 0)
        ret_budget->min_top1_agreement = options.min_top1_agreement;
    return true;
}

static int32_t fewest_bits(const char *store_dir, const struct prepared_model *model,
                           const struct log_sink *log)
{
    const bool takes_weak = model->options->accuracy_policy == MODELHOST_ACCURACY_ANY;
    static const int32_t dtypes[] = {MODELHOST_INT4, MODELHOST_INT8, MODELHOST_BF16};
    struct accuracy_report report;
    struct accuracy_budget budget;
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        if (find_report(store_dir, model, dtypes[i], log, &report, &budget) &&
            accuracy_report_passes(&report, &budget) &&
            (takes_weak || !accuracy_report_is_weak(&report)))
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
                    "--set accuracy_policy=any",
                    package_name, report->dtype, why, path != NULL ? path : report->key);
    free(path);
    return MODEL_UNSUPPORTED;
}

/* `report` NULL: there is none. */
static model_status require(const struct accuracy_report *report, int32_t dtype,
                            const char *package_name, struct model_error *err)
{
    char found[80] = "none";
    if (report != NULL)
        accuracy_report_describe(report, found, sizeof found);
    return error_set(
        err, MODEL_UNSUPPORTED,
        "%s has no accuracy report for %s of %d samples or more of real inputs (found: "
        "%s), and the accuracy policy is \"required\"; get one: modelhost quantize %s "
        "--dtype %s --report",
        package_name, compute_dtype_asked(dtype), ACCURACY_FEW_SAMPLES, found, package_name,
        compute_dtype_asked(dtype));
}

model_status accuracy_gate_choose(const char *store_dir, const struct prepared_model *model,
                                  const char *package_name, const struct log_sink *log,
                                  int32_t *ret_dtype, struct model_error *err)
{
    const struct modelhost_load_options *asked = model->options;
    struct accuracy_report report;
    struct accuracy_budget budget;
    if (asked->dtype == MODELHOST_AUTO) {
        *ret_dtype = fewest_bits(store_dir, model, log);
        return MODEL_OK;
    }
    if (asked->dtype != MODELHOST_F32 && asked->accuracy_policy != MODELHOST_ACCURACY_ANY) {
        const bool found = find_report(store_dir, model, asked->dtype, log, &report, &budget);
        if (found && !accuracy_report_passes(&report, &budget))
            return refuse(store_dir, &report, &budget, package_name, err);
        if (asked->accuracy_policy == MODELHOST_ACCURACY_REQUIRED &&
            (!found || accuracy_report_is_weak(&report)))
            return require(found ? &report : NULL, asked->dtype, package_name, err);
    }
    *ret_dtype = asked->dtype;
    return MODEL_OK;
}
