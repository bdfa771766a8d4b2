/* test_api_run.c - running requests through a host: answers, errors, deadlines, cancelling. Covers
 * host/request.c, host/scheduler.c, host/scheduler_loop.c and host/execute.c. The fixture
 * plugin spins until it is told to stop, so that no test depends on how fast anything is. */
#include "api_request.h"
#include "dtype.h"
#include "echo_package.h"
#include "errors.h"

#include <stdatomic.h>
#include <uv.h>

static float values[3] = {1.0f, 2.0f, 3.0f};

static struct model_tensor make_x(int64_t n)
{
    struct model_tensor x;
    tensor_init(&x, "x", MODEL_F32, 1, &n, values);
    return x;
}

/* Collects answers; waits for a number of them. */
struct collector {
    uv_sem_t answers;
    _Atomic int n_answers;
    model_status statuses[64];
    char messages[64][128];
};

static void collect(void *user, model_status status, struct modelhost_result *result,
                    const struct model_error *err)
{
    struct collector *collector = user;
    int i = atomic_fetch_add(&collector->n_answers, 1);
    if (i < 64) {
        collector->statuses[i] = status;
        memcpy(collector->messages[i], err->message, sizeof collector->messages[i] - 1);
    }
    assert_true((status == MODEL_OK) == (result != NULL));
    modelhost_result_destroy(result);
    uv_sem_post(&collector->answers);
}

static struct modelhost_request *start(struct echo *echo, struct collector *collector,
                                       int64_t timeout_ms)
{
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct modelhost_request *request = NULL;
    struct model_tensor x = make_x(3);
    const struct model_tensor *inputs[] = {&x};
    struct model_error err = MODEL_ERROR_INIT;
    options.timeout_ms = timeout_ms;
    if (modelhost_run_async(echo->model, inputs, 1, &options, collect, collector, &request, &err) !=
        MODEL_OK)
        fail_msg("%s", err.message);
    return request;
}

static void run_gives_what_the_plugin_wrote(void **state)
{
    (void)state;
    struct echo echo = echo_open("{}", 0);
    struct model_tensor x = make_x(3);
    const struct model_tensor *inputs[] = {&x};
    struct modelhost_result *result = NULL;
    assert_int_equal(modelhost_run(echo.model, inputs, 1, NULL, &result, NULL), MODEL_OK);
    assert_int_equal(modelhost_result_count(result), 1);
    const struct model_tensor *y = modelhost_result_find(result, "y");
    assert_int_equal(y->shape[0], 3);
    assert_memory_equal(y->data, values, sizeof values);
    assert_null(modelhost_result_find(result, "z"));
    assert_null(modelhost_result_at(result, 1));
    assert_string_equal(modelhost_result_json(result), "[]");
    assert_true(modelhost_result_timing(result).total_ns >= modelhost_result_timing(result).run_ns);
    modelhost_result_destroy(result);
    echo_close(&echo);
}

static void assert_refused(struct echo *echo, const struct model_tensor *input, model_status wanted,
                           const char *sentence)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost_result *result = NULL;
    const struct model_tensor *inputs[] = {input};
    assert_int_equal(modelhost_run(echo->model, inputs, input != NULL ? 1 : 0, NULL, &result, &err),
                     wanted);
    assert_string_equal(err.message, sentence);
    assert_null(result);
}

static void wrong_inputs_are_refused_with_the_reason(void **state)
{
    (void)state;
    struct echo echo = echo_open("{}", 0);
    struct model_tensor x = make_x(3);
    assert_refused(&echo, NULL, MODEL_INVALID_ARGUMENT, "the input 'x' (F32, rank 1) is missing");
    x.dtype = MODEL_I32;
    assert_refused(&echo, &x, MODEL_INVALID_ARGUMENT, "'x': dtype I32, want F32");
    x = make_x(3);
    x.rank = 2;
    x.shape[1] = x.strides[1] = 1;
    assert_refused(&echo, &x, MODEL_INVALID_ARGUMENT, "'x': rank 2, want 1");
    x = make_x(3);
    x.shape[0] = -1;
    assert_refused(&echo, &x, MODEL_INVALID_ARGUMENT,
                   "'x': dimension 0 (n) is -1, want at least 0");
    x = make_x(3);
    x.shape[0] = INT64_MAX;
    assert_refused(&echo, &x, MODEL_INVALID_ARGUMENT, "'x': its shape overflows");
    x = make_x(3);
    x.name = "input";
    assert_refused(&echo, &x, MODEL_INVALID_ARGUMENT,
                   "the model has no input 'input'; its first is 'x'");
    echo_close(&echo);
}

