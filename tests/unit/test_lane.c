/* test_lane.c - lanes whose plugin does not come back, turns of models, calls on the caller's thread. Covers
 * host/lanes/lane.c and host/lanes/lane_time.c. The fixture plugin is
 * held by pipes, so that nothing depends on how fast anything is. */
#include "held_call.h"
#include "host.h"
#include "loaded_model.h"
#include "scheduler.h"
#include "scheduler_loop.h"
#include "session.h"

#include <sched.h>

static const struct modelhost_options quick = {.struct_size = sizeof(struct modelhost_options),
                                               .log_level = MODEL_LOG_WARN,
                                               .abandon_grace_ms = 1};
static const struct modelhost_options patient = {.struct_size = sizeof(struct modelhost_options),
                                                 .log_level = MODEL_LOG_WARN,
                                                 .abandon_grace_ms = 3600000};

/* A call that the plugin has begun and that is cancelled then. */
static void get_stuck(struct held *held)
{
    struct call call = {0};
    start(held->model, &call);
    held_wait_entered(held);
    modelhost_cancel(call.request);
    wait_answer(&call, MODEL_CANCELLED);
}

static int64_t counted(const struct held *held, enum metric metric)
{
    return metrics_number(held->model->metrics.series, metric, 0);
}

static void a_stuck_lane_is_replaced_and_its_model_counts_it(void **state)
{
    (void)state;
    struct held held;
    struct call next = {0};
    held_open(&held, &quick, 0, "");
    get_stuck(&held);
    start(held.model, &next);
    held_wait_entered(&held); /* there is one lane, and the first call is in it still */
    assert_int_equal(counted(&held, METRIC_LANES_ABANDONED), 1);
    assert_int_equal(counted(&held, METRIC_ABANDONED_LANES), 1);
    assert_true(held_has_logged(&held, "request 1: the plugin did not stop"));
    held_release(&held, 2);
    wait_answer(&next, MODEL_OK);
    held_wait_for_log(&held, "request 1: its abandoned lane came back");
    assert_int_equal(counted(&held, METRIC_LANES_ABANDONED), 1);
    assert_int_equal(counted(&held, METRIC_ABANDONED_LANES), 0);
    held_close(&held);
}

static void a_model_with_too_many_stuck_lanes_refuses_until_one_is_back(void **state)
{
    (void)state;
    struct held held;
    struct model_error err = MODEL_ERROR_INIT;
    held_open(&held, &quick, 1, "");
    get_stuck(&held);
    held_wait_for_log(&held, "abandoned and replaced (1 stuck)");
    assert_int_equal(run_with(held.model, NULL, &err), MODEL_BUSY);
    assert_non_null(strstr(err.message, "1 lanes are stuck in the plugin of"));
    assert_non_null(strstr(err.message, "max_abandoned_lanes 1"));
    struct modelhost_run_options direct = MODELHOST_RUN_OPTIONS_INIT;
    direct.direct = 1;
    assert_int_equal(run_with(held.model, &direct, &err), MODEL_BUSY);

    struct modelhost_model *echo = NULL; /* others are served meanwhile */
    char *dir = make_package("echo", "{}");
    assert_int_equal(modelhost_load(held.host, dir, &echo, &err), MODEL_OK);
    assert_int_equal(run_with(echo, NULL, &err), MODEL_OK);
    modelhost_release(echo);
    remove_package(dir);

    held_release(&held, 2);
    held_wait_for_log(&held, "came back");
    assert_int_equal(run_with(held.model, NULL, &err), MODEL_OK);
    held_close(&held);
}

static void what_waited_for_a_model_that_refuses_is_answered(void **state)
{
    (void)state;
    struct held held;
    struct call stuck = {0}, waiting[2] = {{0}};
    held_open(&held, &quick, 1, "");
    start(held.model, &stuck);
    held_wait_entered(&held);
    start(held.model, &waiting[0]);
    start(held.model, &waiting[1]);
    modelhost_cancel(stuck.request);
    wait_answer(&stuck, MODEL_CANCELLED);
    wait_answer(&waiting[0], MODEL_BUSY);
    wait_answer(&waiting[1], MODEL_BUSY);
    held_release(&held, 1);
    held_close(&held);
}

