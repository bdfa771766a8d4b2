/* test_accelerator_start.c - a package's first backend that is opened while the next one serves, through the public
 * functions: backends that wait in create_model() until they are told to go on. Covers
 * host/routing/route_describing.c too. */
#include "accelerator_start.h"
#include "fickle_package.h"
#include "loaded_model.h"
#include "route_opening.h"

#include <errno.h>
#include <sys/wait.h>
#include <uv.h>

enum { CPU = 1, TORCH = 2 }; /* the answers by which backends are known; torch is the accelerator */

static const char still_loading[] = "backend 'torch' is still being loaded";

struct swap {
    struct modelhost *host;
    struct modelhost_model *model;
    char *dir, *pipe;
    struct modelhost_load_options options;
    _Atomic int n_refusals; /* log lines that say so */
};

static void count_refusals(void *context, int32_t level, const char *message)
{
    struct swap *swap = context;
    if (level == MODEL_LOG_WARN && strstr(message, "'cpu' goes on serving") != NULL)
        (void)atomic_fetch_add(&swap->n_refusals, 1);
}

/* The package and a host; what torch is behind its pipe is in its fields. */
static void open_host(struct swap *swap, int32_t isolation, const char *cpu_fields,
                      const char *torch_fields, struct modelhost_options *host_options)
{
    swap->dir = scratch_dir();
    swap->pipe = make_pipe(swap->dir);
    char *fields = text_format(",\"create_pipe\":\"%s\"%s", swap->pipe, torch_fields);
    add_backend(swap->dir, "cpu", CPU, cpu_fields);
    add_backend(swap->dir, "torch", TORCH, fields);
    free(fields);
    host_options->log = count_refusals;
    host_options->log_context = swap;
    swap->host = fickle_host(swap->dir, host_options);
    swap->options = (struct modelhost_load_options)MODELHOST_LOAD_OPTIONS_INIT;
    swap->options.backend = "torch,cpu";
    swap->options.isolation = isolation;
    swap->options.accelerator_start = MODELHOST_ACCELERATOR_BACKGROUND;
}

static void open_swap(struct swap *swap, int32_t isolation, const char *torch_fields)
{
    struct modelhost_options host_options = MODELHOST_OPTIONS_INIT;
    open_host(swap, isolation, "", torch_fields, &host_options);
    swap->model = fickle_load(swap->host, swap->dir, &swap->options);
}

static void close_swap(struct swap *swap)
{
    modelhost_release(swap->model);
    modelhost_destroy(swap->host);
    free(swap->pipe);
    remove_package(swap->dir);
}

static enum accelerator_state state_of(const struct swap *swap)
{
    return accelerator_start_state(swap->model->route->accelerator);
}

/* Lets torch go on, until it is ready or refused. */
static enum accelerator_state go_on(struct swap *swap)
{
    open_and_close(swap->pipe);
    while (state_of(swap) == ACCELERATOR_LOADING)
        continue;
    return state_of(swap);
}

static int64_t count(const struct swap *swap, enum metric metric, uint32_t value)
{
    return metrics_number(
        metrics_series(swap->host->metrics.metrics, loaded_model_name(swap->model), "torch"),
        metric, value);
}

/* ---- it becomes ready */

static void calls_go_to_the_accelerator_from_when_it_is_ready(void **state)
{
    (void)state;
    static const int32_t isolations[] = {MODELHOST_INPROC, MODELHOST_WORKER};
    for (size_t i = 0; i < 2; i++) {
        struct swap swap = {.n_refusals = 0};
        open_swap(&swap, isolations[i], "");
        assert_served_by(swap.model, CPU, "cpu", still_loading);
        assert_int_equal(modelhost_model_ready(swap.model, NULL), 1);
        assert_non_null(strstr(modelhost_describe(swap.model), "\"backend\":\t\"cpu\""));
        assert_non_null(strstr(modelhost_describe(swap.model), "\"state\":\t\"loading\""));
        assert_int_equal(count(&swap, METRIC_FALLBACKS, FALLBACK_LOADING), 1);
        assert_int_equal(go_on(&swap), ACCELERATOR_READY);
        assert_served_by(swap.model, TORCH, "torch", NULL);
        assert_non_null(strstr(modelhost_describe(swap.model), "\"state\":\t\"ready\""));
        assert_int_equal(count(&swap, METRIC_FALLBACKS, FALLBACK_LOADING), 1);
        while (count(&swap, METRIC_ACCELERATOR_STARTS, LOAD_OK) == 0) /* told a moment later */
            continue;
        assert_int_equal(swap.n_refusals, 0);
        close_swap(&swap);
    }
}

