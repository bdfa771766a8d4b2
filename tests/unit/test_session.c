/* Sessions, with the fixture plugin_sum: host/session.c and host/api_session.c. */
#include "echo_package.h"
#include "session.h"

struct sums {
    struct modelhost *host;
    struct modelhost_model *model;
    char *dir;
    struct model_error err;
};

static struct sums open_sums(const char *plugin, const char *config)
{
    struct sums sums = {.dir = make_package(plugin, config), .err.struct_size = sizeof sums.err};
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    options.store_dir = options.plugin_path = sums.dir;
    options.lanes = options.threads = 1;
    if (modelhost_create(&options, &sums.host, &sums.err) != MODEL_OK)
        fail_msg("%s", sums.err.message);
    return sums;
}

static void load(struct sums *sums)
{
    if (modelhost_load(sums->host, sums->dir, &sums->model, &sums->err) != MODEL_OK)
        fail_msg("%s", sums->err.message);
}

static void close_sums(struct sums *sums)
{
    modelhost_release(sums->model);
    modelhost_destroy(sums->host);
    remove_package(sums->dir);
}

/* Reads n numbers for each of `batch` items; the first sums in `ret`. */
static model_status read_numbers(struct sums *sums, struct modelhost_session *session,
                                 int64_t batch, int64_t n, int64_t *numbers, int64_t *ret)
{
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct model_tensor x = {.struct_size = sizeof x,
                             .name = "x",
                             .data = numbers,
                             .size_bytes = (uint64_t)(batch * n) * sizeof *numbers,
                             .dtype = MODEL_I64,
                             .rank = 2,
                             .shape = {batch, n},
                             .strides = {n, 1}};
    const struct model_tensor *inputs[] = {&x};
    struct modelhost_result *result = NULL;
    options.session = session;
    model_status status = modelhost_run(sums->model, inputs, 1, &options, &result, &sums->err);
    if (status == MODEL_OK)
        memcpy(ret, modelhost_result_at(result, 0)->data, (size_t)batch * sizeof *ret);
    modelhost_result_destroy(result);
    return status;
}

static void a_call_goes_on_where_the_last_of_its_session_stopped(void **state)
{
    (void)state;
    struct sums sums = open_sums("sum", "{\"model_type\": \"sum\"}");
    load(&sums);
    struct modelhost_session *a = NULL, *b = NULL;
    int64_t sum[1], first[] = {1, 2}, second[] = {10}, other[] = {7};
    assert_int_equal(modelhost_session_create(sums.model, &a, &sums.err), MODEL_OK);
    assert_int_equal(modelhost_session_create(sums.model, &b, &sums.err), MODEL_OK);
    assert_int_equal(read_numbers(&sums, a, 1, 2, first, sum), MODEL_OK);
    assert_int_equal(sum[0], 3);
    assert_int_equal(read_numbers(&sums, b, 1, 1, other, sum), MODEL_OK);
    assert_int_equal(sum[0], 7);
    assert_int_equal(read_numbers(&sums, NULL, 1, 1, second, sum), MODEL_OK);
    assert_int_equal(sum[0], 10);
    assert_int_equal(read_numbers(&sums, a, 1, 1, second, sum), MODEL_OK);
    assert_int_equal(sum[0], 13);
    modelhost_session_release(a);
    modelhost_session_release(b);
    close_sums(&sums);
}

static void items_of_a_batch_have_a_memory_each(void **state)
{
    (void)state;
    struct sums sums = open_sums("sum", "{\"model_type\": \"sum\"}");
    load(&sums);
    struct modelhost_session *session = NULL;
    int64_t sum[2], numbers[] = {1, 2, 30, 40};
    assert_int_equal(modelhost_session_create(sums.model, &session, &sums.err), MODEL_OK);
    assert_int_equal(read_numbers(&sums, session, 2, 2, numbers, sum), MODEL_OK);
    assert_int_equal(read_numbers(&sums, session, 2, 2, numbers, sum), MODEL_OK);
    assert_int_equal(sum[0], 6);
    assert_int_equal(sum[1], 140);
    assert_int_equal(read_numbers(&sums, session, 1, 2, numbers, sum), MODEL_INVALID_ARGUMENT);
    assert_string_equal(sums.err.message, "the session has a batch of 2, this call has 1");
    modelhost_session_release(session);
    close_sums(&sums);
}