static void a_model_whose_calls_come_back_by_themselves_is_not_abandoned(void **state)
{
    (void)state;
    struct held held;
    struct lane_news news = {.n_lines = 0};
    held_open(&held, &patient, 0, "");
    held.model->lane_account.always_returns = true;
    get_stuck(&held);
    struct scheduler *scheduler = held.host->scheduler;
    uv_mutex_lock(&scheduler->mutex);
    assert_true(lane_keep_time(scheduler, INT64_MAX - 1, &news) == INT64_MAX);
    uv_mutex_unlock(&scheduler->mutex);
    lane_tell(scheduler, &news);
    assert_false(held_has_logged(&held, "abandoned"));
    held_release(&held, 2);
    assert_int_equal(run_with(held.model, NULL, NULL), MODEL_OK);
    held_close(&held);
}

static void a_lane_that_comes_back_in_time_stays_and_its_latency_is_kept(void **state)
{
    (void)state;
    struct held held;
    held_open(&held, &patient, 0, "");
    get_stuck(&held);
    held_release(&held, 2);
    assert_int_equal(run_with(held.model, NULL, NULL), MODEL_OK); /* behind it, on the one lane */
    assert_true(metrics_quantile(held.model->metrics.series, METRIC_CANCEL_SECONDS, 1) > 0);
    assert_int_equal(counted(&held, METRIC_LANES_ABANDONED), 0);
    assert_false(held_has_logged(&held, "instance destroyed"));
    held_close(&held);
}

static void an_instance_of_an_abandoned_lane_is_not_used_again(void **state)
{
    (void)state;
    struct held held;
    held_open(&held, &quick, 0, "");
    get_stuck(&held);
    held_wait_for_log(&held, "abandoned and replaced");
    assert_false(held_has_logged(&held, "instance destroyed"));
    held_release(&held, 1);
    held_wait_for_log(&held, "held: instance destroyed");
    held_close(&held);
}

static void a_session_of_an_abandoned_lane_is_lost(void **state)
{
    (void)state;
    struct held held;
    struct call call = {0};
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    held_open(&held, &quick, 0, ",\"max_slots\":4");
    assert_int_equal(modelhost_session_create(held.model, &options.session, &err), MODEL_OK);
    start_with(held.model, &call, &options);
    held_wait_entered(&held);
    modelhost_cancel(call.request);
    wait_answer(&call, MODEL_CANCELLED);
    held_wait_for_log(&held, "abandoned and replaced");
    assert_int_equal(run_with(held.model, &options, &err), MODEL_BUSY);
    held_release(&held, 1);
    held_wait_for_log(&held, "held: instance destroyed");
    while (atomic_load(&options.session->busy)) /* the lane's next instructions */
        (void)sched_yield();
    assert_int_equal(run_with(held.model, &options, &err), MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "the plugin did not stop: begin a new session"));
    modelhost_session_release(options.session);
    held_close(&held);
}

static void a_call_without_progress_makes_the_host_unready_until_it_is_back(void **state)
{
    (void)state;
    struct held held;
    struct call call = {0};
    struct model_error err = MODEL_ERROR_INIT;
    struct lane_news news = {.n_lines = 0};
    held_open(&held, &patient, 0, ",\"estimated_ms\":500");
    assert_int_equal(modelhost_ready(held.host, &err), 1);
    start(held.model, &call);
    held_wait_entered(&held);
    struct scheduler *scheduler = held.host->scheduler;
    uv_mutex_lock(&scheduler->mutex);
    const int64_t begun_ns = atomic_load(&call.request->progress.at_ns);
    const int64_t due_ns = begun_ns + INT64_C(10000000000); /* two items */
    assert_true(lane_keep_time(scheduler, due_ns - 1, &news) == due_ns);
    assert_int_equal(news.n_lines, 0);
    assert_true(lane_keep_time(scheduler, due_ns, &news) == INT64_MAX);
    assert_int_equal(news.n_lines, 1);
    assert_non_null(strstr(news.lines[0], "no progress for ten times"));
    assert_ptr_equal(news.requests[0], call.request);
    assert_true(lane_keep_time(scheduler, due_ns + 1, &news) == INT64_MAX);
    assert_int_equal(news.n_lines, 1); /* once */
    uv_mutex_unlock(&scheduler->mutex);
    lane_tell(scheduler, &news);
    assert_true(held_has_logged(&held, ": request 1: no progress for ten times"));
    assert_int_equal(modelhost_ready(held.host, &err), 0);
    assert_non_null(strstr(err.message, "request 1 of"));
    held_release(&held, 1);
    wait_answer(&call, MODEL_OK);
    assert_int_equal(modelhost_ready(held.host, &err), 1);
    held_close(&held);
}

static void do_nothing(uv_loop_t *loop, void *argument)
{
    (void)loop;
    (void)argument;
}