static void a_session_stays_where_it_began(void **state)
{
    (void)state;
    struct swap swap = {.n_refusals = 0};
    struct modelhost_run_options run = MODELHOST_RUN_OPTIONS_INIT;
    struct modelhost_session *before = NULL, *behind = NULL;
    struct modelhost_result *result = NULL;
    float y = 0;
    open_swap(&swap, MODELHOST_INPROC, "");
    assert_int_equal(modelhost_session_create(swap.model, &before, NULL), MODEL_OK);
    assert_int_equal(go_on(&swap), ACCELERATOR_READY);
    assert_int_equal(modelhost_session_create(swap.model, &behind, NULL), MODEL_OK);
    run.session = before;
    assert_int_equal(fickle_run(swap.model, &run, &y, &result, NULL), MODEL_OK);
    assert_int_equal((int)y, CPU);
    assert_string_equal(modelhost_result_fallback_reason(result),
                        "the session began on backend 'cpu'");
    modelhost_result_destroy(result);
    run.session = behind;
    assert_int_equal(fickle_run(swap.model, &run, &y, &result, NULL), MODEL_OK);
    assert_int_equal((int)y, TORCH);
    assert_null(modelhost_result_fallback_reason(result));
    modelhost_result_destroy(result);
    modelhost_session_release(before);
    modelhost_session_release(behind);
    close_swap(&swap);
}

static void the_one_that_served_meanwhile_stands_in_for_it(void **state)
{
    (void)state;
    struct swap swap = {.n_refusals = 0};
    open_swap(&swap, MODELHOST_INPROC, "");
    assert_int_equal(go_on(&swap), ACCELERATOR_READY);
    command(swap.dir, "torch", "f");
    fail_times(swap.model, 20, MODEL_INTERNAL);
    assert_served_by(swap.model, CPU, "cpu",
                     "backend 'torch' takes no calls (20 of 20 calls failed; the last failure: "
                     "plugin 'fickle' 1.0.0: fickle: told to fail); it is tried again in 5.0 s");
    assert_int_equal(count(&swap, METRIC_FALLBACKS, FALLBACK_BREAKER), 1);
    command(swap.dir, "torch", "");
    pass_ms(5000);
    assert_served_by(swap.model, TORCH, "torch", NULL);
    assert_null(model_route_next(swap.model)); /* and no third one was opened */
    assert_null(model_route_next(accelerator_start_model(swap.model->route->accelerator)));
    close_swap(&swap);
}

static void a_model_of_the_cache_goes_on_loading(void **state)
{
    (void)state;
    struct swap swap = {.n_refusals = 0};
    struct modelhost_options host_options = MODELHOST_OPTIONS_INIT;
    host_options.cache_items = 1;
    open_host(&swap, MODELHOST_WORKER, "", "", &host_options);
    modelhost_release(fickle_load(swap.host, swap.dir, &swap.options));
    swap.model = fickle_load(swap.host, swap.dir, &swap.options);
    assert_served_by(swap.model, CPU, "cpu", still_loading);
    assert_int_equal(go_on(&swap), ACCELERATOR_READY);
    assert_served_by(swap.model, TORCH, "torch", NULL);
    close_swap(&swap);
}

/* ---- it does not */

static void assert_refused(const char *torch_fields, const char *why)
{
    struct swap swap = {.n_refusals = 0};
    open_swap(&swap, MODELHOST_WORKER, torch_fields);
    assert_served_by(swap.model, CPU, "cpu", still_loading);
    assert_int_equal(go_on(&swap), ACCELERATOR_REFUSED);
    while (swap.n_refusals == 0)
        continue;
    for (int i = 0; i < 3; i++) {
        struct modelhost_result *result = NULL;
        assert_int_equal(fickle_run(swap.model, NULL, NULL, &result, NULL), MODEL_OK);
        assert_string_equal(modelhost_result_backend(result), "cpu");
        const char *said = modelhost_result_fallback_reason(result);
        assert_ptr_equal(strstr(said, "'torch' did not open: "), said);
        if (strstr(said, why) == NULL)
            fail_msg("%s", said);
        modelhost_result_destroy(result);
    }
    assert_non_null(strstr(modelhost_describe(swap.model), "\"state\":\t\"refused\""));
    assert_non_null(strstr(modelhost_describe(swap.model), "\"refused_backends\":\t{\n"));
    assert_int_equal(count(&swap, METRIC_FALLBACKS, FALLBACK_LOAD), 3);
    assert_int_equal(count(&swap, METRIC_ACCELERATOR_STARTS, LOAD_ERROR), 1);
    assert_int_equal(swap.n_refusals, 1);
    close_swap(&swap);
}

