/* check_bounds.c - check 8: inputs and weights are only read, and only where they are; outputs are written
 * nowhere but inside. Inputs lie in read-only pages, everything ends and begins at pages that cannot be
 * touched; what surrounds an output in its pages is looked at afterwards. */
#include "check.h"
#include "trial_run.h"

static bool run_at(struct check *check, struct trial *trial, const struct made_options *options,
                   enum guarded_place place, struct model_error *err)
{
    struct run_result result;
    struct made_options here = *options;
    here.place = place;
    struct made_inputs *inputs =
        made_inputs_create(trial->model->description, check->subject->config, &here, err);
    if (inputs == NULL)
        return false;
    check_step(check, "run() with inputs and outputs at the %s of their pages, batch %lld",
               place == GUARDED_AT_END ? "end" : "beginning", (long long)options->batch);
    bool good = trial_run(trial, NULL, &(struct run_options){.inputs = inputs, .place = place},
                          &result, err);
    if (good && result.status != MODEL_OK)
        good = error_set(err, result.status, "run() fails with other addresses: %s",
                         result.err.message) == MODEL_OK;
    run_result_finish(&result);
    made_inputs_destroy(inputs);
    return good;
}

enum check_verdict check_bounds(struct check *check)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct made_options sizes;
    struct trial *trial = trial_start(check->subject, &sizes, &err);
    bool good = trial != NULL;
    const int64_t max_batch =
        good && trial->model->description->max_batch > 0 ? trial->model->description->max_batch : 1;
    size_t n_runs = 0;
    for (int64_t batch = 1; batch <= 3 && batch <= max_batch && good; batch++)
        for (int place = GUARDED_AT_END; place <= GUARDED_AT_START && good; place++, n_runs++) {
            sizes.batch = batch;
            good = run_at(check, trial, &sizes, (enum guarded_place)place, &err);
        }
    trial_stop(trial);
    return good ? check_passed(check, "%zu runs with read-only inputs between guard pages", n_runs)
                : check_failed(check, "%s", err.message);
}
