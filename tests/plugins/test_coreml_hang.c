/* test_coreml_hang.c - predictions that take long or for ever: a bridge gives them up when it is told to, the plugin
 * (plugins/coreml-ane/bridged.c) stays with them, and a host ends the process of one that does not end in time, and no other. */
#include "coreml_subject.h"
#include "coreml_bridge.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#define LONG_MS  600000 /* nothing here takes so long */
#define MAX_TEXT 65536

/* ---- the bridge itself */

struct prediction {
    struct coreml_handle *handle;
    struct model_cancel cancel;
    model_status status;
    char *text;
};

static void *predict(void *context)
{
    struct prediction *prediction = context;
    const struct model_call call = {.struct_size = sizeof call, .cancel = &prediction->cancel};
    prediction->status = coreml_predict(prediction->handle, &call, NULL, &prediction->text);
    return NULL;
}

static void a_bridge_gives_up_what_hangs_when_the_token_is_raised(void **state)
{
    (void)state;
    static const model_status why[] = {MODEL_DEADLINE, MODEL_CANCELLED};
    struct subject s = open_subject("coreml", ONLY_COREML);
    char *path = path_join(s.backend, "model.mlmodel");
    struct prediction prediction = {.text = NULL};
    assert_int_equal(coreml_load_model(path, NULL, &prediction.handle, NULL), MODEL_OK);
    tell(s.dir, "hang");
    for (size_t i = 0; i < sizeof why / sizeof *why; i++) {
        uint32_t raised = 0;
        pthread_t thread;
        prediction.cancel = (struct model_cancel){sizeof prediction.cancel, &raised, INT64_MAX};
        assert_int_equal(pthread_create(&thread, NULL, predict, &prediction), 0);
        __atomic_store_n(&raised, (uint32_t)why[i], __ATOMIC_RELEASE);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(prediction.status, why[i]);
        assert_string_equal(prediction.text, "given up");
        coreml_free_string(prediction.text);
    }
    coreml_free_model(prediction.handle);
    free(path);
    close_subject(&s);
}

static void a_call_that_nobody_waits_for_is_not_begun(void **state)
{
    (void)state;
    float y[2];
    struct subject s = open_subject("coreml", ONLY_COREML);
    assert_int_equal(harness_load(s.h), MODEL_OK);
    assert_int_equal(s.h->model->description->cancel_grain, MODEL_CANCEL_NONE);
    tell(s.dir, "crash");
    s.h->cancelled = MODEL_CANCELLED;
    assert_int_equal(run(s.h, y, true), MODEL_CANCELLED);
    tell(s.dir, "");
    s.h->cancelled = 0;
    assert_answers(s.h, MOCK_ADDS);
    close_subject(&s);
}

/* ---- in a host */

static struct {
    pthread_mutex_t mutex;
    char text[MAX_TEXT];
    size_t n;
} logged = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void keep_line(void *context, int32_t level, const char *message)
{
    (void)context, (void)level;
    (void)pthread_mutex_lock(&logged.mutex);
    const size_t room = sizeof logged.text - logged.n;
    const int n = snprintf(logged.text + logged.n, room, "%s\n", message);
    logged.n += (size_t)n < room ? (size_t)n : room - 1;
    (void)pthread_mutex_unlock(&logged.mutex);
}

static bool is_logged(const char *words)
{
    (void)pthread_mutex_lock(&logged.mutex);
    const bool is_there = strstr(logged.text, words) != NULL;
    (void)pthread_mutex_unlock(&logged.mutex);
    return is_there;
}

/* A new package with a pipe, on one lane. */
static struct hosted open_with_grace(const char *backends, int64_t kill_grace_ms)
{
    struct hosted hosted = create_hosted(scratch_dir(), keep_line);
    struct modelhost_load_options load = MODELHOST_LOAD_OPTIONS_INIT;
    char *pipe = path_join(hosted.dir, "pipe");
    add_backend(hosted.dir, "coreml", ONLY_COREML);
    add_backend(hosted.dir, "cpu", EITHER);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    free(pipe);
    logged.n = 0;
    logged.text[0] = '\0';
    load.backend = backends;
    load.accelerator_start = MODELHOST_ACCELERATOR_WAIT;
    load.kill_grace_ms = kill_grace_ms;
    load_package(&hosted, &load);
    return hosted;
}

