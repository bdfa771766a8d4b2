/* check_cancel.c - check 11: a call that is cancelled, or whose deadline passes, ends; how long that takes is
 * measured at random moments. The instance works afterwards, and nothing of a call comes when it is over. A
 * token that is raised before run() must be seen by a model that says it looks at it: that holds however
 * fast the model is. */
#include "check.h"
#include "clock.h"
#include "trial_run.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#define N_CANCELS         40
#define LATE_WAIT_MS      150
#define MAX_LATENCY_MS    2000
#define LONGEST_CHECK_RUN 64 /* batch of a model that takes any */

struct cancel_check {
    struct check *check;
    struct trial *trial;
    struct made_inputs *inputs;
    struct model_error err;
    int64_t run_ns;                   /* of a whole run */
    int64_t worst_ns, n_seen, n_done; /* latency; runs that were cancelled, that were faster */
};

static void sleep_until(int64_t at_ns)
{
    const int64_t left_ns = at_ns - clock_now_ns();
    if (left_ns > 0) {
        const struct timespec left = {(time_t)(left_ns / NS_PER_S), (long)(left_ns % NS_PER_S)};
        (void)nanosleep(&left, NULL);
    }
}

struct canceller {
    int64_t at_ns;
    uint32_t status;
    uint32_t token; /* atomic */
    int64_t raised_ns;
};

static void *cancel_on_thread(void *argument)
{
    struct canceller *canceller = argument;
    sleep_until(canceller->at_ns);
    canceller->raised_ns = clock_now_ns();
    __atomic_store_n(&canceller->token, canceller->status, __ATOMIC_RELAXED);
    return NULL;
}

static bool run_whole(struct cancel_check *c, const char *what)
{
    struct run_result result;
    check_step(c->check, "run() %s", what);
    bool good =
        trial_run(c->trial, NULL, &(struct run_options){.inputs = c->inputs}, &result, &c->err);
    if (good && result.status != MODEL_OK)
        good = error_set(&c->err, result.status, "run() %s fails: %s", what, result.err.message) ==
               MODEL_OK;
    c->run_ns = result.elapsed_ns;
    run_result_finish(&result);
    return good;
}

/* The token is up before the call. */
static bool run_cancelled(struct cancel_check *c, uint32_t token)
{
    const struct model_description *description = c->trial->model->description;
    struct run_result result;
    check_step(c->check, "run() with a token that is raised ('%s')",
               status_name((model_status)token));
    bool good =
        trial_run(c->trial, NULL, &(struct run_options){.inputs = c->inputs, .cancelled = token},
                  &result, &c->err);
    if (good && description->cancel_grain != MODEL_CANCEL_NONE && result.status == MODEL_OK)
        good = error_set(&c->err, MODEL_INTERNAL,
                         "run() does not look at the cancel token, though its description says so "
                         "(cancel_grain %u): it computed a call that was cancelled before",
                         description->cancel_grain) == MODEL_OK;
    else if (good && result.status != MODEL_OK && result.status != (model_status)token)
        good = error_set(&c->err, MODEL_INTERNAL, "the token says '%s', run() returned '%s'",
                         status_name((model_status)token), status_name(result.status)) == MODEL_OK;
    run_result_finish(&result);
    return good;
}

/* Raised by another thread somewhere in the run. */
static bool run_and_cancel(struct cancel_check *c, int64_t delay_ns, uint32_t token)
{
    struct canceller canceller = {.status = token};
    struct run_result result;
    pthread_t thread;
    canceller.at_ns = clock_now_ns() + delay_ns;
    if (pthread_create(&thread, NULL, cancel_on_thread, &canceller) != 0)
        return error_set(&c->err, MODEL_INTERNAL, "out of threads") == MODEL_OK;
    const struct run_options options = {.inputs = c->inputs,
                                        .token = &canceller.token,
                                        .deadline_ns =
                                            token == MODEL_DEADLINE ? canceller.at_ns : 0};
    bool good = trial_run(c->trial, NULL, &options, &result, &c->err);
    const int64_t end_ns = clock_now_ns();
    (void)pthread_join(thread, NULL);
    const int64_t late_ns = end_ns - canceller.raised_ns;
    if (good && result.status != MODEL_OK && result.status != (model_status)token)
        good =
            error_set(&c->err, MODEL_INTERNAL, "cancelled in the middle, run() returned '%s': %s",
                      status_name(result.status), result.err.message) == MODEL_OK;
    if (good && result.status != MODEL_OK) {
        c->n_seen++;
        c->worst_ns = late_ns > c->worst_ns ? late_ns : c->worst_ns;
    } else if (good) {
        c->n_done++;
    }
    run_result_finish(&result);
    return good;
}

