/* test_route_order.c - backends that go behind the others because they keep failing, through the public functions, with
 * the clock in the test's hands. Covers host/routing/route_ending.c too. */
#include "route_order.h"
#include "fickle_package.h"
#include "loaded_model.h"
#include "route_opening.h"

enum { CPU = 1, TORCH = 2 }; /* the answers by which backends are known */

#define TOLD_TO_FAIL "plugin 'fickle' 1.0.0: fickle: told to fail"

struct pair {
    struct modelhost *host;
    struct modelhost_model *model;
    char *dir;
    _Atomic int n_warnings; /* that say that one is demoted */
    _Atomic int n_returns;
};

static void count_lines(void *context, int32_t level, const char *message)
{
    struct pair *pair = context;
    pair->n_warnings +=
        level == MODEL_LOG_WARN && strstr(message, "backend 'cpu' stands behind") != NULL;
    pair->n_returns +=
        level == MODEL_LOG_INFO && strstr(message, "'cpu' is in its place again") != NULL;
}

static void open_pair(struct pair *pair, const struct modelhost_load_options *options)
{
    struct modelhost_options host_options = MODELHOST_OPTIONS_INIT;
    host_options.log = count_lines;
    host_options.log_context = pair;
    host_options.log_level = MODEL_LOG_INFO;
    pair->dir = scratch_dir();
    add_backend(pair->dir, "cpu", CPU, "");
    add_backend(pair->dir, "torch", TORCH, "");
    pair->host = fickle_host(pair->dir, &host_options);
    pair->model = fickle_load(pair->host, pair->dir, options);
}

static void close_pair(struct pair *pair)
{
    modelhost_release(pair->model);
    modelhost_destroy(pair->host);
    remove_package(pair->dir);
}

/* cpu's breaker opens three times within 15 s. */
static void demote(struct pair *pair)
{
    command(pair->dir, "cpu", "f");
    fail_times(pair->model, 20, MODEL_INTERNAL);
    for (int i = 0; i < 2; i++) {
        pass_ms(i == 0 ? 5000 : 10000);
        fail_times(pair->model, 1, MODEL_INTERNAL); /* the probe */
    }
}

static int64_t count(const struct pair *pair, enum metric metric, uint32_t value)
{
    return metrics_number(pair->model->metrics.series, metric, value);
}

static void a_backend_that_keeps_failing_goes_behind_the_others(void **state)
{
    (void)state;
    struct pair pair = {.n_warnings = 0};
    open_pair(&pair, NULL);
    demote(&pair);
    assert_int_equal(count(&pair, METRIC_DEMOTIONS, 0), 1);
    assert_non_null(strstr(modelhost_describe(pair.model), "\"demoted_backends\":\t[\"cpu\"]"));
    assert_served_by(pair.model, TORCH, "torch",
                     "backend 'cpu' stands behind the others for 1800.0 s (its breaker opened 3 "
                     "times within 600.0 s)"); /* it waits until torch is open */
    command(pair.dir, "cpu", "");              /* it would work: nobody tries */
    pass_ms(100000);
    for (int i = 0; i < 30; i++)
        assert_served_by(pair.model, TORCH, "torch",
                         "backend 'cpu' stands behind the others for 1700.0 s (its breaker opened "
                         "3 times within 600.0 s)");
    assert_int_equal(count(&pair, METRIC_FALLBACKS, FALLBACK_DEMOTION), 31);
    assert_int_equal(pair.n_warnings, 1);
    close_pair(&pair);
}

static void it_comes_back_to_its_place_when_the_time_is_over(void **state)
{
    (void)state;
    struct pair pair = {.n_warnings = 0};
    open_pair(&pair, NULL);
    demote(&pair);
    command(pair.dir, "cpu", "");
    pass_ms(1800000);
    for (int i = 0; i < 30; i++)
        assert_served_by(pair.model, CPU, "cpu", NULL);
    assert_int_equal(model_route_facts(pair.model).state, BREAKER_CLOSED);
    assert_non_null(strstr(modelhost_describe(pair.model), "\"demoted_backends\":\t[]"));
    assert_int_equal(pair.n_returns, 1);
    command(pair.dir, "cpu", "f"); /* forgiven: it takes three openings again */
    fail_times(pair.model, 2, MODEL_INTERNAL);
    assert_int_equal(count(&pair, METRIC_DEMOTIONS, 0), 1);
    close_pair(&pair);
}

static void one_that_still_fails_then_goes_behind_again_at_once(void **state)
{
    (void)state;
    struct pair pair = {.n_warnings = 0};
    open_pair(&pair, NULL);
    demote(&pair);
    pass_ms(1800000);
    fail_times(pair.model, 1, MODEL_INTERNAL);
    assert_served_by(pair.model, TORCH, "torch",
                     "backend 'cpu' stands behind the others for 1800.0 s (its breaker opened "
                     "again when it was back in its place)");
    assert_int_equal(count(&pair, METRIC_DEMOTIONS, 0), 2);
    assert_int_equal(pair.n_warnings, 2);
    close_pair(&pair);
}