static void a_batch_beyond_the_slots_is_refused(void **state)
{
    (void)state;
    struct sums sums = open_sums("sum", "{\"model_type\": \"sum\"}");
    load(&sums);
    struct modelhost_session *session = NULL;
    int64_t sum[5], numbers[] = {1, 2, 3, 4, 5};
    assert_int_equal(modelhost_session_create(sums.model, &session, &sums.err), MODEL_OK);
    assert_int_equal(read_numbers(&sums, session, 5, 1, numbers, sum), MODEL_INVALID_ARGUMENT);
    assert_string_equal(sums.err.message,
                        "a batch of 5 in a session, want 1 to 4 (the model's max_slots)");
    modelhost_session_release(session);
    close_sums(&sums);
}

static void generating_with_a_session_is_refused(void **state)
{
    (void)state;
    const int64_t ids[] = {1, 2};
    const struct modelhost_prompt prompt = {
        .struct_size = sizeof prompt, .token_ids = ids, .n_token_ids = 2};
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct modelhost_result *result = NULL;
    struct sums sums = open_sums("sum", "{\"model_type\": \"sum\"}");
    load(&sums);
    assert_int_equal(modelhost_session_create(sums.model, &options.session, &sums.err), MODEL_OK);
    assert_int_equal(modelhost_generate(sums.model, &prompt, 1, NULL, &options, &result, &sums.err),
                     MODEL_UNSUPPORTED);
    assert_string_equal(sums.err.message,
                        "generating takes no session: give the whole text each time; what was "
                        "read of it before is not read again");
    assert_null(result);
    modelhost_session_release(options.session);
    close_sums(&sums);
}

static void a_failed_call_leaves_the_session_as_it_was(void **state)
{
    (void)state;
    struct sums sums = open_sums("sum", "{\"model_type\": \"sum\"}");
    load(&sums);
    struct modelhost_session *session = NULL;
    int64_t sum[1], good[] = {5}, bad[] = {3, -1};
    assert_int_equal(modelhost_session_create(sums.model, &session, &sums.err), MODEL_OK);
    assert_int_equal(read_numbers(&sums, session, 1, 1, good, sum), MODEL_OK);
    assert_int_equal(read_numbers(&sums, session, 1, 2, bad, sum), MODEL_INVALID_ARGUMENT);
    assert_int_equal(read_numbers(&sums, session, 1, 1, good, sum), MODEL_OK);
    assert_int_equal(sum[0], 10);
    modelhost_session_release(session);
    close_sums(&sums);
}

static void a_failed_first_call_leaves_the_batch_open(void **state)
{
    (void)state;
    struct sums sums = open_sums("sum", "{\"model_type\": \"sum\"}");
    load(&sums);
    struct modelhost_session *session = NULL;
    int64_t sum[2], bad[] = {3, -1}, good[] = {5};
    assert_int_equal(modelhost_session_create(sums.model, &session, &sums.err), MODEL_OK);
    assert_int_equal(read_numbers(&sums, session, 2, 1, bad, sum), MODEL_INVALID_ARGUMENT);
    assert_int_equal(read_numbers(&sums, session, 1, 1, good, sum), MODEL_OK);
    assert_int_equal(sum[0], 5);
    modelhost_session_release(session);
    close_sums(&sums);
}

/* The plugin reads its input although the deadline has passed: the session is no longer what the caller was
 * told, and must not go on as if it were. */
static void a_call_that_is_given_up_too_late_ends_the_session(void **state)
{
    (void)state;
    struct sums sums = open_sums("sum", "{\"model_type\": \"sum\"}");
    load(&sums);
    struct modelhost_session *session = NULL;
    int64_t sum[1], good[] = {5}, late[] = {-2};
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct modelhost_result *result = NULL;
    struct model_tensor x = {.struct_size = sizeof x,
                             .name = "x",
                             .data = late,
                             .size_bytes = sizeof late,
                             .dtype = MODEL_I64,
                             .rank = 2,
                             .shape = {1, 1},
                             .strides = {1, 1}};
    const struct model_tensor *inputs[] = {&x};
    assert_int_equal(modelhost_session_create(sums.model, &session, &sums.err), MODEL_OK);
    assert_int_equal(read_numbers(&sums, session, 1, 1, good, sum), MODEL_OK);
    options.session = session;
    options.timeout_ms = 20;
    assert_int_equal(modelhost_run(sums.model, inputs, 1, &options, &result, &sums.err),
                     MODEL_DEADLINE);
    model_status status = MODEL_BUSY; /* until the plugin is back */
    while (status == MODEL_BUSY)
        status = read_numbers(&sums, session, 1, 1, good, sum);
    assert_int_equal(status, MODEL_INVALID_ARGUMENT);
    assert_string_equal(
        sums.err.message,
        "an earlier call of the session was given up (its deadline, or cancelled) when the model had "
        "read its input already: begin a new session");
    modelhost_session_release(session);
    close_sums(&sums);
}