static bool cancel_at_random(struct cancel_check *c)
{
    uint64_t state = 88172645463325252u; /* xorshift64 (Marsaglia 2003) */
    bool good = true;
    check_step(c->check, "run() cancelled at random moments");
    for (int i = 0; i < N_CANCELS && good && (i < 4 || check_has_time(c->check)); i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        const int64_t delay_ns = (int64_t)(state % (uint64_t)(c->run_ns + c->run_ns / 8 + 1));
        good = run_and_cancel(c, delay_ns, i % 2 == 0 ? MODEL_CANCELLED : MODEL_DEADLINE);
    }
    if (good && c->worst_ns > MAX_LATENCY_MS * NS_PER_MS &&
        c->trial->model->description->cancel_grain != MODEL_CANCEL_NONE)
        good = error_set(&c->err, MODEL_INTERNAL,
                         "%.0f ms from the cancelling to the end of run(), at most %d ms may be",
                         (double)c->worst_ns / 1e6, MAX_LATENCY_MS) == MODEL_OK;
    return good;
}

/* With a sink, and then a while without a call: nothing may come. */
static bool nothing_comes_late(struct cancel_check *c)
{
    struct run_result result;
    const bool streams = (c->trial->model->description->capabilities & MODEL_CAN_STREAM) != 0;
    check_step(c->check, "run() with a sink, and some time after it");
    bool good =
        trial_run(c->trial, NULL, &(struct run_options){.inputs = c->inputs, .streams = streams},
                  &result, &c->err);
    sleep_until(clock_now_ns() + LATE_WAIT_MS * NS_PER_MS);
    run_result_finish(&result);
    trial_end(c->trial);
    sleep_until(clock_now_ns() + LATE_WAIT_MS * NS_PER_MS);
    if (good && late_calls() > 0)
        good = error_set(&c->err, MODEL_INTERNAL,
                         "%u calls of emit() or allocate_output() came after run() had returned",
                         late_calls()) == MODEL_OK;
    if (good && atomic_load(&c->trial->called_when_over))
        good = error_set(&c->err, MODEL_INTERNAL,
                         "it calls the services after destroy() has returned") == MODEL_OK;
    return good;
}

/* As large a batch as makes cancelling worth while. */
static void choose_inputs(struct cancel_check *c, struct made_options *sizes)
{
    const int64_t max_batch = c->trial->model->description->max_batch;
    sizes->batch = max_batch > 0 && max_batch < LONGEST_CHECK_RUN ? max_batch : LONGEST_CHECK_RUN;
    for (; sizes->batch >= 1; sizes->batch /= 4) {
        c->inputs = made_inputs_create(c->trial->model->description, c->check->subject->config,
                                       sizes, &c->err);
        if (c->inputs == NULL)
            continue;
        c->run_ns = 0;
        if (run_whole(c, "of a large batch") && c->run_ns < 500 * NS_PER_MS)
            return;
        if (sizes->batch / 4 < 1)
            return;
        made_inputs_destroy(c->inputs);
        c->inputs = NULL;
    }
}

enum check_verdict check_cancel(struct check *check)
{
    struct cancel_check c = {.check = check, .err = MODEL_ERROR_INIT};
    struct made_options sizes;
    check_step(check, "a first run()");
    c.trial = trial_start(check->subject, &sizes, &c.err);
    if (c.trial == NULL)
        return check_failed(check, "%s", c.err.message);
    choose_inputs(&c, &sizes);
    const bool none = c.trial->model->description->cancel_grain == MODEL_CANCEL_NONE;
    const bool good = c.inputs != NULL && run_whole(&c, "without a deadline") &&
                      run_cancelled(&c, MODEL_CANCELLED) && run_cancelled(&c, MODEL_DEADLINE) &&
                      cancel_at_random(&c) && run_whole(&c, "after the cancelled ones") &&
                      nothing_comes_late(&c);
    const double run_ms = (double)c.run_ns / 1e6;
    made_inputs_destroy(c.inputs);
    if (!good)
        return check_failed(check, "%s", c.err.message);
    return check_passed(
        check,
        "of a run of %.1f ms, %lld were cancelled at random moments, %.2f ms to the "
        "end at most%s",
        run_ms, (long long)c.n_seen, (double)c.worst_ns / 1e6,
        none ? "; it says that it does not look at the token" : "");
}
