/* test_model_route.c - which backend serves: a package with two that fail on command, through the public
 * functions, with the breakers' clock in the test's hands. Covers host/routing/backend_chain.c,
 * host/routing/route_opening.c and host/routing/route_text.c too. */
#include "fickle_package.h"
#include "loaded_model.h"
#include "model_route.h"

#include <sched.h>
#include <uv.h>

enum { CPU = 1, TORCH = 2 }; /* the answers by which backends are known */

struct pair {
    struct modelhost *host;
    struct modelhost_model *model;
    char *dir;
};

static struct pair open_pair(const char *cpu_fields, const char *torch_fields)
{
    struct pair pair = {.dir = scratch_dir()};
    add_backend(pair.dir, "cpu", CPU, cpu_fields);
    add_backend(pair.dir, "torch", TORCH, torch_fields);
    pair.host = fickle_host(pair.dir, NULL);
    pair.model = fickle_load(pair.host, pair.dir, NULL);
    return pair;
}

static void close_pair(struct pair *pair)
{
    modelhost_release(pair->model);
    modelhost_destroy(pair->host);
    remove_package(pair->dir);
}

static void the_first_backend_serves_without_a_reason(void **state)
{
    (void)state;
    struct pair pair = open_pair("", "");
    assert_served_by(pair.model, CPU, "cpu", NULL);
    assert_non_null(strstr(modelhost_describe(pair.model), "\"backend\":\t\"cpu\""));
    assert_non_null(strstr(modelhost_describe(pair.model), "\"fallbacks\":\t[\"torch\"]"));
    assert_null(model_route_next(pair.model)); /* nobody needed it */
    close_pair(&pair);
}

static void a_failing_backend_hands_over_and_takes_back(void **state)
{
    (void)state;
    struct pair pair = open_pair("", "");
    command(pair.dir, "cpu", "f");
    fail_times(pair.model, 20, MODEL_INTERNAL);
    pass_ms(1500);
    assert_served_by(pair.model, TORCH, "torch",
                     "backend 'cpu' has taken no calls for 1.5 s (20 of 20 calls failed; the last "
                     "failure: plugin 'fickle' 1.0.0: fickle: told to fail); it is tried again in "
                     "3.5 s");
    pass_ms(3500);
    fail_times(pair.model, 1, MODEL_INTERNAL); /* the probe */
    assert_served_by(pair.model, TORCH, "torch",
                     "backend 'cpu' takes no calls (a call that tried it again "
                     "failed or was too slow; the last failure: plugin 'fickle' 1.0.0: fickle: "
                     "told to fail); it is tried again in 10.0 s");
    command(pair.dir, "cpu", "");
    pass_ms(10000);
    for (int i = 0; i < 6; i++)
        assert_served_by(pair.model, CPU, "cpu", NULL);
    assert_int_equal(model_route_facts(pair.model).state, BREAKER_CLOSED);
    assert_int_equal(model_route_facts(pair.model).n_openings, 2);
    close_pair(&pair);
}

static void the_callers_mistakes_do_not_count(void **state)
{
    (void)state;
    struct pair pair = open_pair("", "");
    command(pair.dir, "cpu", "i");
    fail_times(pair.model, 50, MODEL_INVALID_ARGUMENT);
    command(pair.dir, "cpu", "");
    assert_served_by(pair.model, CPU, "cpu", NULL);
    close_pair(&pair);
}

static void deadlines_count_when_the_backend_ran(void **state)
{
    (void)state;
    struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
    struct modelhost_run_options run = MODELHOST_RUN_OPTIONS_INIT;
    struct pair pair = open_pair("", "");
    options.breaker_min_calls = 3;
    struct modelhost_model *model = fickle_load(pair.host, pair.dir, &options);
    command(pair.dir, "cpu", "s");
    run.timeout_ms = 20;
    for (int i = 0; i < 3; i++)
        assert_int_equal(fickle_run(model, &run, NULL, NULL, NULL), MODEL_DEADLINE);
    assert_int_equal(model_route_facts(model).state, BREAKER_OPEN);
    modelhost_release(model);
    close_pair(&pair);
}