static void a_demoted_backend_serves_when_the_others_do_not(void **state)
{
    (void)state;
    struct pair pair = {.n_warnings = 0};
    struct model_error err = MODEL_ERROR_INIT;
    open_pair(&pair, NULL);
    demote(&pair);
    command(pair.dir, "torch", "f");
    fail_times(pair.model, 20, MODEL_INTERNAL);
    assert_int_equal(fickle_run(pair.model, NULL, NULL, NULL, &err), MODEL_BUSY);
    assert_string_equal(
        err.message,
        "no backend takes calls: backend 'torch' takes no calls (20 of 20 calls failed; the last "
        "failure: " TOLD_TO_FAIL "); it is tried again in 5.0 s; backend 'cpu' takes no calls (a "
        "call that tried it again failed or was too slow; the last failure: " TOLD_TO_FAIL
        "); it is tried again in 20.0 s");
    command(pair.dir, "cpu", "");
    pass_ms(4000);
    assert_int_equal(modelhost_model_ready(pair.model, NULL), 0);
    pass_ms(16000);
    fail_times(pair.model, 1, MODEL_INTERNAL);      /* torch's probe comes first */
    assert_served_by(pair.model, CPU, "cpu", NULL); /* it is the package's first */
    assert_int_equal(modelhost_model_ready(pair.model, NULL), 1);
    close_pair(&pair);
}

static void a_session_begins_where_calls_go(void **state)
{
    (void)state;
    struct pair pair = {.n_warnings = 0};
    struct modelhost_session *session = NULL;
    struct modelhost_run_options run = MODELHOST_RUN_OPTIONS_INIT;
    float y = 0;
    open_pair(&pair, NULL);
    demote(&pair);
    assert_served_by(pair.model, TORCH, "torch",
                     "backend 'cpu' stands behind the others for 1800.0 s (its breaker opened 3 "
                     "times within 600.0 s)");
    command(pair.dir, "cpu", "");
    pass_ms(100000);
    assert_int_equal(modelhost_session_create(pair.model, &session, NULL), MODEL_OK);
    run.session = session;
    assert_int_equal(fickle_run(pair.model, &run, &y, NULL, NULL), MODEL_OK);
    assert_int_equal((int)y, TORCH);
    modelhost_session_release(session);
    close_pair(&pair);
}

static void options_say_how_often_and_how_long(void **state)
{
    (void)state;
    struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
    struct pair pair = {.n_warnings = 0};
    options.demote_after_openings = -1;
    open_pair(&pair, &options);
    demote(&pair);
    assert_int_equal(count(&pair, METRIC_DEMOTIONS, 0), 0);
    close_pair(&pair);
    options.demote_after_openings = 3;
    options.demotion_window_ms = 14999;
    open_pair(&pair, &options);
    demote(&pair);
    assert_int_equal(count(&pair, METRIC_DEMOTIONS, 0), 0);
    close_pair(&pair);
    options.demotion_window_ms = 15000;
    options.demotion_ms = 60000;
    open_pair(&pair, &options);
    demote(&pair);
    assert_int_equal(count(&pair, METRIC_DEMOTIONS, 0), 1);
    pass_ms(59999);
    assert_true(route_order_is_demoted(pair.model));
    pass_ms(1);
    assert_false(route_order_is_demoted(pair.model));
    close_pair(&pair);
}

static void a_backend_alone_stays_where_it_is(void **state)
{
    (void)state;
    struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
    struct pair pair = {.n_warnings = 0};
    options.backend = "cpu";
    options.breaker_success_rate = 0.95;
    options.demote_after_openings = 1;
    open_pair(&pair, &options);
    demote(&pair);
    assert_int_equal(count(&pair, METRIC_DEMOTIONS, 0), 0);
    close_pair(&pair);
}

static void an_accelerator_goes_behind_the_one_that_stood_in(void **state)
{
    (void)state;
    struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
    struct pair pair = {.n_warnings = 0};
    options.accelerator_start = MODELHOST_ACCELERATOR_BACKGROUND;
    options.demote_after_openings = 1;
    open_pair(&pair, &options); /* torch serves, cpu joins it */
    while (accelerator_start_model(pair.model->route->accelerator) == NULL)
        continue;
    assert_served_by(pair.model, CPU, "cpu", NULL);
    command(pair.dir, "cpu", "f");
    fail_times(pair.model, 19, MODEL_INTERNAL);
    pass_ms(10000);
    assert_served_by(pair.model, TORCH, "torch",
                     "backend 'cpu' stands behind the others for 1790.0 s (its breaker opened 1 "
                     "time within 600.0 s)");
    assert_non_null(strstr(modelhost_describe(pair.model), "\"demoted_backends\":\t[\"cpu\"]"));
    command(pair.dir, "cpu", "");
    command(pair.dir, "torch", "f");
    fail_times(pair.model, 19, MODEL_INTERNAL);
    assert_served_by(pair.model, CPU, "cpu", NULL);
    close_pair(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_backend_that_keeps_failing_goes_behind_the_others),
        cmocka_unit_test(it_comes_back_to_its_place_when_the_time_is_over),
        cmocka_unit_test(one_that_still_fails_then_goes_behind_again_at_once),
        cmocka_unit_test(a_demoted_backend_serves_when_the_others_do_not),
        cmocka_unit_test(a_session_begins_where_calls_go),
        cmocka_unit_test(options_say_how_often_and_how_long),
        cmocka_unit_test(a_backend_alone_stays_where_it_is),
        cmocka_unit_test(an_accelerator_goes_behind_the_one_that_stood_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