static void an_unknown_output_is_refused_by_name(void **state)
{
    (void)state;
    struct echo echo = echo_open("{}", 0);
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    const char *names[] = {"logits"};
    struct model_error err = MODEL_ERROR_INIT;
    struct model_tensor x = make_x(3);
    const struct model_tensor *inputs[] = {&x};
    struct modelhost_result *result = NULL;
    options.output_names = names;
    options.n_output_names = 1;
    assert_int_equal(modelhost_run(echo.model, inputs, 1, &options, &result, &err),
                     MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "the model has no output 'logits'; it has y");
    echo_close(&echo);
}

static void a_failing_plugin_is_an_error_of_its_request_alone(void **state)
{
    (void)state;
    struct echo echo = echo_open("{\"echo_mode\":\"fail\"}", 0);
    struct model_tensor x = make_x(3);
    for (int i = 0; i < 3; i++)
        assert_refused(&echo, &x, MODEL_INTERNAL,
                       "plugin 'echo' 1.0.0: echo: told to fail by echo_mode");
    echo_close(&echo);
}

static void a_running_request_is_answered_at_its_deadline(void **state)
{
    (void)state;
    struct echo echo = echo_open("{\"echo_mode\":\"spin\"}", 0);
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    struct model_tensor x = make_x(3);
    const struct model_tensor *inputs[] = {&x};
    struct modelhost_result *result = NULL;
    options.timeout_ms = 20;
    assert_int_equal(modelhost_run(echo.model, inputs, 1, &options, &result, &err), MODEL_DEADLINE);
    assert_non_null(strstr(err.message, "deadline passed after"));
    assert_null(result);
    echo_close(&echo);
}

static void a_plugin_that_ignores_its_token_does_not_hold_the_answer(void **state)
{
    (void)state;
    /* The plugin is busy for a second; an answer that waited for it would say so by its own status. */
    struct echo echo = echo_open("{\"echo_mode\":\"ignore_cancel\",\"spin_ms\":1000}", 0);
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    struct model_tensor x = make_x(3);
    const struct model_tensor *inputs[] = {&x};
    struct modelhost_result *result = NULL;
    options.timeout_ms = 20;
    assert_int_equal(modelhost_run(echo.model, inputs, 1, &options, &result, &err), MODEL_DEADLINE);
    echo_close(&echo);
}

static void a_waiting_request_expires_while_the_lane_is_busy(void **state)
{
    (void)state;
    struct echo echo = echo_open("{\"echo_mode\":\"spin\"}", 0);
    struct collector collector = {.n_answers = 0};
    assert_int_equal(uv_sem_init(&collector.answers, 0), 0);
    struct modelhost_request *running = start(&echo, &collector, 0);
    struct modelhost_request *waiting = start(&echo, &collector, 20);
    uv_sem_wait(&collector.answers);
    assert_int_equal(collector.statuses[0], MODEL_DEADLINE);
    modelhost_cancel(running);
    uv_sem_wait(&collector.answers);
    assert_int_equal(collector.statuses[1], MODEL_CANCELLED);
    assert_string_equal(collector.messages[1], "the request was cancelled");
    modelhost_request_release(running);
    modelhost_request_release(waiting);
    echo_close(&echo);
    assert_int_equal(atomic_load(&collector.n_answers), 2);
    uv_sem_destroy(&collector.answers);
}

static void each_request_gets_exactly_one_answer(void **state)
{
    (void)state;
    struct echo echo = echo_open("{}", 0);
    struct collector collector = {.n_answers = 0};
    assert_int_equal(uv_sem_init(&collector.answers, 0), 0);
    enum { N = 500 };
    struct modelhost_request *requests[N];
    for (int i = 0; i < N; i++) {
        requests[i] = start(&echo, &collector, i % 3 == 0 ? 1 : 0);
        if (i % 5 == 0)
            modelhost_cancel(requests[i]);
    }
    for (int i = 0; i < N; i++)
        uv_sem_wait(&collector.answers);
    for (int i = 0; i < N; i++) {
        modelhost_cancel(requests[i]); /* too late: must change nothing */
        modelhost_request_release(requests[i]);
    }
    echo_close(&echo);
    assert_int_equal(atomic_load(&collector.n_answers), N);
    uv_sem_destroy(&collector.answers);
}