static void when_all_fail_the_call_is_refused_with_both_reasons(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct pair pair = open_pair("", "");
    command(pair.dir, "cpu", "f");
    command(pair.dir, "torch", "f");
    fail_times(pair.model, 40, MODEL_INTERNAL);
    assert_int_equal(fickle_run(pair.model, NULL, NULL, NULL, &err), MODEL_BUSY);
    assert_string_equal(
        err.message,
        "no backend takes calls: backend 'cpu' takes no calls (20 of 20 calls "
        "failed; the last failure: plugin 'fickle' 1.0.0: fickle: told to fail); it is tried again "
        "in 5.0 s; backend 'torch' takes no calls (20 of 20 calls failed; the last "
        "failure: plugin 'fickle' 1.0.0: fickle: told to fail); it is tried again in 5.0 s");
    assert_int_equal(modelhost_model_ready(pair.model, &err), 0);
    assert_non_null(strstr(err.message, "takes no calls: backend 'cpu' takes no calls"));
    assert_non_null(strstr(err.message, "; backend 'torch' takes no calls"));
    pass_ms(5000); /* and whoever looks at it only may send calls again */
    assert_int_equal(modelhost_model_ready(pair.model, &err), 1);
    close_pair(&pair);
}

static void a_model_alone_with_stuck_lanes_is_not_ready_until_one_is_back(void **state)
{
    (void)state;
    struct modelhost_options host_options = MODELHOST_OPTIONS_INIT;
    struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
    struct modelhost_run_options run = MODELHOST_RUN_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    host_options.abandon_grace_ms = options.max_abandoned_lanes = 1;
    run.timeout_ms = 20;
    char *dir = scratch_dir();
    add_backend(dir, "cpu", CPU, "");
    struct modelhost *host = fickle_host(dir, &host_options);
    struct modelhost_model *model = fickle_load(host, dir, &options);
    assert_int_equal(modelhost_model_ready(model, &err), 1);
    command(dir, "cpu", "h");
    assert_int_equal(fickle_run(model, &run, NULL, NULL, NULL), MODEL_DEADLINE);
    while (modelhost_model_ready(model, &err) == 1)
        continue;
    assert_non_null(strstr(err.message, "1 lanes are stuck in the plugin"));
    command(dir, "cpu", "");
    while (modelhost_model_ready(model, &err) == 0)
        continue;
    modelhost_release(model);
    modelhost_destroy(host);
    remove_package(dir);
}

static void a_backend_that_does_not_open_is_passed_over_and_named(void **state)
{
    (void)state;
    struct pair pair = open_pair(",\"create_fails\":true", "");
    char reason[1200];
    (void)snprintf(reason, sizeof reason,
                   "'cpu' did not open: plugin 'fickle' 1.0.0 cannot run %s: fickle: told not to "
                   "open",
                   pair.dir);
    assert_served_by(pair.model, TORCH, "torch", reason);
    assert_non_null(strstr(modelhost_describe(pair.model), "\"backend\":\t\"torch\""));
    assert_non_null(strstr(modelhost_describe(pair.model), "fickle: told not to open"));
    close_pair(&pair);
}

static void a_load_that_finds_no_backend_says_why_of_each(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost_model *model = NULL;
    char *dir = scratch_dir(), wanted[1200];
    add_backend(dir, "cpu", CPU, ",\"create_fails\":true");
    add_backend(dir, "torch", TORCH, ",\"create_fails\":true");
    struct modelhost *host = fickle_host(dir, NULL);
    assert_int_equal(modelhost_load(host, dir, &model, &err), MODEL_INTERNAL);
    (void)snprintf(wanted, sizeof wanted,
                   "no backend of %s opens: 'cpu' did not open: plugin 'fickle' 1.0.0 cannot run "
                   "%s: fickle: told not to open; 'torch' did not open: plugin 'fickle' 1.0.0 "
                   "cannot run %s: fickle: told not to open",
                   dir, dir, dir);
    assert_string_equal(err.message, wanted);
    modelhost_destroy(host);
    remove_package(dir);
}

