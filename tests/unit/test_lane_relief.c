/* test_lane_relief.c - a call without progress does not hold up other models: host/lanes/lane_time.c,
 * host/lanes/lane_watchdog.c, host/lanes/lane.c. Its last sign of life is put back in time, so that nothing waits. */
#include "held_call.h"
#include "host.h"
#include "loaded_model.h"
#include "scheduler.h"
#include "scheduler_loop.h"

static const struct modelhost_options quick = {.struct_size = sizeof(struct modelhost_options),
                                               .log_level = MODEL_LOG_WARN,
                                               .abandon_grace_ms = 1};
static const struct modelhost_options patient = {.struct_size = sizeof(struct modelhost_options),
                                                 .log_level = MODEL_LOG_WARN,
                                                 .abandon_grace_ms = 3600000};

/* A model that is held, and another one beside it, on one lane. */
struct pair {
    struct held held;
    struct modelhost_model *other;
    char *other_dir;
};

static void open_pair(struct pair *pair, const struct modelhost_options *options)
{
    struct model_error err = MODEL_ERROR_INIT;
    held_open(&pair->held, options, 0, "");
    pair->other_dir = make_package("echo", "{}");
    if (modelhost_load(pair->held.host, pair->other_dir, &pair->other, &err) != MODEL_OK)
        fail_msg("%s", err.message);
}

static void close_pair(struct pair *pair)
{
    modelhost_release(pair->other);
    remove_package(pair->other_dir);
    held_close(&pair->held);
}

static void look(uv_loop_t *loop, void *argument)
{
    (void)loop;
    (void)argument;
}

/* The call began six seconds ago; the loop has looked at it when this is back. */
static void let_time_pass(const struct pair *pair, const struct call *call)
{
    struct lane_progress *progress = &call->request->progress;
    (void)atomic_fetch_sub(&progress->at_ns, INT64_C(6000000000));
    scheduler_loop_visit(pair->held.host->scheduler, look, NULL);
}

static void begin_held(struct pair *pair, struct call *call)
{
    start(pair->held.model, call);
    held_wait_entered(&pair->held);
}

struct counts {
    uint32_t n_busy, n_relieved, n_of_model, n_queued;
};

static struct counts count(struct pair *pair)
{
    struct scheduler *scheduler = pair->held.host->scheduler;
    uv_mutex_lock(&scheduler->mutex);
    const struct counts counts = {scheduler->n_busy, scheduler->n_relieved,
                                  pair->held.model->lane_account.n_relieved,
                                  scheduler->queue.n_requests};
    uv_mutex_unlock(&scheduler->mutex);
    return counts;
}

static void another_models_request_does_not_wait_for_a_call_without_progress(void **state)
{
    (void)state;
    struct pair pair;
    struct call stuck = {0}, other = {0};
    open_pair(&pair, &patient);
    begin_held(&pair, &stuck);
    start(pair.other, &other);
    let_time_pass(&pair, &stuck);
    wait_answer(&other, MODEL_OK);
    assert_true(held_has_logged(&pair.held, "while other models' requests wait"));
    assert_int_equal(count(&pair).n_of_model, 1);
    held_release(&pair.held, 1);
    wait_answer(&stuck, MODEL_OK); /* it has lost nothing */
    assert_int_equal(count(&pair).n_relieved, 0);
    assert_int_equal(count(&pair).n_of_model, 0);
    close_pair(&pair);
}

/* Only a request that comes later finds that the call has been slow for long. */
static void a_request_that_comes_later_does_not_wait_either(void **state)
{
    (void)state;
    struct pair pair;
    struct call stuck = {0}, other = {0};
    open_pair(&pair, &patient);
    begin_held(&pair, &stuck);
    let_time_pass(&pair, &stuck);
    assert_int_equal(count(&pair).n_relieved, 0); /* for nobody */
    start(pair.other, &other);
    wait_answer(&other, MODEL_OK);
    held_release(&pair.held, 1);
    wait_answer(&stuck, MODEL_OK);
    close_pair(&pair);
}

static void requests_of_the_same_model_wait_for_its_own_lanes(void **state)
{
    (void)state;
    struct pair pair;
    struct call stuck = {0}, next = {0}, other = {0};
    open_pair(&pair, &patient);
    begin_held(&pair, &stuck);
    start(pair.held.model, &next);
    let_time_pass(&pair, &stuck);
    assert_int_equal(count(&pair).n_relieved, 0);
    start(pair.other, &other);
    wait_answer(&other, MODEL_OK);
    assert_int_equal(count(&pair).n_queued, 1); /* the lane that is free now is not for it */
    held_release(&pair.held, 1);
    wait_answer(&stuck, MODEL_OK);
    held_wait_entered(&pair.held); /* but the relieved one's place is */
    held_release(&pair.held, 1);
    wait_answer(&next, MODEL_OK);
    close_pair(&pair);
}

static void a_relieved_lane_that_is_given_up_is_replaced_once(void **state)
{
    (void)state;
    struct pair pair;
    struct call stuck = {0}, other = {0}, next = {0};
    open_pair(&pair, &quick);
    begin_held(&pair, &stuck);
    start(pair.other, &other);
    let_time_pass(&pair, &stuck);
    wait_answer(&other, MODEL_OK);
    modelhost_cancel(stuck.request);
    wait_answer(&stuck, MODEL_CANCELLED);
    held_wait_for_log(&pair.held, "its lane is abandoned and replaced (1 stuck)");
    const struct counts counts = count(&pair);
    assert_int_equal(counts.n_relieved, 0);
    assert_int_equal(counts.n_busy, 0);
    begin_held(&pair, &next); /* by the one lane that there is */
    scheduler_loop_visit(pair.held.host->scheduler, look, NULL);
    assert_int_equal(pair.held.host->scheduler->n_live_lanes, 2);
    held_release(&pair.held, 2);
    wait_answer(&next, MODEL_OK);
    close_pair(&pair);
}

static void run_direct(void *argument)
{
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    options.direct = 1;
    assert_int_equal(run_with(argument, &options, &err), MODEL_OK);
}

static void a_call_on_its_callers_thread_is_no_obstacle_either(void **state)
{
    (void)state;
    struct pair pair;
    struct call other = {0};
    uv_thread_t caller;
    open_pair(&pair, &patient);
    assert_int_equal(uv_thread_create(&caller, run_direct, pair.held.model), 0);
    held_wait_entered(&pair.held);
    start(pair.other, &other);
    struct scheduler *scheduler = pair.held.host->scheduler;
    uv_mutex_lock(&scheduler->mutex);
    struct lane *lane = scheduler->lanes;
    while (lane->running == NULL)
        lane = lane->next;
    (void)atomic_fetch_sub(&lane->running->progress.at_ns, INT64_C(6000000000));
    uv_mutex_unlock(&scheduler->mutex);
    scheduler_loop_wake(scheduler);
    wait_answer(&other, MODEL_OK);
    held_release(&pair.held, 1);
    assert_int_equal(uv_thread_join(&caller), 0);
    assert_int_equal(count(&pair).n_relieved, 0);
    assert_int_equal(scheduler->n_live_lanes, 1);
    close_pair(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_models_request_does_not_wait_for_a_call_without_progress),
        cmocka_unit_test(a_request_that_comes_later_does_not_wait_either),
        cmocka_unit_test(requests_of_the_same_model_wait_for_its_own_lanes),
        cmocka_unit_test(a_relieved_lane_that_is_given_up_is_replaced_once),
        cmocka_unit_test(a_call_on_its_callers_thread_is_no_obstacle_either),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