static void a_full_queue_refuses_at_once(void **state)
{
    (void)state;
    struct echo echo = echo_open("{\"echo_mode\":\"spin\"}", 1);
    struct collector collector = {.n_answers = 0};
    struct model_error err = MODEL_ERROR_INIT;
    struct model_tensor x = make_x(3);
    const struct model_tensor *inputs[] = {&x};
    assert_int_equal(uv_sem_init(&collector.answers, 0), 0);
    int accepted = 0;
    model_status status = MODEL_OK;
    while (status == MODEL_OK) { /* one runs, or is about to; one waits */
        status = modelhost_run_async(echo.model, inputs, 1, NULL, collect, &collector, NULL, &err);
        accepted += status == MODEL_OK;
    }
    assert_int_equal(status, MODEL_BUSY);
    assert_string_equal(err.message, "1 requests wait already (max_queue 1); try again later");
    assert_true(accepted == 1 || accepted == 2);
    modelhost_release(echo.model);
    modelhost_destroy(echo.host); /* answers all of them */
    assert_int_equal(atomic_load(&collector.n_answers), accepted);
    for (int i = 0; i < accepted; i++)
        assert_int_equal(collector.statuses[i], MODEL_CANCELLED);
    remove_package(echo.dir);
    uv_sem_destroy(&collector.answers);
}

/* Holds the host's loop until the test lets go. */
struct hold {
    uv_sem_t held, let_go;
};

static void hold_loop(void *user, model_status status, struct modelhost_result *result,
                      const struct model_error *err)
{
    struct hold *hold = user;
    (void)err;
    assert_int_equal(status, MODEL_OK);
    modelhost_result_destroy(result);
    uv_sem_post(&hold->held);
    uv_sem_wait(&hold->let_go);
}

static void an_answer_behind_its_deadline_is_none_though_the_timer_is_late(void **state)
{
    (void)state;
    struct echo echo = echo_open("{\"echo_mode\":\"ignore_cancel\",\"spin_ms\":100}", 0);
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    struct model_tensor x = make_x(3);
    const struct model_tensor *inputs[] = {&x};
    struct modelhost_result *result = NULL;
    struct hold hold;
    assert_int_equal(uv_sem_init(&hold.held, 0) | uv_sem_init(&hold.let_go, 0), 0);
    assert_int_equal(modelhost_run_async(echo.model, inputs, 1, NULL, hold_loop, &hold, NULL, NULL),
                     MODEL_OK);
    uv_sem_wait(&hold.held);
    options.timeout_ms = 20; /* the plugin takes 100; no timer can fire meanwhile */
    assert_int_equal(modelhost_run(echo.model, inputs, 1, &options, &result, &err), MODEL_DEADLINE);
    assert_non_null(strstr(err.message, "while the request was running"));
    assert_null(result);
    uv_sem_post(&hold.let_go);
    echo_close(&echo);
    uv_sem_destroy(&hold.held);
    uv_sem_destroy(&hold.let_go);
}

static void note_thread(void *user, model_status status, struct modelhost_result *result,
                        const struct model_error *err)
{
    (void)err;
    assert_int_equal(status, MODEL_OK);
    *(uv_thread_t *)user = uv_thread_self();
    modelhost_result_destroy(result);
}

static void an_answer_comes_on_the_callers_loop(void **state)
{
    (void)state;
    struct echo echo = echo_open("{}", 0);
    uv_loop_t loop;
    uv_thread_t answered_on, self = uv_thread_self();
    assert_int_equal(uv_loop_init(&loop), 0);
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct model_tensor x = make_x(3);
    const struct model_tensor *inputs[] = {&x};
    options.loop = &loop;
    assert_int_equal(
        modelhost_run_async(echo.model, inputs, 1, &options, note_thread, &answered_on, NULL, NULL),
        MODEL_OK);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_true(uv_thread_equal(&answered_on, &self));
    assert_int_equal(uv_loop_close(&loop), 0);
    echo_close(&echo);
}

