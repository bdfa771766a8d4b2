/* test_model_bench.c - which calls the bench makes of a model that generates, and what it refuses, with the fixture
 * plugin_reader. How long anything takes is nobody's business here. */
#include "model_bench.h"
#include "reader_package.h"

static const char config[] = "{\"model_type\": \"reader\", \"breaks\": 100000}";

/* The plugin's runs in one call that generates 30 tokens behind 20. */
static uint32_t runs_of(int32_t speculation, struct bench_result *ret)
{
    struct modelhost_load_options load = MODELHOST_LOAD_OPTIONS_INIT;
    const struct bench_options options = {
        .batch = 1, .tokens = 20, .n_new_tokens = 30, .n_runs = 1};
    struct reader r;
    load.speculation = speculation;
    reader_open(&r, config, &load);
    if (model_bench_run(r.model, &options, ret, &r.err) != MODEL_OK)
        fail_msg("%s", r.err.message);
    const uint32_t n_runs = r.n_runs;
    reader_close(&r);
    bench_result_finish(ret);
    return n_runs;
}

static void a_step_is_a_token(void **state)
{
    (void)state;
    struct bench_result result;
    assert_int_equal(runs_of(MODELHOST_SPECULATION_DEFAULT, &result), 1 + 29);
    assert_int_equal(result.new_tokens, 30);
    assert_int_equal(runs_of(MODELHOST_SPECULATION_OFF, &result), 1 + 29);
}

static void tokens_are_guessed_where_that_is_asked_for(void **state)
{
    (void)state;
    struct bench_result result;
    assert_in_range(runs_of(MODELHOST_SPECULATION_PROMPT, &result), 2, 25);
    assert_int_equal(result.new_tokens, 30);
}

static void without_a_warm_up_the_first_call_is_timed(void **state)
{
    (void)state;
    struct bench_result result;
    (void)runs_of(MODELHOST_SPECULATION_OFF, &result);
    assert_true(result.first_ns > 0);
}

static void more_prompts_than_a_call_may_have_are_refused(void **state)
{
    (void)state;
    static const char *const configs[] = {config,
                                          "{\"model_type\": \"reader\", \"rows_name\": \"rows\"}"};
    for (size_t i = 0; i < 2; i++) {
        const struct bench_options options = {.batch = i == 0 ? 1025 : 1,
                                              .tokens = i == 0 ? 20 : 1025,
                                              .n_new_tokens = 2,
                                              .n_runs = 1};
        struct bench_result result;
        struct reader r;
        reader_open(&r, configs[i], NULL);
        assert_int_equal(model_bench_run(r.model, &options, &result, &r.err),
                         MODEL_INVALID_ARGUMENT);
        assert_non_null(strstr(r.err.message, i == 0
                                                  ? "1025 prompts of 20 tokens, want 1 to 1024"
                                                  : "1025 prompts of 500 tokens, want 1 to 1024"));
        bench_result_finish(&result);
        reader_close(&r);
    }
}

/* The last new token is told and not read. */
static void more_tokens_than_the_context_has_are_refused(void **state)
{
    (void)state;
    static const struct {
        int64_t tokens, n_new;
        const char *sentence; /* NULL: it fits */
    } rows[] = {
        {499, 2, NULL},
        {499, 3,
         "3 new tokens do not fit behind 499 in the model's context of 500; want --tokens of at "
         "most 498, or fewer --new-tokens"},
        {1, 500, NULL},
        {9999, 4,
         "4 new tokens do not fit behind 500 in the model's context of 500; want --tokens of at "
         "most 497, or fewer --new-tokens"},
        {1, 501,
         "501 new tokens do not fit into the model's context of 500; want --new-tokens of at most "
         "500, behind a prompt of 1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct bench_options options = {
            .batch = 1, .tokens = rows[i].tokens, .n_new_tokens = rows[i].n_new, .n_runs = 1};
        struct bench_result result;
        struct reader r;
        reader_open(&r, config, NULL);
        const model_status status = model_bench_run(r.model, &options, &result, &r.err);
        assert_string_equal(r.err.message, rows[i].sentence != NULL ? rows[i].sentence : "");
        assert_int_equal(status, rows[i].sentence != NULL ? MODEL_INVALID_ARGUMENT : MODEL_OK);
        assert_int_equal(result.new_tokens, status == MODEL_OK ? rows[i].n_new : 0);
        bench_result_finish(&result);
        reader_close(&r);
    }
}

/* It was -1 prompts. */
static void rows_are_prompts_whatever_their_dimension_is_called(void **state)
{
    (void)state;
    const struct bench_options options = {.batch = 1, .tokens = 12, .n_new_tokens = 5, .n_runs = 2};
    struct bench_result result;
    struct reader r;
    reader_open(&r, "{\"model_type\": \"reader\", \"rows_name\": \"rows\"}", NULL);
    assert_int_equal(model_bench_run(r.model, &options, &result, &r.err), MODEL_OK);
    assert_int_equal(result.batch, 12);
    assert_int_equal(result.tokens, 12);
    assert_int_equal(result.new_tokens, 2 * 12 * 5);
    assert_int_equal(result.steps.n, 2 * (5 - 1));
    bench_result_finish(&result);
    reader_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_is_a_token),
        cmocka_unit_test(tokens_are_guessed_where_that_is_asked_for),
        cmocka_unit_test(without_a_warm_up_the_first_call_is_timed),
        cmocka_unit_test(more_prompts_than_a_call_may_have_are_refused),
        cmocka_unit_test(more_tokens_than_the_context_has_are_refused),
        cmocka_unit_test(rows_are_prompts_whatever_their_dimension_is_called),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