static void the_backend_that_is_asked_for_serves_alone(void **state)
{
    (void)state;
    struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost_model *absent = NULL;
    struct pair pair = open_pair("", "");
    options.backend = "torch";
    options.breaker_success_rate = 0.95; /* said: alone, it would go on */
    struct modelhost_model *model = fickle_load(pair.host, pair.dir, &options);
    assert_served_by(model, TORCH, "torch", NULL);
    command(pair.dir, "torch", "f");
    fail_times(model, 19, MODEL_INTERNAL);
    assert_int_equal(fickle_run(model, NULL, NULL, NULL, &err), MODEL_BUSY);
    modelhost_release(model);
    options.backend = "vulkan";
    assert_int_equal(modelhost_load_with(pair.host, pair.dir, &options, &absent, &err),
                     MODEL_NOT_FOUND);
    options.backend = "a/b";
    assert_int_equal(modelhost_load_with(pair.host, pair.dir, &options, &absent, &err),
                     MODEL_INVALID_ARGUMENT);
    close_pair(&pair);
}

static void a_backend_of_another_task_does_not_stand_in(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct pair pair = open_pair("", ",\"task\":\"fill-mask\"");
    command(pair.dir, "cpu", "f");
    fail_times(pair.model, 20, MODEL_INTERNAL);
    assert_int_equal(fickle_run(pair.model, NULL, NULL, NULL, &err), MODEL_BUSY);
    assert_non_null(strstr(err.message, "'torch' did not open: its task is fill-mask, want none"));
    close_pair(&pair);
}

static void an_opening_that_failed_is_tried_again_after_a_minute(void **state)
{
    (void)state;
    struct pair pair = open_pair("", ",\"create_fails\":true");
    char *folder = path_join(pair.dir, "backends/torch");
    command(pair.dir, "cpu", "f");
    fail_times(pair.model, 20, MODEL_INTERNAL);
    fail_times(pair.model, 1, MODEL_BUSY);
    assert_int_equal(dir_remove_all(folder, NULL), MODEL_OK);
    add_backend(pair.dir, "torch", TORCH, "");
    fail_times(pair.model, 1, MODEL_BUSY); /* remembered */
    pass_ms(60000);
    fail_times(pair.model, 1, MODEL_INTERNAL); /* cpu's probe */
    float y = 0;
    assert_int_equal(fickle_run(pair.model, NULL, &y, NULL, NULL), MODEL_OK);
    assert_int_equal((int)y, TORCH);
    free(folder);
    close_pair(&pair);
}

static void a_backend_with_stuck_lanes_hands_over(void **state)
{
    (void)state;
    struct modelhost_options host_options = MODELHOST_OPTIONS_INIT;
    struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
    struct modelhost_run_options run = MODELHOST_RUN_OPTIONS_INIT;
    struct modelhost_result *result = NULL;
    host_options.abandon_grace_ms = options.max_abandoned_lanes = 1;
    run.timeout_ms = 20;
    char *dir = scratch_dir();
    add_backend(dir, "cpu", CPU, "");
    add_backend(dir, "torch", TORCH, "");
    struct modelhost *host = fickle_host(dir, &host_options);
    struct modelhost_model *model = fickle_load(host, dir, &options);
    command(dir, "cpu", "h");
    assert_int_equal(fickle_run(model, &run, NULL, NULL, NULL), MODEL_DEADLINE);
    while (atomic_load(&model->lane_account.n_abandoned) == 0)
        continue;
    while (modelhost_model_ready(model, NULL) == 0) /* which has the other one opened */
        continue;
    assert_non_null(model_route_next(model));
    assert_int_equal(fickle_run(model, NULL, NULL, &result, NULL), MODEL_OK);
    assert_string_equal(modelhost_result_backend(result), "torch");
    assert_non_null(strstr(modelhost_result_fallback_reason(result),
                           "backend 'cpu': 1 lanes are stuck in the plugin"));
    modelhost_result_destroy(result);
    command(dir, "cpu", "");
    modelhost_release(model);
    modelhost_destroy(host);
    remove_package(dir);
}

