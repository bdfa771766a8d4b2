/* test_reaper.c - models freed in the background: nobody waits for a plugin's destroy() but the end of the
 * host. The fixture's destroy() waits for a file that the test makes, so nothing depends on time. Covers
 * host/loaded_model.c too. */
#include "reaper.h"
#include "dtype.h"
#include "echo_package.h"
#include "errors.h"

#include <stdatomic.h>
#include <uv.h>

static float values[3] = {1.0f, 2.0f, 3.0f};

/* A model whose destroy() waits for `gate`, and leaves `done` at its end. */
struct gated {
    struct echo echo;
    char *scratch, *gate, *done;
};

static struct gated open_gated(void)
{
    struct gated gated = {.scratch = scratch_dir()};
    gated.gate = path_join(gated.scratch, "gate");
    gated.done = text_format("%s.done", gated.gate);
    char *config = text_format("{\"destroy_wait_path\":\"%s\"}", gated.gate);
    gated.echo = echo_open(config, 0);
    free(config);
    return gated;
}

/* The gate opens; the host's end waits for destroy(). */
static void close_gated(struct gated *gated)
{
    assert_int_equal(access(gated->done, F_OK), -1); /* nobody has waited for it */
    write_file(gated->gate, "", 0);
    modelhost_destroy(gated->echo.host);
    assert_int_equal(access(gated->done, F_OK), 0);
    remove_package(gated->echo.dir);
    remove_package(gated->scratch);
    free(gated->gate);
    free(gated->done);
}

static void releasing_a_model_does_not_wait_for_its_plugin(void **state)
{
    (void)state;
    struct gated gated = open_gated();
    modelhost_release(gated.echo.model);
    close_gated(&gated);
}

struct answer {
    struct modelhost_model *model; /* released by the callback */
    uv_sem_t came;
};

static void release_in_callback(void *user, model_status status, struct modelhost_result *result,
                                const struct model_error *err)
{
    struct answer *answer = user;
    (void)err;
    assert_int_equal(status, MODEL_OK);
    modelhost_result_destroy(result);
    modelhost_release(answer->model);
    uv_sem_post(&answer->came);
}

static void start(struct gated *gated, struct answer *answer, uv_loop_t *loop)
{
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    struct model_tensor x;
    int64_t n = 3;
    tensor_init(&x, "x", MODEL_F32, 1, &n, values);
    const struct model_tensor *inputs[] = {&x};
    options.loop = loop;
    answer->model = gated->echo.model;
    assert_int_equal(uv_sem_init(&answer->came, 0), 0);
    if (modelhost_run_async(gated->echo.model, inputs, 1, &options, release_in_callback, answer,
                            NULL, &err) != MODEL_OK)
        fail_msg("%s", err.message);
}

static void a_model_released_in_its_callback_does_not_stop_the_deadlines_of_others(void **state)
{
    (void)state;
    struct gated gated = open_gated();
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct modelhost_model *spinning = NULL;
    struct modelhost_result *result = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    struct answer answer;
    struct model_tensor x;
    int64_t n = 3;
    char *dir = make_package("echo", "{\"echo_mode\":\"spin\"}");
    tensor_init(&x, "x", MODEL_F32, 1, &n, values);
    const struct model_tensor *inputs[] = {&x};
    assert_int_equal(modelhost_load(gated.echo.host, dir, &spinning, &err), MODEL_OK);
    start(&gated, &answer, NULL);
    uv_sem_wait(&answer.came);
    options.timeout_ms = 20; /* the loop that calls back keeps the time */
    assert_int_equal(modelhost_run(spinning, inputs, 1, &options, &result, &err), MODEL_DEADLINE);
    modelhost_release(spinning);
    close_gated(&gated);
    remove_package(dir);
    uv_sem_destroy(&answer.came);
}

static void a_model_released_in_its_callback_does_not_stop_the_callers_loop(void **state)
{
    (void)state;
    struct gated gated = open_gated();
    struct answer answer;
    uv_loop_t loop;
    assert_int_equal(uv_loop_init(&loop), 0);
    start(&gated, &answer, &loop);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&loop), 0);
    close_gated(&gated);
    uv_sem_destroy(&answer.came);
}

/* ---- a model that outlives its host */

static void count_lines(void *context, int32_t level, const char *message)
{
    (void)level;
    if (strstr(message, "echo: destroyed") != NULL)
        (void)atomic_fetch_add((atomic_int *)context, 1);
}

