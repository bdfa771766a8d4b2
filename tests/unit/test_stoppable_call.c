/* test_stoppable_call.c - calls that would never end, of the fixture plugin_echo, and what ends them. Covers
 * host/measure/stoppable_call.c and that host/measure/model_bench.c uses it. */
#include "stoppable_call.h"
#include "dtype.h"
#include "echo_package.h"
#include "errors.h"
#include "model_bench.h"

static const char endless[] = "{\"echo_mode\": \"spin\"}";

/* No to so many questions, then yes. */
static bool counts_down(void *context)
{
    int *left = context;
    return (*left)-- <= 0;
}

static model_status run(const char *config, int n_looks, struct modelhost_result **ret,
                        struct model_error *err)
{
    const int64_t shape[] = {2};
    float x[] = {3, 4};
    struct model_tensor tensor;
    const struct model_tensor *inputs[] = {&tensor};
    const struct stop_question stop = {counts_down, &n_looks};
    struct echo echo = echo_open_plugin("echo", config, 0);
    tensor_init(&tensor, "x", MODEL_F32, 1, shape, x);
    model_status status = stoppable_run(echo.model, inputs, 1, NULL, &stop, ret, err);
    echo_close(&echo);
    return status;
}

static void a_call_that_is_not_stopped_has_its_answer(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost_result *result = NULL;
    assert_int_equal(run("{}", 1000000, &result, &err), MODEL_OK);
    const struct model_tensor *y = modelhost_result_find(result, "y");
    assert_float_equal(((const float *)y->data)[1], 4, 0);
    assert_string_equal(err.message, "");
    modelhost_result_destroy(result);
}

static void a_call_ends_while_the_plugin_runs(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost_result *result = NULL;
    assert_int_equal(run(endless, 2, &result, &err), MODEL_CANCELLED);
    assert_string_equal(err.message, "interrupted");
    assert_null(result);
}

static void a_call_does_not_begin_when_it_is_stopped_before(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost_result *result = NULL;
    assert_int_equal(run("{}", 0, &result, &err), MODEL_CANCELLED);
    assert_null(result);
}

static void a_failure_is_told_in_the_plugins_words(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost_result *result = NULL;
    assert_int_equal(run("{\"echo_mode\": \"fail\"}", 1000000, &result, &err), MODEL_INTERNAL);
    assert_non_null(strstr(err.message, "echo"));
}

static void a_bench_ends_within_a_call(void **state)
{
    (void)state;
    int n_looks = 3;
    const struct bench_options options = {
        .batch = 1, .tokens = 4, .n_runs = 1, .interrupted = counts_down, .context = &n_looks};
    struct bench_result result;
    struct model_error err = MODEL_ERROR_INIT;
    struct echo echo = echo_open_plugin("echo", endless, 0);
    assert_int_equal(model_bench_run(echo.model, &options, &result, &err), MODEL_CANCELLED);
    assert_string_equal(err.message, "interrupted");
    bench_result_finish(&result);
    echo_close(&echo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_that_is_not_stopped_has_its_answer),
        cmocka_unit_test(a_call_ends_while_the_plugin_runs),
        cmocka_unit_test(a_call_does_not_begin_when_it_is_stopped_before),
        cmocka_unit_test(a_failure_is_told_in_the_plugins_words),
        cmocka_unit_test(a_bench_ends_within_a_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