static void results_that_were_computed_before_do_not_count(void **state)
{
    (void)state;
    struct modelhost_options host_options = MODELHOST_OPTIONS_INIT;
    struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
    host_options.result_cache_bytes = 1 << 20;
    host_options.redis_url = "";
    options.breaker_min_calls = 2;
    options.breaker_success_rate = 0.6;
    char *dir = scratch_dir();
    add_backend(dir, "cpu", CPU, "");
    struct modelhost *host = fickle_host(dir, &host_options);
    struct modelhost_model *model = fickle_load(host, dir, &options);
    for (int i = 0; i < 10; i++)
        assert_int_equal(fickle_run_on(model, 1, NULL, NULL, NULL, NULL), MODEL_OK);
    command(dir, "cpu", "f");
    assert_int_equal(fickle_run_on(model, 2, NULL, NULL, NULL, NULL), MODEL_INTERNAL);
    assert_int_equal(model_route_facts(model).state, BREAKER_OPEN); /* 1 of 2, not 10 of 11 */
    modelhost_release(model);
    modelhost_destroy(host);
    remove_package(dir);
}

/* ---- sessions */

static void a_session_stays_with_its_backend(void **state)
{
    (void)state;
    struct modelhost_run_options run = MODELHOST_RUN_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost_session *on_cpu = NULL, *on_torch = NULL;
    struct modelhost_result *result = NULL;
    struct pair pair = open_pair("", "");
    float y = 0;
    assert_int_equal(modelhost_session_create(pair.model, &on_cpu, NULL), MODEL_OK);
    run.session = on_cpu;
    assert_int_equal(fickle_run(pair.model, &run, &y, NULL, NULL), MODEL_OK);
    assert_int_equal((int)y, CPU);
    command(pair.dir, "cpu", "f");
    fail_times(pair.model, 19, MODEL_INTERNAL);
    assert_served_by(pair.model, TORCH, "torch",
                     "backend 'cpu' takes no calls (19 of 20 calls failed; the last "
                     "failure: plugin 'fickle' 1.0.0: fickle: told to fail); it is tried again in "
                     "5.0 s");
    assert_int_equal(fickle_run(pair.model, &run, NULL, NULL, &err), MODEL_BUSY);
    assert_non_null(strstr(err.message, "the session cannot go on elsewhere"));

    assert_int_equal(modelhost_session_create(pair.model, &on_torch, NULL), MODEL_OK);
    command(pair.dir, "cpu", "");
    pass_ms(5000); /* cpu would be tried again; the session is torch's */
    run.session = on_torch;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fickle_run(pair.model, &run, &y, &result, NULL), MODEL_OK);
        assert_int_equal((int)y, TORCH + i);
        assert_string_equal(modelhost_result_fallback_reason(result),
                            "the session began on backend 'torch'");
        modelhost_result_destroy(result);
    }
    run.session = on_cpu;
    assert_int_equal(fickle_run(pair.model, &run, &y, NULL, NULL), MODEL_OK);
    assert_int_equal((int)y, CPU + 1); /* where it stopped */
    struct modelhost_model *other = fickle_load(pair.host, pair.dir, NULL);
    assert_int_equal(fickle_run(other, &run, NULL, NULL, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "the session is of another model");
    modelhost_release(other);
    modelhost_session_release(on_cpu);
    modelhost_session_release(on_torch);
    close_pair(&pair);
}

/* ---- while the next backend is being opened: its create_model() waits for a pipe */

/* cpu has failed so often that torch is opened, by whoever sees that first; *ret_pipe, to be freed, holds it up. */
static struct pair open_held_pair(char **ret_pipe)
{
    struct pair pair = {.dir = scratch_dir()};
    *ret_pipe = make_pipe(pair.dir);
    char *fields = text_format(",\"create_pipe\":\"%s\"", *ret_pipe);
    add_backend(pair.dir, "cpu", CPU, "");
    add_backend(pair.dir, "torch", TORCH, fields);
    pair.host = fickle_host(pair.dir, NULL);
    pair.model = fickle_load(pair.host, pair.dir, NULL);
    command(pair.dir, "cpu", "f");
    fail_times(pair.model, 20, MODEL_INTERNAL);
    free(fields);
    return pair;
}

