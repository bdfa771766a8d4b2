/* check_memory.c - check 6: each allocation that the plugin asks the host for fails once: allocate(),
 * packed_blob(), scratch(), allocate_output(). Then creating or running says so with a sentence, nothing
 * stays allocated, and an instance whose run failed runs again with the same results. (The plugin's own
 * malloc() is not made to fail: a plugin that allocates through its services has none.) */
#include "check.h"
#include "trial_run.h"

/* Failures while a model is made. Counts the allocations; false with the reason. */
static bool fail_creating(struct check *check, size_t *ret_n)
{
    for (size_t n = 1; check_has_time(check); n++) {
        check_step(check, "create_model() without the memory of its allocation %zu", n);
        struct trial *trial = trial_create(check->subject, &(struct trial_options){.fail_at = n});
        if (trial == NULL)
            return check_failed(check, "out of memory") == CHECK_PASSED;
        const model_status status = trial_load(trial);
        const bool failed = atomic_load(&trial->has_failed);
        trial_end(trial);
        const long long held = atomic_load(&trial->n_held);
        bool good = true;
        if (failed && status != MODEL_OK && trial->err.message[0] == '\0')
            good = check_failed(check,
                                "without allocation %zu creating fails with '%s' and without "
                                "a sentence",
                                n, status_name(status)) == CHECK_PASSED;
        else if (failed && status != MODEL_OK && status != MODEL_OUT_OF_MEMORY)
            good = check_failed(check,
                                "without allocation %zu creating fails with '%s', want "
                                "MODEL_OUT_OF_MEMORY: %s",
                                n, status_name(status), trial->err.message) == CHECK_PASSED;
        else if (held != 0)
            good = check_failed(check, "without allocation %zu, %lld blocks stay allocated", n,
                                held) == CHECK_PASSED;
        trial_destroy(trial);
        if (!good)
            return false;
        *ret_n = n - 1;
        if (!failed)
            return true;
    }
    return true;
}

/* One run without its allocation n, then one with all. */
static bool fail_one_run(struct check *check, struct trial *trial, size_t n,
                         const struct made_inputs *inputs, const struct run_result *want,
                         bool *ret_failed, struct model_error *err)
{
    const struct run_options options = {.inputs = inputs};
    const char *name = NULL;
    struct run_result result;
    services_release_scratch(); /* which would be kept, and not asked for again */
    trial_fail_at(trial, n);
    check_step(check, "run() without the memory of its allocation %zu", n);
    bool good = trial_run(trial, NULL, &options, &result, err);
    *ret_failed = atomic_load(&trial->has_failed);
    if (good && *ret_failed && result.status != MODEL_OK && result.status != MODEL_OUT_OF_MEMORY)
        good = error_set(err, result.status, "it fails with '%s', want MODEL_OUT_OF_MEMORY: %s",
                         status_name(result.status), result.err.message) == MODEL_OK;
    run_result_finish(&result);
    trial_fail_at(trial, 0);
    if (!good || !*ret_failed)
        return good;
    check_step(check, "run() after one without memory");
    good = trial_run(trial, NULL, &options, &result, err);
    if (good && result.status != MODEL_OK)
        good = error_set(err, result.status, "the next run() fails: %s", result.err.message) ==
               MODEL_OK;
    else if (good && !results_are_equal(want, &result, &name))
        good =
            error_set(err, MODEL_INTERNAL, "the next run() gives another '%s'", name) == MODEL_OK;
    run_result_finish(&result);
    return good;
}

static bool fail_running(struct check *check, size_t *ret_n, struct model_error *err)
{
    struct made_options sizes;
    struct run_result want = {.n_outputs = 0};
    struct made_inputs *inputs = NULL;
    struct trial *trial = trial_start(check->subject, &sizes, err);
    bool good = trial != NULL;
    good = good && (inputs = made_inputs_create(trial->model->description, check->subject->config,
                                                &sizes, err)) != NULL;
    good = good && trial_run(trial, NULL, &(struct run_options){.inputs = inputs}, &want, err);
    bool failed = good;
    for (size_t n = 1; good && failed && check_has_time(check); n++) {
        *ret_n = n - 1;
        good = fail_one_run(check, trial, n, inputs, &want, &failed, err);
        if (!good)
            error_prefix(err, "run() without allocation %zu", n);
    }
    run_result_finish(&want);
    made_inputs_destroy(inputs);
    if (trial != NULL)
        trial_end(trial);
    const long long held = trial != NULL ? atomic_load(&trial->n_held) : 0;
    if (good && held != 0)
        good = error_set(err, MODEL_INTERNAL,
                         "%lld blocks stay allocated after runs without memory", held) == MODEL_OK;
    trial_destroy(trial);
    return good;
}

enum check_verdict check_no_memory(struct check *check)
{
    struct model_error err = MODEL_ERROR_INIT;
    size_t n_creating = 0, n_running = 0;
    if (!fail_creating(check, &n_creating))
        return CHECK_FAILED;
    if (!fail_running(check, &n_running, &err))
        return check_failed(check, "%s", err.message);
    return check_passed(check, "%zu allocations of creating, %zu of a run: each failed once",
                        n_creating, n_running);
}
