/* check_parallel.c - check 10: instances of one model on several threads give what one alone gives, and a
 * run uses no more threads than it was granted. Under ThreadSanitizer when the host and the plugin are built
 * with it. */
#include "check.h"
#include "parallel.h"
#include "trial_run.h"

#include <pthread.h>

#define N_THREADS 4
#define N_RUNS    12

struct hammer {
    struct check *check;
    struct trial *trial;
    struct model_instance *instance;
    const struct made_inputs *inputs;
    const struct run_result *want;
    pthread_barrier_t *barrier;
    struct model_error err;
    bool good, is_back; /* from the plugin; a thread can be ended in it */
};

static void *hammer_on_thread(void *argument)
{
    struct hammer *hammer = argument;
    const char *name = NULL;
    parallel_adopt_thread(1);
    (void)pthread_barrier_wait(hammer->barrier);
    for (int i = 0; i < N_RUNS && hammer->good; i++) {
        struct run_result result;
        hammer->good =
            trial_run(hammer->trial, hammer->instance,
                      &(struct run_options){.inputs = hammer->inputs}, &result, &hammer->err);
        if (hammer->good && result.status != MODEL_OK)
            hammer->good = error_set(&hammer->err, result.status, "run() fails beside others: %s",
                                     result.err.message) == MODEL_OK;
        else if (hammer->good && !results_are_equal(hammer->want, &result, &name))
            hammer->good =
                error_set(&hammer->err, MODEL_INTERNAL,
                          "'%s' is another when instances run side by side", name) == MODEL_OK;
        run_result_finish(&result);
    }
    services_release_scratch();
    hammer->is_back = true;
    return NULL;
}

/* All at once, when each has its thread. */
static bool hammer_all(struct hammer hammers[N_THREADS], struct model_error *err)
{
    pthread_t threads[N_THREADS];
    pthread_barrier_t barrier;
    int n = 0;
    bool good = pthread_barrier_init(&barrier, NULL, N_THREADS) == 0;
    for (; n < N_THREADS && good; n++) {
        hammers[n].barrier = &barrier;
        good = pthread_create(&threads[n], NULL, hammer_on_thread, &hammers[n]) == 0;
    }
    if (!good) /* those that wait at the barrier end with the process */
        return error_set(err, MODEL_INTERNAL, "out of threads") == MODEL_OK;
    for (int i = 0; i < N_THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    (void)pthread_barrier_destroy(&barrier);
    for (int i = 0; i < N_THREADS; i++)
        if (!hammers[i].is_back)
            return error_set(err, MODEL_INTERNAL,
                             "the plugin ended the thread that called run() (pthread_exit())") ==
                   MODEL_OK;
    for (int i = 0; i < N_THREADS; i++)
        if (!hammers[i].good) {
            *err = hammers[i].err;
            return false;
        }
    return true;
}

static bool run_side_by_side(struct check *check, struct trial *trial,
                             const struct made_options *sizes, struct model_error *err)
{
    struct hammer hammers[N_THREADS];
    struct run_result want = {.n_outputs = 0};
    int n_instances = 0;
    struct made_inputs *inputs =
        made_inputs_create(trial->model->description, check->subject->config, sizes, err);
    bool good = inputs != NULL &&
                trial_run(trial, NULL, &(struct run_options){.inputs = inputs}, &want, err);
    for (; n_instances < N_THREADS && good; n_instances++) {
        hammers[n_instances] = (struct hammer){.check = check,
                                               .trial = trial,
                                               .inputs = inputs,
                                               .want = &want,
                                               .err = MODEL_ERROR_INIT,
                                               .good = true};
        if (trial_create_instance(trial, &hammers[n_instances].instance) != MODEL_OK) {
            *err = trial->err;
            good = false;
            break;
        }
    }
    check_step(check, "run() on %d threads at once", N_THREADS);
    good = good && hammer_all(hammers, err);
    for (int i = 0; i < n_instances; i++)
        hammers[i].instance->destroy(hammers[i].instance);
    run_result_finish(&want);
    made_inputs_destroy(inputs);
    return good;
}

/* A life with this budget: threads beyond it are counted from inside allocate_output() and behind run(). */
static bool check_budget(struct check *check, uint32_t threads, struct model_error *err)
{
    struct made_options sizes;
    struct run_result result = {.n_outputs = 0};
    const uint32_t before = process_threads();
    check->subject->threads = threads;
    parallel_adopt_thread(threads);
    check_step(check, "run() with a budget of %u threads", threads);
    struct trial *trial = trial_start(check->subject, &sizes, err);
    if (trial != NULL && trial->model->description->max_batch >= 4)
        sizes.batch = 4;
    struct made_inputs *inputs =
        trial != NULL
            ? made_inputs_create(trial->model->description, check->subject->config, &sizes, err)
            : NULL;
    bool good = inputs != NULL &&
                trial_run(trial, NULL, &(struct run_options){.inputs = inputs}, &result, err);
    if (good && before > 0 && result.most_threads > before + threads - 1)
        good = error_set(err, MODEL_INTERNAL,
                         "run() uses %u threads more than its caller's, its budget is %u in all",
                         result.most_threads - before, threads) == MODEL_OK;
    run_result_finish(&result);
    made_inputs_destroy(inputs);
    trial_stop(trial);
    return good;
}

enum check_verdict check_parallel(struct check *check)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct made_options sizes;
    if (!check_budget(check, 1, &err))
        return check_failed(check, "%s", err.message);
    struct trial *trial = trial_start(check->subject, &sizes, &err);
    const bool good = trial != NULL && run_side_by_side(check, trial, &sizes, &err);
    trial_stop(trial);
    if (!good || !check_budget(check, 2, &err))
        return check_failed(check, "%s", err.message);
#if defined(__SANITIZE_THREAD__)
    const char *watched = ", under ThreadSanitizer";
#else
    const char *watched = "";
#endif
    return check_passed(check,
                        "%d instances, %d runs each, equal results%s; threads within 1 and 2",
                        N_THREADS, N_RUNS, watched);
}