static void texts_need_a_model_that_takes_ids(void **state)
{
    (void)state;
    struct echo echo = echo_open("{}", 0);
    struct modelhost_text text = {sizeof text, "hello", 5, NULL, 0};
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost_result *result = NULL;
    assert_int_equal(modelhost_run_text(echo.model, &text, 1, NULL, &result, &err),
                     MODEL_UNSUPPORTED);
    assert_string_equal(
        err.message,
        "this model takes no text: it has no input 'input_ids' of I64 and rank 2; give "
        "it tensors (--inputs)");
    echo_close(&echo);
}

static void what_a_caller_gets_wrong_is_an_error_and_no_crash(void **state)
{
    (void)state;
    struct echo echo = echo_open("{}", 0);
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost_result *result = NULL;
    struct model_tensor x = make_x(3);
    const struct model_tensor *inputs[] = {&x}, *none[] = {NULL};
    for (int timed = 0; timed < 2; timed++) {
        options.timeout_ms = timed ? 10000 : 0;
        assert_int_equal(modelhost_run(echo.model, NULL, 1, &options, &result, &err),
                         MODEL_INVALID_ARGUMENT);
        assert_int_equal(modelhost_run(echo.model, none, 1, &options, &result, &err),
                         MODEL_INVALID_ARGUMENT);
        x.size_bytes = UINT64_MAX;
        assert_int_equal(modelhost_run(echo.model, inputs, 1, &options, &result, &err),
                         MODEL_INVALID_ARGUMENT);
        x = make_x(3);
        x.struct_size = 8;
        assert_int_equal(modelhost_run(echo.model, inputs, 1, &options, &result, &err),
                         MODEL_INVALID_ARGUMENT);
        x = make_x(3);
    }
    assert_int_equal(modelhost_run_async(echo.model, inputs, 1, NULL, NULL, NULL, NULL, &err),
                     MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "an asynchronous call wants a callback");
    const char *twice[] = {"y", "y"};
    options.output_names = twice;
    options.n_output_names = 2;
    assert_int_equal(modelhost_run(echo.model, inputs, 1, &options, &result, &err),
                     MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "the output 'y' is named twice");
    modelhost_cancel(NULL);
    echo_close(&echo);
}

static void options_cut_short_are_refused(void **state)
{
    (void)state;
    struct echo echo = echo_open("{}", 0);
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost_result *result = NULL;
    options.struct_size = 16;
    assert_int_equal(modelhost_run(echo.model, NULL, 0, &options, &result, &err),
                     MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "struct_size is 16"));
    echo_close(&echo);
}

static void an_older_programs_options_are_copied_within_their_size(void **state)
{
    (void)state;
    const size_t size_bytes = offsetof(struct modelhost_run_options, session);
    struct modelhost_run_options now = MODELHOST_RUN_OPTIONS_INIT, copy;
    void *older = malloc(size_bytes); /* exact, for the sanitizer */
    now.struct_size = size_bytes;
    now.top_k = 7;
    memcpy(older, &now, size_bytes);
    api_copy_options(older, &copy);
    assert_int_equal(copy.top_k, 7);
    assert_null(copy.session);
    assert_null(copy.on_tensors);
    assert_int_equal(copy.struct_size, sizeof copy);
    free(older);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(run_gives_what_the_plugin_wrote),
        cmocka_unit_test(wrong_inputs_are_refused_with_the_reason),
        cmocka_unit_test(an_unknown_output_is_refused_by_name),
        cmocka_unit_test(a_failing_plugin_is_an_error_of_its_request_alone),
        cmocka_unit_test(a_running_request_is_answered_at_its_deadline),
        cmocka_unit_test(a_plugin_that_ignores_its_token_does_not_hold_the_answer),
        cmocka_unit_test(an_answer_behind_its_deadline_is_none_though_the_timer_is_late),
        cmocka_unit_test(a_waiting_request_expires_while_the_lane_is_busy),
        cmocka_unit_test(each_request_gets_exactly_one_answer),
        cmocka_unit_test(a_full_queue_refuses_at_once),
        cmocka_unit_test(an_answer_comes_on_the_callers_loop),
        cmocka_unit_test(texts_need_a_model_that_takes_ids),
        cmocka_unit_test(what_a_caller_gets_wrong_is_an_error_and_no_crash),
        cmocka_unit_test(an_older_programs_options_are_copied_within_their_size),
        cmocka_unit_test(options_cut_short_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
