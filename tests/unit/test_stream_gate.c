/* test_stream_gate.c - what a plugin emits reaches the caller before the answer, and never behind it. The
 * fixture is tests/abi/plugin_stream.c. */
#include "dtype.h"
#include "echo_package.h"
#include "errors.h"

#include <semaphore.h>

struct heard {
    float numbers[8];
    uint32_t n;
    struct modelhost_request **cancels; /* is cancelled when something is heard; NULL: not */
};

static void hear(void *context, const struct model_tensor *const *tensors, uint32_t n_tensors)
{
    struct heard *heard = context;
    assert_int_equal(n_tensors, 1);
    assert_string_equal(tensors[0]->name, "y");
    heard->numbers[heard->n++] = *(const float *)tensors[0]->data;
    if (heard->cancels != NULL)
        modelhost_cancel(*heard->cancels);
}

static struct modelhost_run_options streaming(struct heard *heard)
{
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    options.on_tensors = hear;
    options.on_tensors_context = heard;
    return options;
}

/* Runs three numbers; returns the first of the answer. */
static float run_numbers(struct modelhost_model *model, float first,
                         const struct modelhost_run_options *options)
{
    float numbers[] = {first, 2, 3};
    const int64_t shape[] = {3};
    struct model_tensor x;
    tensor_init(&x, "x", MODEL_F32, 1, shape, numbers);
    const struct model_tensor *inputs[] = {&x};
    struct modelhost_result *result = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    if (modelhost_run(model, inputs, 1, options, &result, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    const float *answer = modelhost_result_at(result, 0)->data;
    assert_true(answer[1] == 2 && answer[2] == 3);
    const float answered = answer[0];
    modelhost_result_destroy(result);
    return answered;
}

static void each_piece_is_heard_in_order_and_the_answer_is_whole(void **state)
{
    (void)state;
    struct echo stream = echo_open_plugin("stream", "{}", 0);
    struct heard heard = {.n = 0};
    const struct modelhost_run_options options = streaming(&heard);
    assert_true(run_numbers(stream.model, 1, &options) == 1);
    assert_int_equal(heard.n, 3);
    assert_true(heard.numbers[0] == 1 && heard.numbers[1] == 2 && heard.numbers[2] == 3);
    assert_true(run_numbers(stream.model, 1, NULL) == 1);
    assert_int_equal(heard.n, 3);
    echo_close(&stream);
}

static void what_is_emitted_behind_run_reaches_nobody(void **state)
{
    (void)state;
    struct echo stream = echo_open_plugin("stream", "{}", 0);
    struct heard heard = {.n = 0};
    const struct modelhost_run_options options = streaming(&heard);
    (void)run_numbers(stream.model, 1, &options);
    assert_int_equal((int)run_numbers(stream.model, -2, NULL), MODEL_CANCELLED);
    assert_int_equal(heard.n, 3);
    /* nor the next request, which streams */
    struct heard next = {.n = 0};
    const struct modelhost_run_options others = streaming(&next);
    assert_int_equal((int)run_numbers(stream.model, -2, &others), MODEL_CANCELLED);
    assert_int_equal(heard.n + next.n, 3);
    echo_close(&stream);
}

/* The sentence with which a run of one number fails. */
static void assert_fails(float first, const char *sentence)
{
    struct echo stream = echo_open_plugin("stream", "{}", 0);
    struct heard heard = {.n = 0};
    const struct modelhost_run_options options = streaming(&heard);
    struct modelhost_result *result = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    struct model_tensor x;
    tensor_init(&x, "x", MODEL_F32, 1, (const int64_t[]){1}, &first);
    const struct model_tensor *inputs[] = {&x};
    assert_int_equal(modelhost_run(stream.model, inputs, 1, &options, &result, &err),
                     MODEL_INTERNAL);
    assert_string_equal(err.message, sentence);
    assert_int_equal(heard.n, 0);
    echo_close(&stream);
}

static void a_tensor_that_is_no_output_fails_the_run_though_the_plugin_overlooks_it(void **state)
{
    (void)state;
    assert_fails(-1, "plugin 'stream' 1.0.0: emit(): a tensor without the name of an output");
}

static void a_refusal_that_the_plugin_passes_on_has_the_hosts_sentence(void **state)
{
    (void)state;
    assert_fails(-3, "plugin 'stream' 1.0.0: emit(): a tensor without the name of an output");
}

struct answer {
    sem_t came, may_start;
    model_status status;
};

static void note_answer(void *user, model_status status, struct modelhost_result *result,
                        const struct model_error *err)
{
    struct answer *answer = user;
    (void)err;
    answer->status = status;
    modelhost_result_destroy(result);
    (void)sem_post(&answer->came);
}

static struct answer *gate_of_start;

static void hear_when_told(void *context, const struct model_tensor *const *tensors,
                           uint32_t n_tensors)
{
    (void)sem_wait(&gate_of_start->may_start); /* the request is known by then */
    (void)sem_post(&gate_of_start->may_start);
    hear(context, tensors, n_tensors);
}

static void a_cancelled_request_hears_nothing_more(void **state)
{
    (void)state;
    struct echo stream = echo_open_plugin("stream", "{}", 0);
    struct modelhost_request *request = NULL;
    struct heard heard = {.cancels = &request};
    struct modelhost_run_options options = streaming(&heard);
    struct answer answer;
    float numbers[] = {1, 2, 3};
    const int64_t shape[] = {3};
    struct model_tensor x;
    tensor_init(&x, "x", MODEL_F32, 1, shape, numbers);
    const struct model_tensor *inputs[] = {&x};
    assert_int_equal(sem_init(&answer.came, 0, 0), 0);
    assert_int_equal(sem_init(&answer.may_start, 0, 0), 0);
    gate_of_start = &answer;
    options.on_tensors = hear_when_told;
    assert_int_equal(modelhost_run_async(stream.model, inputs, 1, &options, note_answer, &answer,
                                         &request, NULL),
                     MODEL_OK);
    (void)sem_post(&answer.may_start);
    (void)sem_wait(&answer.came);
    assert_int_equal(answer.status, MODEL_CANCELLED);
    modelhost_request_release(request);
    echo_close(&stream);
    assert_int_equal(heard.n, 1);
    (void)sem_destroy(&answer.came);
    (void)sem_destroy(&answer.may_start);
}

static void a_model_that_does_not_stream_says_so(void **state)
{
    (void)state;
    struct echo echo = echo_open_plugin("echo", "{}", 0);
    struct heard heard = {.n = 0};
    const struct modelhost_run_options options = streaming(&heard);
    struct modelhost_result *result = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    float number = 1;
    struct model_tensor x;
    tensor_init(&x, "x", MODEL_F32, 1, (const int64_t[]){1}, &number);
    const struct model_tensor *inputs[] = {&x};
    assert_int_equal(modelhost_run(echo.model, inputs, 1, &options, &result, &err),
                     MODEL_UNSUPPORTED);
    assert_string_equal(err.message,
                        "the model emits nothing before its answer (MODEL_CAN_STREAM); "
                        "leave on_tensors NULL");
    const struct modelhost_text text = {sizeof text, "a", 1, NULL, 0};
    assert_int_equal(modelhost_run_text(echo.model, &text, 1, &options, &result, &err),
                     MODEL_UNSUPPORTED);
    assert_non_null(strstr(err.message, "on_tensors is for modelhost_run()"));
    echo_close(&echo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_piece_is_heard_in_order_and_the_answer_is_whole),
        cmocka_unit_test(what_is_emitted_behind_run_reaches_nobody),
        cmocka_unit_test(a_tensor_that_is_no_output_fails_the_run_though_the_plugin_overlooks_it),
        cmocka_unit_test(a_refusal_that_the_plugin_passes_on_has_the_hosts_sentence),
        cmocka_unit_test(a_cancelled_request_hears_nothing_more),
        cmocka_unit_test(a_model_that_does_not_stream_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