static void one_that_fails_to_open_is_told_once_and_passed_over(void **state)
{
    (void)state;
    assert_refused(",\"create_fails\":true", "fickle: told not to open");
}

static void one_that_crashes_while_it_opens_takes_nothing_along(void **state)
{
    (void)state;
    assert_refused(",\"create_crash\":true", "plugin aborted in create_model");
}

static void one_with_another_description_is_refused(void **state)
{
    (void)state;
    assert_refused(",\"task\":\"fill-mask\"", "its task is fill-mask, want none");
}

/* ---- nobody wants it any more */

static bool has_children(void)
{
    siginfo_t info;
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

/* Of the worker that opens torch, which waits until this is closed. */
static int take_pipe(const struct swap *swap)
{
    const int file = open(swap->pipe, O_WRONLY);
    assert_true(file >= 0);
    return file;
}

static void a_model_that_is_released_meanwhile_leaves_nothing(void **state)
{
    (void)state;
    for (int has_begun = 0; has_begun < 2; has_begun++) {
        struct swap swap = {.n_refusals = 0};
        open_swap(&swap, MODELHOST_WORKER, "");
        const int file = has_begun ? take_pipe(&swap) : -1;
        modelhost_release(swap.model);
        swap.model = NULL;
        while (has_children()) /* cpu's process goes, too */
            continue;
        if (file >= 0)
            assert_int_equal(close(file), 0);
        assert_int_equal(swap.n_refusals, 0);
        close_swap(&swap);
    }
}

static void a_host_that_ends_meanwhile_does_not_wait(void **state)
{
    (void)state;
    for (int has_begun = 0; has_begun < 2; has_begun++) {
        struct swap swap = {.n_refusals = 0};
        open_swap(&swap, MODELHOST_WORKER, "");
        const int file = has_begun ? take_pipe(&swap) : -1;
        modelhost_destroy(swap.host);
        swap.host = NULL;
        assert_int_equal(state_of(&swap), ACCELERATOR_REFUSED); /* as far as that goes */
        if (file >= 0)
            assert_int_equal(close(file), 0);
        assert_int_equal(swap.n_refusals, 0);
        close_swap(&swap);
        while (has_children())
            continue;
    }
}

static void close_on_own_thread(void *argument)
{
    close_swap(argument);
}

/* In this process nothing can stop a plugin. */
static void a_host_waits_for_one_in_its_own_process(void **state)
{
    (void)state;
    struct swap swap = {.n_refusals = 0};
    uv_thread_t closer;
    open_swap(&swap, MODELHOST_INPROC, "");
    const int file = take_pipe(&swap);
    assert_int_equal(uv_thread_create(&closer, close_on_own_thread, &swap), 0);
    assert_int_equal(close(file), 0);
    assert_int_equal(uv_thread_join(&closer), 0);
    assert_int_equal(swap.n_refusals, 0);
}

/* ---- which loads wait */

static struct modelhost_model *load_letting_go_on(struct swap *swap)
{
    uv_thread_t opener;
    assert_int_equal(uv_thread_create(&opener, open_and_close, swap->pipe), 0);
    struct modelhost_model *model = fickle_load(swap->host, swap->dir, &swap->options);
    assert_int_equal(uv_thread_join(&opener), 0);
    return model;
}

static void a_load_waits_where_that_is_asked_for_or_nothing_else_is_said(void **state)
{
    (void)state;
    static const int32_t starts[] = {MODELHOST_ACCELERATOR_WAIT, MODELHOST_ACCELERATOR_DEFAULT};
    for (size_t i = 0; i < 2; i++) {
        struct swap swap = {.n_refusals = 0};
        struct modelhost_options host_options = MODELHOST_OPTIONS_INIT;
        open_host(&swap, MODELHOST_INPROC, "", "", &host_options);
        swap.options.accelerator_start = starts[i];
        swap.model = load_letting_go_on(&swap);
        assert_served_by(swap.model, TORCH, "torch", NULL);
        assert_null(strstr(modelhost_describe(swap.model), "\"accelerator\""));
        close_swap(&swap);
    }
}

static void a_load_waits_where_no_other_backend_opens(void **state)
{
    (void)state;
    struct swap swap = {.n_refusals = 0};
    struct modelhost_options host_options = MODELHOST_OPTIONS_INIT;
    open_host(&swap, MODELHOST_INPROC, ",\"create_fails\":true", "", &host_options);
    swap.model = load_letting_go_on(&swap);
    assert_served_by(swap.model, TORCH, "torch", NULL);
    close_swap(&swap);
}

static void a_load_that_finds_no_backend_says_why_of_each(void **state)
{
    (void)state;
    struct swap swap = {.n_refusals = 0};
    struct modelhost_options host_options = MODELHOST_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    uv_thread_t opener;
    open_host(&swap, MODELHOST_INPROC, ",\"create_fails\":true", ",\"create_fails\":true",
              &host_options);
    assert_int_equal(uv_thread_create(&opener, open_and_close, swap.pipe), 0);
    assert_int_equal(modelhost_load_with(swap.host, swap.dir, &swap.options, &swap.model, &err),
                     MODEL_INTERNAL);
    assert_int_equal(uv_thread_join(&opener), 0);
    assert_non_null(strstr(err.message, "opens: 'torch' did not open: "));
    assert_non_null(strstr(err.message, "; 'cpu' did not open: "));
    close_swap(&swap);
}

/* As plugins of an older ABI do. */
static void one_that_does_not_hear_which_device_is_wanted_is_refused(void **state)
{
    (void)state;
    struct swap swap = {.n_refusals = 0};
    struct modelhost_options host_options = MODELHOST_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    open_host(&swap, MODELHOST_INPROC, ",\"device\":\"npu\"", "", &host_options);
    swap.options.backend = "cpu:cpu";
    assert_int_equal(modelhost_load_with(swap.host, swap.dir, &swap.options, &swap.model, &err),
                     MODEL_UNSUPPORTED);
    assert_non_null(strstr(err.message, "it computes on device npu, cpu was asked for"));
    swap.options.backend = "cpu";
    assert_int_equal(modelhost_load_with(swap.host, swap.dir, &swap.options, &swap.model, &err),
                     MODEL_OK);
    close_swap(&swap);
}

static void a_backend_alone_is_waited_for(void **state)
{
    (void)state;
    struct swap swap = {.n_refusals = 0};
    struct modelhost_options host_options = MODELHOST_OPTIONS_INIT;
    open_host(&swap, MODELHOST_INPROC, "", "", &host_options);
    swap.options.backend = "torch";
    swap.model = load_letting_go_on(&swap);
    assert_served_by(swap.model, TORCH, "torch", NULL);
    close_swap(&swap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_go_to_the_accelerator_from_when_it_is_ready),
        cmocka_unit_test(a_session_stays_where_it_began),
        cmocka_unit_test(the_one_that_served_meanwhile_stands_in_for_it),
        cmocka_unit_test(a_model_of_the_cache_goes_on_loading),
        cmocka_unit_test(one_that_fails_to_open_is_told_once_and_passed_over),
        cmocka_unit_test(one_that_crashes_while_it_opens_takes_nothing_along),
        cmocka_unit_test(one_with_another_description_is_refused),
        cmocka_unit_test(a_model_that_is_released_meanwhile_leaves_nothing),
        cmocka_unit_test(a_host_that_ends_meanwhile_does_not_wait),
        cmocka_unit_test(a_host_waits_for_one_in_its_own_process),
        cmocka_unit_test(a_load_waits_where_that_is_asked_for_or_nothing_else_is_said),
        cmocka_unit_test(a_load_waits_where_no_other_backend_opens),
        cmocka_unit_test(a_load_that_finds_no_backend_says_why_of_each),
        cmocka_unit_test(one_that_does_not_hear_which_device_is_wanted_is_refused),
        cmocka_unit_test(a_backend_alone_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