static void a_call_without_deadline_and_estimate_makes_the_host_unready_after_a_minute(void **state)
{
    (void)state;
    struct held held;
    struct call call = {0};
    struct lane_news news = {.n_lines = 0};
    held_open(&held, &patient, 0, "");
    start(held.model, &call);
    held_wait_entered(&held);
    struct scheduler *scheduler = held.host->scheduler;
    scheduler_loop_visit(scheduler, do_nothing, NULL);
    uv_mutex_lock(&scheduler->mutex);
    const int64_t due_ns = atomic_load(&call.request->progress.at_ns) + INT64_C(60000000000);
    assert_true(scheduler->watch_ns <= due_ns); /* the loop will look */
    assert_true(lane_keep_time(scheduler, due_ns, &news) == INT64_MAX);
    uv_mutex_unlock(&scheduler->mutex);
    lane_tell(scheduler, &news);
    assert_true(held_has_logged(&held, ": request 1: no progress for 60 s"));
    assert_int_equal(modelhost_ready(held.host, NULL), 0);
    held_release(&held, 1);
    wait_answer(&call, MODEL_OK);
    assert_int_equal(modelhost_ready(held.host, NULL), 1);
    held_close(&held);
}

static void a_call_that_names_no_deadline_has_its_models(void **state)
{
    (void)state;
    struct held held;
    struct call call = {0};
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    held_open(&held, &patient, 0, "");
    held.model->load.timeout_ms = 1;
    start(held.model, &call);
    wait_answer(&call, MODEL_DEADLINE);
    assert_int_equal(run_with(held.model, NULL, &err), MODEL_DEADLINE);
    held_release(&held, 3);
    options.timeout_ms = 600000;
    assert_int_equal(run_with(held.model, &options, &err), MODEL_OK);
    held_close(&held);
}

static void a_higher_priority_and_another_model_go_first(void **state)
{
    (void)state;
    struct held held;
    int order = 0;
    struct call first = {0}, mine[3] = {{0}}, urgent = {0}, other = {0};
    struct modelhost_model *echo = NULL;
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    char *dir = make_package("echo", "{}");
    held_open(&held, &patient, 0, "");
    assert_int_equal(modelhost_load(held.host, dir, &echo, NULL), MODEL_OK);
    start(held.model, &first);
    held_wait_entered(&held);
    for (int i = 0; i < 3; i++) {
        mine[i].order = &order;
        start(held.model, &mine[i]);
    }
    other.order = urgent.order = &order;
    start(echo, &other);
    options.priority = 1;
    start_with(echo, &urgent, &options);
    held_release(&held, 4);
    wait_answer(&first, MODEL_OK);
    for (int i = 0; i < 3; i++)
        wait_answer(&mine[i], MODEL_OK);
    wait_answer(&urgent, MODEL_OK);
    wait_answer(&other, MODEL_OK);
    assert_int_equal(urgent.place, 0);
    assert_int_equal(mine[0].place, 1);
    assert_int_equal(other.place, 2);
    assert_int_equal(mine[1].place, 3);
    assert_int_equal(mine[2].place, 4);
    modelhost_release(echo);
    held_close(&held);
    remove_package(dir);
}

static int ran_here(struct held *held)
{
    const uv_thread_t self = uv_thread_self();
    uv_mutex_lock(&held->mutex);
    const int here = uv_thread_equal(&held->run_thread, &self);
    uv_mutex_unlock(&held->mutex);
    return here;
}

static void a_direct_call_runs_on_the_calling_thread_and_no_other_does(void **state)
{
    (void)state;
    struct held held;
    struct modelhost_run_options direct = MODELHOST_RUN_OPTIONS_INIT;
    direct.direct = 1;
    held_open(&held, &patient, 0, "");
    held_release(&held, 2);
    assert_int_equal(run_with(held.model, &direct, NULL), MODEL_OK);
    assert_true(ran_here(&held));
    assert_int_equal(run_with(held.model, NULL, NULL), MODEL_OK);
    assert_false(ran_here(&held));
    held_close(&held);
}

static void run_direct_for(void *argument)
{
    struct modelhost_run_options direct = MODELHOST_RUN_OPTIONS_INIT;
    direct.direct = 1;
    assert_int_equal(run_with(argument, &direct, NULL), MODEL_OK);
}

/* One lane: a call on a thread of ours takes its place, and what comes then waits for it. */
static void a_direct_call_takes_the_place_of_a_lane(void **state)
{
    (void)state;
    struct held held;
    struct call behind = {0};
    uv_thread_t thread;
    held_open(&held, &patient, 0, "");
    assert_int_equal(uv_thread_create(&thread, run_direct_for, held.model), 0);
    held_wait_entered(&held);
    struct scheduler *scheduler = held.host->scheduler;
    start(held.model, &behind);
    uv_mutex_lock(&scheduler->mutex);
    assert_int_equal(scheduler->n_busy, 1);
    assert_int_equal(scheduler->queue.n_requests, 1);
    uv_mutex_unlock(&scheduler->mutex);
    held_release(&held, 2);
    wait_answer(&behind, MODEL_OK);
    assert_int_equal(uv_thread_join(&thread), 0);
    held_close(&held);
}