static void calls_wait_for_the_next_backend(void **state)
{
    (void)state;
    char *path = NULL;
    struct pair pair = open_held_pair(&path);
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost_run_options run = MODELHOST_RUN_OPTIONS_INIT;
    run.timeout_ms = 20;
    assert_int_equal(fickle_run(pair.model, &run, NULL, NULL, &err), MODEL_DEADLINE);
    assert_string_equal(err.message,
                        "deadline passed after 20 ms while backend 'torch' was being opened");
    pair.model->load.timeout_ms = 30; /* of calls that name none */
    assert_int_equal(fickle_run(pair.model, NULL, NULL, NULL, &err), MODEL_DEADLINE);
    assert_string_equal(err.message,
                        "deadline passed after 30 ms while backend 'torch' was being opened");
    pair.model->load.timeout_ms = 0;
    uv_thread_t opener;
    assert_int_equal(uv_thread_create(&opener, open_and_close, path), 0);
    float y = 0;
    assert_int_equal(fickle_run(pair.model, NULL, &y, NULL, NULL), MODEL_OK);
    assert_int_equal((int)y, TORCH);
    assert_int_equal(uv_thread_join(&opener), 0);
    close_pair(&pair);
    free(path);
}

static struct pair opening;
static char *opening_pipe;

static void end_the_opening(void)
{
    open_and_close(opening_pipe);
    while (model_route_next(opening.model) == NULL)
        (void)sched_yield();
}

static void a_backend_that_opens_while_the_others_refuse_serves(void **state)
{
    (void)state;
    opening = open_held_pair(&opening_pipe);
    while (!model_route_is_opening(opening.model))
        (void)sched_yield();
    fickle_meanwhile = end_the_opening; /* cpu is asked, torch was not there */
    float y = 0;
    assert_int_equal(fickle_run(opening.model, NULL, &y, NULL, NULL), MODEL_OK);
    assert_int_equal((int)y, TORCH);
    close_pair(&opening);
    free(opening_pipe);
}

static void close_on_own_thread(void *argument)
{
    close_pair(argument);
}

static void a_host_waits_for_what_it_opens(void **state)
{
    (void)state;
    char *path = NULL;
    struct pair pair = open_held_pair(&path);
    const int file = open(path, O_WRONLY); /* waits until it is being opened */
    assert_true(file >= 0);
    uv_thread_t closer;
    assert_int_equal(uv_thread_create(&closer, close_on_own_thread, &pair), 0);
    assert_int_equal(close(file), 0);
    assert_int_equal(uv_thread_join(&closer), 0);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_backend_serves_without_a_reason),
        cmocka_unit_test(a_failing_backend_hands_over_and_takes_back),
        cmocka_unit_test(the_callers_mistakes_do_not_count),
        cmocka_unit_test(deadlines_count_when_the_backend_ran),
        cmocka_unit_test(when_all_fail_the_call_is_refused_with_both_reasons),
        cmocka_unit_test(a_model_alone_with_stuck_lanes_is_not_ready_until_one_is_back),
        cmocka_unit_test(a_backend_that_does_not_open_is_passed_over_and_named),
        cmocka_unit_test(a_load_that_finds_no_backend_says_why_of_each),
        cmocka_unit_test(the_backend_that_is_asked_for_serves_alone),
        cmocka_unit_test(a_backend_of_another_task_does_not_stand_in),
        cmocka_unit_test(an_opening_that_failed_is_tried_again_after_a_minute),
        cmocka_unit_test(a_backend_with_stuck_lanes_hands_over),
        cmocka_unit_test(results_that_were_computed_before_do_not_count),
        cmocka_unit_test(a_session_stays_with_its_backend),
        cmocka_unit_test(calls_wait_for_the_next_backend),
        cmocka_unit_test(a_backend_that_opens_while_the_others_refuse_serves),
        cmocka_unit_test(a_host_waits_for_what_it_opens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