static void a_new_session_knows_nothing_of_an_ended_one(void **state)
{
    (void)state;
    struct sums sums = open_sums("sum", "{\"model_type\": \"sum\"}");
    load(&sums);
    int64_t sum[1] = {0}, numbers[] = {5};
    for (int i = 0; i < 3; i++) {
        struct modelhost_session *session = NULL;
        assert_int_equal(modelhost_session_create(sums.model, &session, &sums.err), MODEL_OK);
        assert_int_equal(read_numbers(&sums, session, 1, 1, numbers, sum), MODEL_OK);
        assert_int_equal(sum[0], 5);
        modelhost_session_release(session);
    }
    close_sums(&sums);
}

static void a_session_of_another_model_is_refused(void **state)
{
    (void)state;
    struct sums sums = open_sums("sum", "{\"model_type\": \"sum\"}");
    load(&sums);
    struct modelhost_model *first = sums.model;
    struct modelhost_session *session = NULL;
    int64_t sum[1], numbers[] = {5};
    assert_int_equal(modelhost_session_create(first, &session, &sums.err), MODEL_OK);
    load(&sums);
    assert_int_equal(read_numbers(&sums, session, 1, 1, numbers, sum), MODEL_INVALID_ARGUMENT);
    assert_string_equal(sums.err.message, "the session is of another model");
    modelhost_session_release(session);
    modelhost_release(first);
    close_sums(&sums);
}

static void one_call_at_a_time_has_the_session(void **state)
{
    (void)state;
    struct sums sums = open_sums("sum", "{\"model_type\": \"sum\"}");
    load(&sums);
    struct modelhost_session *session = NULL;
    struct hosted_instance *instance = NULL;
    assert_int_equal(modelhost_session_create(sums.model, &session, &sums.err), MODEL_OK);
    assert_int_equal(session_begin(session, 1, &instance, &sums.err), MODEL_OK);
    int64_t sum[1], numbers[] = {5};
    assert_int_equal(read_numbers(&sums, session, 1, 1, numbers, sum), MODEL_BUSY);
    assert_string_equal(sums.err.message,
                        "another call uses the session; wait for its end, or use a session each");
    session_end(session, SESSION_UNCHANGED);
    assert_int_equal(read_numbers(&sums, session, 1, 1, numbers, sum), MODEL_OK);
    modelhost_session_release(session);
    close_sums(&sums);
}

static void a_model_without_memory_has_no_sessions(void **state)
{
    (void)state;
    struct echo echo = echo_open("{\"model_type\": \"echo\"}", 0);
    struct model_error err = {.struct_size = sizeof err};
    struct modelhost_session *session = NULL;
    assert_int_equal(modelhost_session_create(echo.model, &session, &err), MODEL_UNSUPPORTED);
    assert_string_equal(err.message,
                        "this Echo remembers nothing between calls: run it without a session");
    assert_null(session);
    echo_close(&echo);
}

static void slots_without_keep_are_refused_at_the_load(void **state)
{
    (void)state;
    struct sums sums = open_sums("sum", "{\"model_type\": \"sum\", \"no_keep\": true}");
    assert_int_equal(modelhost_load(sums.host, sums.dir, &sums.model, &sums.err),
                     MODEL_ABI_MISMATCH);
    assert_non_null(
        strstr(sums.err.message, "plugin: max_slots is 4, but the instance has no keep()"));
    close_sums(&sums);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_goes_on_where_the_last_of_its_session_stopped),
        cmocka_unit_test(items_of_a_batch_have_a_memory_each),
        cmocka_unit_test(a_batch_beyond_the_slots_is_refused),
        cmocka_unit_test(generating_with_a_session_is_refused),
        cmocka_unit_test(a_failed_call_leaves_the_session_as_it_was),
        cmocka_unit_test(a_failed_first_call_leaves_the_batch_open),
        cmocka_unit_test(a_call_that_is_given_up_too_late_ends_the_session),
        cmocka_unit_test(a_new_session_knows_nothing_of_an_ended_one),
        cmocka_unit_test(a_session_of_another_model_is_refused),
        cmocka_unit_test(one_call_at_a_time_has_the_session),
        cmocka_unit_test(a_model_without_memory_has_no_sessions),
        cmocka_unit_test(slots_without_keep_are_refused_at_the_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