static long pid_of(const struct hosted *hosted)
{
    static const char key[] = "\"worker_pids\":\t[";
    const char *pids = strstr(modelhost_describe(hosted->model), key);
    assert_non_null(pids);
    return strtol(pids + sizeof key - 1, NULL, 10);
}

/* One that nobody hurries. */
static void assert_hosted_answers(const struct hosted *hosted, int wanted)
{
    struct model_error err = MODEL_ERROR_INIT;
    int added = -1;
    if (ask(hosted->model, 0, &added, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(added, wanted);
}

struct answer {
    struct modelhost_request *request;
    pthread_mutex_t mutex;
    pthread_cond_t came;
    bool is_there;
    model_status status;
    char message[MODEL_ERROR_BYTES];
};

static void take_answer(void *user, model_status status, struct modelhost_result *result,
                        const struct model_error *err)
{
    struct answer *answer = user;
    modelhost_result_destroy(result);
    (void)pthread_mutex_lock(&answer->mutex);
    answer->is_there = true;
    answer->status = status;
    (void)snprintf(answer->message, sizeof answer->message, "%s", err->message);
    (void)pthread_cond_signal(&answer->came);
    (void)pthread_mutex_unlock(&answer->mutex);
}

static void begin(const struct hosted *hosted, struct answer *answer)
{
    float x[2] = {1, 2};
    const int64_t shape = 2;
    struct model_tensor in;
    tensor_init(&in, "x", MODEL_F32, 1, &shape, x);
    const struct model_tensor *inputs[] = {&in};
    *answer = (struct answer){.mutex = PTHREAD_MUTEX_INITIALIZER, .came = PTHREAD_COND_INITIALIZER};
    assert_int_equal(modelhost_run_async(hosted->model, inputs, 1, NULL, take_answer, answer,
                                         &answer->request, NULL),
                     MODEL_OK);
}

static void assert_ends(struct answer *answer, model_status status)
{
    (void)pthread_mutex_lock(&answer->mutex);
    while (!answer->is_there)
        (void)pthread_cond_wait(&answer->came, &answer->mutex);
    (void)pthread_mutex_unlock(&answer->mutex);
    if (answer->status != status)
        fail_msg("%s", answer->message);
    modelhost_request_release(answer->request);
}

/* Returns when a slow prediction has begun; it ends when this is closed. */
static int take_pipe(const struct hosted *hosted)
{
    char *path = path_join(hosted->dir, "pipe");
    const int pipe = open(path, O_WRONLY);
    assert_true(pipe >= 0);
    free(path);
    return pipe;
}

/* A client leaves a prediction, which goes on until the returned pipe is closed; those that come later are quick. */
static int leave_one(const struct hosted *hosted)
{
    struct answer answer;
    tell(hosted->dir, "slow");
    begin(hosted, &answer);
    const int pipe = take_pipe(hosted);
    tell(hosted->dir, "");
    modelhost_cancel(answer.request);
    assert_ends(&answer, MODEL_CANCELLED);
    return pipe;
}

/* The first one may reach its deadline before it has begun, on a machine that is busy. */
static void a_hang_ends_its_process_and_the_next_one_answers(void **state)
{
    (void)state;
    static const char sentence[] = "did not come back from run within 50 ms of its deadline";
    struct hosted hosted = open_with_grace("coreml", 50);
    const long before = pid_of(&hosted);
    for (int i = 0; i < 5 && !is_logged(sentence); i++) {
        struct model_error err = MODEL_ERROR_INIT;
        int added = -1;
        tell(hosted.dir, "hang");
        assert_int_equal(ask(hosted.model, 1000, &added, &err), MODEL_DEADLINE);
        tell(hosted.dir, "");
        assert_hosted_answers(&hosted, MOCK_ADDS);
    }
    assert_true(is_logged(sentence));
    assert_int_not_equal(pid_of(&hosted), before);
    close_hosted(&hosted);
}

/* Any number of them. */
static void what_a_client_left_ends_its_process_behind_the_grace(void **state)
{
    (void)state;
    struct hosted hosted = open_with_grace("coreml", 50);
    for (int i = 0; i < 6; i++) {
        const long before = pid_of(&hosted);
        const int pipe = leave_one(&hosted);
        assert_hosted_answers(&hosted, MOCK_ADDS);
        assert_int_not_equal(pid_of(&hosted), before);
        assert_int_equal(close(pipe), 0);
    }
    assert_true(is_logged("did not come back from run within 50 ms of being cancelled"));
    close_hosted(&hosted);
}

static void core_ml_has_more_grace_than_others_unless_the_options_say(void **state)
{
    (void)state;
    struct hosted hosted = open_with_grace("coreml", 0);
    const int pipe = leave_one(&hosted);
    assert_hosted_answers(&hosted, MOCK_ADDS);
    assert_true(is_logged("did not come back from run within 250 ms of being cancelled"));
    assert_int_equal(close(pipe), 0);
    close_hosted(&hosted);
}

static void what_ends_within_the_grace_costs_no_process(void **state)
{
    (void)state;
    struct hosted hosted = open_with_grace("coreml", LONG_MS);
    const long before = pid_of(&hosted);
    for (int i = 0; i < 6; i++) {
        const int pipe = leave_one(&hosted);
        assert_int_equal(close(pipe), 0);
        assert_hosted_answers(&hosted, MOCK_ADDS);
    }
    assert_int_equal(pid_of(&hosted), before);
    assert_false(is_logged("did not come back"));
    close_hosted(&hosted);
}

/* Some of them the lane has taken and asked for ahead, when it knows that calls are short. */
static void calls_that_wait_behind_a_hang_are_answered_by_the_next_process(void **state)
{
    (void)state;
    struct hosted hosted = open_with_grace("coreml", 50);
    struct answer answers[8];
    const size_t n = sizeof answers / sizeof *answers;
    for (int i = 0; i < 100; i++)
        assert_hosted_answers(&hosted, MOCK_ADDS);
    const long before = pid_of(&hosted);
    tell(hosted.dir, "slow");
    for (size_t i = 0; i < n; i++)
        begin(&hosted, &answers[i]);
    const int pipe = take_pipe(&hosted);
    tell(hosted.dir, "");
    modelhost_cancel(answers[0].request);
    for (size_t i = 0; i < n; i++)
        assert_ends(&answers[i], i == 0 ? MODEL_CANCELLED : MODEL_OK);
    assert_int_not_equal(pid_of(&hosted), before);
    assert_int_equal(close(pipe), 0);
    close_hosted(&hosted);
}

/* Who leaves says nothing of a backend, unless three processes before had no answer either. */
static void clients_that_leave_one_hang_after_the_other_find_the_next_backend(void **state)
{
    (void)state;
    struct hosted hosted = open_with_grace("coreml,cpu", 50);
    int pipes[4];
    for (int i = 0; i < 4; i++) {
        const long before = pid_of(&hosted);
        pipes[i] = leave_one(&hosted);
        while (pid_of(&hosted) == before) /* it has the pipe */
            continue;
    }
    assert_hosted_answers(&hosted, 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(close(pipes[i]), 0);
    close_hosted(&hosted);
}

/* Who leaves says nothing of a backend that answers others. */
static void clients_that_leave_do_not_break_a_package(void **state)
{
    (void)state;
    struct hosted hosted = open_with_grace("coreml,cpu", 50);
    for (int i = 0; i < 6; i++) {
        const int pipe = leave_one(&hosted);
        assert_hosted_answers(&hosted, MOCK_ADDS);
        assert_int_equal(close(pipe), 0);
    }
    close_hosted(&hosted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bridge_gives_up_what_hangs_when_the_token_is_raised),
        cmocka_unit_test(a_call_that_nobody_waits_for_is_not_begun),
        cmocka_unit_test(a_hang_ends_its_process_and_the_next_one_answers),
        cmocka_unit_test(what_a_client_left_ends_its_process_behind_the_grace),
        cmocka_unit_test(core_ml_has_more_grace_than_others_unless_the_options_say),
        cmocka_unit_test(what_ends_within_the_grace_costs_no_process),
        cmocka_unit_test(calls_that_wait_behind_a_hang_are_answered_by_the_next_process),
        cmocka_unit_test(clients_that_leave_one_hang_after_the_other_find_the_next_backend),
        cmocka_unit_test(clients_that_leave_do_not_break_a_package),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
