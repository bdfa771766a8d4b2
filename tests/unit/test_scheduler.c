/* test_scheduler.c - many callers at once, and how a scheduler begins. Covers host/scheduler_life.c;
 * tests/unit/test_api_run.c has deadlines and cancelling, tests/unit/test_lane.c stuck lanes. */
#include "dtype.h"
#include "echo_package.h"
#include "errors.h"

#include <uv.h>

enum { N_CALLERS = 8, N_CALLS = 200 };

struct caller {
    struct modelhost_model *model;
    int number, n_right;
};

static void ignore_answer(void *user, model_status status, struct modelhost_result *result,
                          const struct model_error *err)
{
    (void)status, (void)err;
    modelhost_result_destroy(result);
    uv_sem_post(user);
}

/* Calls of all kinds in turn; each answer must be the call's own. */
static void call_often(void *argument)
{
    struct caller *caller = argument;
    uv_sem_t answers;
    (void)uv_sem_init(&answers, 0);
    for (int i = 0; i < N_CALLS; i++) {
        struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
        struct modelhost_result *result = NULL;
        struct modelhost_request *request = NULL;
        struct model_tensor x;
        float value = (float)(caller->number * N_CALLS + i);
        const int64_t n = 1;
        tensor_init(&x, "x", MODEL_F32, 1, &n, &value);
        const struct model_tensor *inputs[] = {&x};
        options.direct = i % 4 == 0;
        options.timeout_ms = i % 3 == 0 ? 3600000 : 0;
        options.priority = i % 5;
        if (modelhost_run(caller->model, inputs, 1, &options, &result, NULL) == MODEL_OK)
            caller->n_right += *(float *)modelhost_result_at(result, 0)->data == value;
        modelhost_result_destroy(result);
        options.direct = 0;
        if (modelhost_run_async(caller->model, inputs, 1, &options, ignore_answer, &answers,
                                &request, NULL) == MODEL_OK) {
            modelhost_cancel(request);
            modelhost_request_release(request);
            uv_sem_wait(&answers);
        }
    }
    uv_sem_destroy(&answers);
}

static void callers_at_once_get_their_own_answers(void **state)
{
    (void)state;
    struct echo echo = echo_open("{}", 0);
    struct caller callers[N_CALLERS];
    uv_thread_t threads[N_CALLERS];
    for (int i = 0; i < N_CALLERS; i++) {
        callers[i] = (struct caller){echo.model, i, 0};
        assert_int_equal(uv_thread_create(&threads[i], call_often, &callers[i]), 0);
    }
    for (int i = 0; i < N_CALLERS; i++) {
        assert_int_equal(uv_thread_join(&threads[i]), 0);
        assert_int_equal(callers[i].n_right, N_CALLS);
    }
    echo_close(&echo);
}

static void an_odd_grace_is_refused(void **state)
{
    (void)state;
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct modelhost *host = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    options.store_dir = options.plugin_path = "/nowhere";
    options.abandon_grace_ms = -1;
    assert_int_equal(modelhost_create(&options, &host, &err), MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "abandon_grace_ms is -1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(callers_at_once_get_their_own_answers),
        cmocka_unit_test(an_odd_grace_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