static struct echo open_logging(atomic_int *n_lines)
{
    struct echo echo = {.dir = make_package("echo", "{\"destroy_log\":true}")};
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    options.store_dir = options.plugin_path = echo.dir;
    options.lanes = options.threads = 1;
    options.log = count_lines;
    options.log_context = n_lines;
    if (modelhost_create(&options, &echo.host, &err) != MODEL_OK ||
        modelhost_load(echo.host, echo.dir, &echo.model, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return echo;
}

static void post_answer(void *user, model_status status, struct modelhost_result *result,
                        const struct model_error *err)
{
    (void)status; /* the host may have ended first */
    (void)err;
    modelhost_result_destroy(result);
    uv_sem_post(user);
}

/* The host goes before what holds the model: a request, which this gives back, or an answer for `loop`. */
static struct modelhost_request *outlive_host(uv_loop_t *loop, atomic_int *n_lines, uv_sem_t *came)
{
    struct echo echo = open_logging(n_lines);
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct modelhost_request *request = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    struct model_tensor x;
    int64_t n = 3;
    tensor_init(&x, "x", MODEL_F32, 1, &n, values);
    const struct model_tensor *inputs[] = {&x};
    options.loop = loop;
    if (modelhost_run_async(echo.model, inputs, 1, &options, post_answer, came,
                            loop == NULL ? &request : NULL, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    if (loop == NULL)
        uv_sem_wait(came);
    modelhost_release(echo.model);
    modelhost_destroy(echo.host);
    assert_int_equal(atomic_load(n_lines), 0);
    remove_package(echo.dir);
    return request;
}

static void a_model_that_a_request_keeps_beyond_its_host_can_still_log(void **state)
{
    (void)state;
    atomic_int n_lines = 0;
    uv_sem_t came;
    assert_int_equal(uv_sem_init(&came, 0), 0);
    modelhost_request_release(outlive_host(NULL, &n_lines, &came));
    assert_int_equal(atomic_load(&n_lines), 1);
    uv_sem_destroy(&came);
}

static void a_model_whose_answer_waits_for_the_callers_loop_can_still_log(void **state)
{
    (void)state;
    atomic_int n_lines = 0;
    uv_sem_t came;
    uv_loop_t loop;
    assert_int_equal(uv_sem_init(&came, 0), 0);
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_null(outlive_host(&loop, &n_lines, &came));
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    uv_sem_wait(&came);
    assert_int_equal(atomic_load(&n_lines), 1);
    assert_int_equal(uv_loop_close(&loop), 0);
    uv_sem_destroy(&came);
}

/* ---- the reaper itself */

struct thing {
    struct reaper_item item;
    uv_thread_t destroyed_on;
    int number, *order; /* *order: how many went before */
};

static void destroy_thing(void *object)
{
    struct thing *thing = object;
    thing->destroyed_on = uv_thread_self();
    thing->number = (*thing->order)++;
}

static void things_go_in_their_order_and_on_no_thread_of_the_caller(void **state)
{
    (void)state;
    const struct log_sink quiet = {.level = -1, .write = NULL, .context = NULL};
    struct reaper *reaper = NULL;
    struct thing things[4];
    uv_thread_t self = uv_thread_self();
    int order = 0;
    assert_int_equal(reaper_create(&quiet, &reaper, NULL), MODEL_OK);
    for (int i = 0; i < 3; i++) {
        things[i] =
            (struct thing){.item = {NULL, destroy_thing, &things[i], false}, .order = &order};
        reaper_give(reaper, &things[i].item);
    }
    assert_true(reaper_stop(reaper, INT64_MAX));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(things[i].number, i);
        assert_false(uv_thread_equal(&things[i].destroyed_on, &self));
    }
    things[3] = (struct thing){.item = {NULL, destroy_thing, &things[3], false}, .order = &order};
    reaper_give(reaper, &things[3].item); /* too late for its thread, not for another one */
    assert_int_equal(things[3].number, 3);
    assert_false(uv_thread_equal(&things[3].destroyed_on, &self));
    reaper_drop(reaper);
}

/* ---- what does not come back */

struct stuck {
    struct reaper_item item;
    uv_sem_t *begun, *gate, *done;
};

static void destroy_stuck(void *object)
{
    const struct stuck stuck = *(struct stuck *)object;
    uv_sem_post(stuck.begun);
    uv_sem_wait(stuck.gate);
    uv_sem_post(stuck.done);
}

static void note_line(void *context, int32_t level, const char *message)
{
    (void)level;
    if (strstr(message, "left behind") != NULL)
        (void)atomic_fetch_add((atomic_int *)context, 1);
}

/* `aside`: two of them, beside each other, else one. */
static void check_stuck(bool aside)
{
    atomic_int n_lines = 0;
    const struct log_sink log = {.level = MODEL_LOG_ERROR, .write = note_line, .context = &n_lines};
    struct reaper *reaper = NULL;
    uv_sem_t begun, gate, done;
    struct stuck stuck[2];
    const int n = aside ? 2 : 1;
    assert_int_equal(uv_sem_init(&begun, 0), 0);
    assert_int_equal(uv_sem_init(&gate, 0), 0);
    assert_int_equal(uv_sem_init(&done, 0), 0);
    assert_int_equal(reaper_create(&log, &reaper, NULL), MODEL_OK);
    for (int i = 0; i < n; i++) {
        stuck[i] = (struct stuck){{NULL, destroy_stuck, &stuck[i], aside}, &begun, &gate, &done};
        reaper_give(reaper, &stuck[i].item);
    }
    for (int i = 0; i < n; i++)
        uv_sem_wait(&begun); /* none waits for another one */
    assert_false(reaper_stop(reaper, 0));
    assert_int_equal(atomic_load(&n_lines), 1);
    for (int i = 0; i < n; i++)
        uv_sem_post(&gate);
    for (int i = 0; i < n; i++)
        uv_sem_wait(&done);
    reaper_drop(reaper); /* its threads hold it as long as they need it */
    uv_sem_destroy(&begun);
    uv_sem_destroy(&gate);
}

static void what_does_not_come_back_is_left_behind_and_told(void **state)
{
    (void)state;
    check_stuck(false);
}

static void what_goes_aside_goes_beside_others(void **state)
{
    (void)state;
    check_stuck(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(releasing_a_model_does_not_wait_for_its_plugin),
        cmocka_unit_test(a_model_released_in_its_callback_does_not_stop_the_deadlines_of_others),
        cmocka_unit_test(a_model_released_in_its_callback_does_not_stop_the_callers_loop),
        cmocka_unit_test(a_model_that_a_request_keeps_beyond_its_host_can_still_log),
        cmocka_unit_test(a_model_whose_answer_waits_for_the_callers_loop_can_still_log),
        cmocka_unit_test(things_go_in_their_order_and_on_no_thread_of_the_caller),
        cmocka_unit_test(what_does_not_come_back_is_left_behind_and_told),
        cmocka_unit_test(what_goes_aside_goes_beside_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