static void a_direct_call_waits_for_a_lane_when_none_is_free(void **state)
{
    (void)state;
    struct held held;
    struct call first = {0};
    struct modelhost_run_options direct = MODELHOST_RUN_OPTIONS_INIT;
    direct.direct = 1;
    held_open(&held, &patient, 0, "");
    start(held.model, &first);
    held_wait_entered(&held);
    held_release(&held, 2);
    assert_int_equal(run_with(held.model, &direct, NULL), MODEL_OK);
    wait_answer(&first, MODEL_OK);
    held_close(&held);
}

static void a_direct_call_is_for_those_who_wait(void **state)
{
    (void)state;
    struct held held;
    struct call call = {0};
    struct model_tensor x;
    const int64_t n = 2;
    tensor_init(&x, "x", MODEL_F32, 1, &n, values);
    const struct model_tensor *inputs[] = {&x};
    struct modelhost_run_options direct = MODELHOST_RUN_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    direct.direct = 1;
    held_open(&held, &patient, 0, "");
    assert_int_equal(
        modelhost_run_async(held.model, inputs, 1, &direct, on_answer, &call, NULL, &err),
        MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "direct is for synchronous calls"));
    held_close(&held);
}

/* The deadline is looked at behind it: there is nobody who could answer before. */
static void a_direct_call_behind_its_deadline_is_no_answer(void **state)
{
    (void)state;
    struct echo echo = echo_open("{\"echo_mode\":\"ignore_cancel\",\"spin_ms\":5}", 0);
    struct modelhost_run_options direct = MODELHOST_RUN_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    direct.direct = 1;
    direct.timeout_ms = 1;
    assert_int_equal(run_with(echo.model, &direct, &err), MODEL_DEADLINE);
    assert_non_null(strstr(err.message, "while the request was running"));
    echo_close(&echo);
}

/* On the loop's own thread: the loop cannot look before the call is over. */
static void run_before_the_loop_looks(uv_loop_t *loop, void *model)
{
    (void)loop;
    run_direct_for(model);
}

static void a_call_that_is_over_when_the_loop_looks_spares_the_next_one_the_waking(void **state)
{
    (void)state;
    struct held held;
    held_open(&held, &patient, 0, "");
    held_release(&held, 1);
    struct scheduler *scheduler = held.host->scheduler;
    scheduler_loop_visit(scheduler, run_before_the_loop_looks, held.model);
    uv_mutex_lock(&scheduler->mutex);
    assert_true(scheduler->watch_ns != INT64_MAX);
    uv_mutex_unlock(&scheduler->mutex);
    held_close(&held);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stuck_lane_is_replaced_and_its_model_counts_it),
        cmocka_unit_test(a_model_with_too_many_stuck_lanes_refuses_until_one_is_back),
        cmocka_unit_test(what_waited_for_a_model_that_refuses_is_answered),
        cmocka_unit_test(a_model_whose_calls_come_back_by_themselves_is_not_abandoned),
        cmocka_unit_test(a_lane_that_comes_back_in_time_stays_and_its_latency_is_kept),
        cmocka_unit_test(an_instance_of_an_abandoned_lane_is_not_used_again),
        cmocka_unit_test(a_session_of_an_abandoned_lane_is_lost),
        cmocka_unit_test(a_call_without_progress_makes_the_host_unready_until_it_is_back),
        cmocka_unit_test(
            a_call_without_deadline_and_estimate_makes_the_host_unready_after_a_minute),
        cmocka_unit_test(a_call_that_names_no_deadline_has_its_models),
        cmocka_unit_test(a_higher_priority_and_another_model_go_first),
        cmocka_unit_test(a_direct_call_runs_on_the_calling_thread_and_no_other_does),
        cmocka_unit_test(a_direct_call_takes_the_place_of_a_lane),
        cmocka_unit_test(a_direct_call_waits_for_a_lane_when_none_is_free),
        cmocka_unit_test(a_direct_call_is_for_those_who_wait),
        cmocka_unit_test(a_direct_call_behind_its_deadline_is_no_answer),
        cmocka_unit_test(a_call_that_is_over_when_the_loop_looks_spares_the_next_one_the_waking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
