/* test_model_metrics.c - what becomes of a model and its requests is counted, through the public API. Covers
 * host/api_metrics.c, host/metrics/host_metrics.c and host/metrics/statsd_timer.c. */
#include "echo_package.h"
#include "errors.h"
#include "model_metrics.h"
#include "statsd_server.h"

#include <semaphore.h>

static struct modelhost_metrics *read_metrics(struct modelhost *host)
{
    struct modelhost_metrics *metrics = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    if (modelhost_metrics_read(host, &metrics, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return metrics;
}

/* The number behind a sample's name and labels, MODEL in them standing for the package's; -1: not there. */
static double sample(struct modelhost *host, const char *dir, const char *name)
{
    struct modelhost_metrics *metrics = read_metrics(host);
    char wanted[1024];
    const char *model = strstr(name, "MODEL"), *base = dir != NULL ? strrchr(dir, '/') + 1 : "";
    const int before = model != NULL ? (int)(model - name) : (int)strlen(name);
    (void)snprintf(wanted, sizeof wanted, "\n%.*s%s%s ", before, name, model != NULL ? base : "",
                   model != NULL ? model + 5 : "");
    const char *found = strstr(modelhost_metrics_text(metrics), wanted);
    const double number = found != NULL ? strtod(found + strlen(wanted), NULL) : -1;
    modelhost_metrics_destroy(metrics);
    return number;
}

#define REQUESTS(outcome_)                                                                         \
    "modelhost_requests_total{model=\"MODEL\",backend=\"cpu\",outcome=\"" outcome_ "\"}"
#define OF(family_) family_ "{model=\"MODEL\",backend=\"cpu\"}"
#define assert_sample(echo_, name_, number_)                                                       \
    assert_true(sample((echo_)->host, (echo_)->dir, name_) == (number_))

static float numbers[] = {1, 2, 3};
static const struct model_tensor x = {.struct_size = sizeof x,
                                      .name = "x",
                                      .data = numbers,
                                      .size_bytes = sizeof numbers,
                                      .dtype = MODEL_F32,
                                      .rank = 1,
                                      .shape = {3},
                                      .strides = {1}};

static model_status run(struct echo *echo, int64_t timeout_ms)
{
    const struct model_tensor *const inputs[] = {&x};
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct modelhost_result *result = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    options.timeout_ms = timeout_ms;
    model_status status = modelhost_run(echo->model, inputs, 1, &options, &result, &err);
    modelhost_result_destroy(result);
    return status;
}

static void requests_are_counted_by_how_they_ended(void **state)
{
    (void)state;
    struct echo echo = echo_open("{}", 0);
    const struct model_tensor *const none[] = {&x};
    struct modelhost_result *result = NULL;
    assert_sample(&echo, REQUESTS("ok"), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(run(&echo, 0), MODEL_OK);
    assert_int_equal(modelhost_run(echo.model, none, 0, NULL, &result, NULL),
                     MODEL_INVALID_ARGUMENT);
    assert_int_equal(modelhost_run_text(echo.model, NULL, 0, NULL, &result, NULL),
                     MODEL_UNSUPPORTED);
    assert_sample(&echo, REQUESTS("ok"), 3);
    assert_sample(&echo, REQUESTS("invalid"), 2);
    assert_sample(&echo, REQUESTS("error"), 0);
    assert_sample(&echo, OF("modelhost_request_queue_seconds_count"), 3);
    assert_sample(&echo, OF("modelhost_request_run_seconds_count"), 3);
    assert_true(sample(echo.host, echo.dir, OF("modelhost_request_run_seconds_sum")) > 0);
    echo_close(&echo);
}

static void a_failing_plugin_counts_as_error(void **state)
{
    (void)state;
    struct echo echo = echo_open("{\"echo_mode\":\"fail\"}", 0);
    assert_int_equal(run(&echo, 0), MODEL_INTERNAL);
    assert_sample(&echo, REQUESTS("error"), 1);
    assert_sample(&echo, OF("modelhost_request_run_seconds_count"), 1);
    echo_close(&echo);
}

static void a_request_that_is_late_counts_once_with_the_time_to_stop(void **state)
{
    (void)state;
    struct echo echo = echo_open("{\"echo_mode\":\"spin\"}", 0);
    assert_int_equal(run(&echo, 500), MODEL_DEADLINE);
    assert_sample(&echo, REQUESTS("timeout"), 1);
    assert_sample(&echo, REQUESTS("ok"), 0);
    while (sample(echo.host, echo.dir, OF("modelhost_cancel_seconds_count")) != 1)
        continue; /* until its lane has come back */
    assert_sample(&echo, REQUESTS("timeout"), 1);
    echo_close(&echo);
}

static sem_t answered;

static void on_answer(void *user, model_status status, struct modelhost_result *result,
                      const struct model_error *err)
{
    (void)err;
    *(model_status *)user = status;
    modelhost_result_destroy(result);
    (void)sem_post(&answered);
}

static void a_full_queue_and_cancelling_are_counted(void **state)
{
    (void)state;
    struct echo echo = echo_open("{\"echo_mode\":\"spin\"}", 1);
    const struct model_tensor *const inputs[] = {&x};
    struct modelhost_request *running = NULL, *waiting = NULL;
    model_status first = -1, second = -1;
    assert_int_equal(sem_init(&answered, 0, 0), 0);
    assert_int_equal(
        modelhost_run_async(echo.model, inputs, 1, NULL, on_answer, &first, &running, NULL),
        MODEL_OK);
    while (sample(echo.host, NULL, "modelhost_lanes_busy") != 1)
        continue;
    assert_int_equal(
        modelhost_run_async(echo.model, inputs, 1, NULL, on_answer, &second, &waiting, NULL),
        MODEL_OK);
    assert_sample(&echo, "modelhost_queued_requests", 1);
    assert_int_equal(run(&echo, 0), MODEL_BUSY);
    assert_int_equal(
        modelhost_run_async(echo.model, inputs, 1, NULL, on_answer, &second, NULL, NULL),
        MODEL_BUSY);
    assert_sample(&echo, REQUESTS("rejected"), 2);
    modelhost_cancel(waiting);
    modelhost_cancel(running);
    assert_int_equal(sem_wait(&answered), 0);
    assert_int_equal(sem_wait(&answered), 0);
    assert_int_equal(first, MODEL_CANCELLED);
    assert_int_equal(second, MODEL_CANCELLED);
    assert_sample(&echo, REQUESTS("cancelled"), 2);
    assert_sample(&echo, OF("modelhost_request_queue_seconds_count"), 2);
    assert_sample(&echo, OF("modelhost_request_run_seconds_count"), 1);
    while (sample(echo.host, echo.dir, OF("modelhost_cancel_seconds_count")) != 1)
        continue; /* of the one that ran */
    modelhost_request_release(running);
    modelhost_request_release(waiting);
    echo_close(&echo);
}

/* What reads the stream has seen enough. */
static void stop_reading(void *context, const struct model_tensor *const *tensors,
                         uint32_t n_tensors)
{
    sem_t *begun = context;
    (void)tensors;
    (void)n_tensors;
    (void)sem_post(begun);
}

static void a_stream_that_is_closed_is_counted_with_the_time_to_stop(void **state)
{
    (void)state;
    struct echo stream = {.dir = make_package("mischief", "{}")};
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct modelhost_run_options run_options = MODELHOST_RUN_OPTIONS_INIT;
    struct modelhost_request *request = NULL;
    float order[] = {-8, 1e9f}; /* emits so often */
    struct model_tensor input = x;
    const struct model_tensor *const inputs[] = {&input};
    model_status status = -1;
    sem_t begun;
    input.data = order;
    input.size_bytes = sizeof order;
    input.shape[0] = 2;
    options.store_dir = options.plugin_path = stream.dir;
    options.lanes = options.threads = 1;
    run_options.on_tensors = stop_reading;
    run_options.on_tensors_context = &begun;
    assert_int_equal(sem_init(&begun, 0, 0), 0);
    assert_int_equal(sem_init(&answered, 0, 0), 0);
    assert_int_equal(modelhost_create(&options, &stream.host, NULL), MODEL_OK);
    assert_int_equal(modelhost_load(stream.host, stream.dir, &stream.model, NULL), MODEL_OK);
    assert_int_equal(modelhost_run_async(stream.model, inputs, 1, &run_options, on_answer, &status,
                                         &request, NULL),
                     MODEL_OK);
    assert_int_equal(sem_wait(&begun), 0);
    modelhost_cancel(request);
    assert_int_equal(sem_wait(&answered), 0);
    assert_int_equal(status, MODEL_CANCELLED);
    while (sample(stream.host, stream.dir, OF("modelhost_cancel_seconds_count")) != 1)
        continue; /* until its lane has come back */
    modelhost_request_release(request);
    echo_close(&stream);
}

static void packages_of_one_name_count_apart(void **state)
{
    (void)state;
    struct echo echo = echo_open("{}", 0);
    char *parent = scratch_dir(), *command = NULL;
    struct modelhost_model *other = NULL, *named = NULL;
    struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    char label[600];
    char *twin = path_join(parent, strrchr(echo.dir, '/') + 1);
    assert_true(asprintf(&command, "cp -r '%s' '%s'", echo.dir, twin) > 0);
    assert_int_equal(system(command), 0);
    if (modelhost_load(echo.host, twin, &other, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    assert_sample(&echo, OF("modelhost_models_loaded"), 1);
    assert_sample(&echo, "modelhost_models_loaded{model=\"MODEL-2\",backend=\"cpu\"}", 1);
    (void)snprintf(label, sizeof label, "my \"model\"");
    options.name = label;
    assert_int_equal(modelhost_load_with(echo.host, twin, &options, &named, NULL), MODEL_OK);
    label[0] = '\0'; /* was copied */
    assert_sample(&echo, "modelhost_models_loaded{model=\"my \\\"model\\\"\",backend=\"cpu\"}", 1);
    modelhost_release(named);
    assert_int_equal(modelhost_load_with(echo.host, twin, &options, &named, &err),
                     MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "a model's name has 1 to 200 bytes");
    options.name = "a\nb";
    assert_int_equal(modelhost_load_with(echo.host, twin, &options, &named, &err),
                     MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "a model's name has a control character at byte 1");
    modelhost_release(other);
    echo_close(&echo);
    assert_int_equal(dir_remove_all(parent, NULL), MODEL_OK);
    free(command);
    free(parent);
    free(twin);
}

static void loads_are_counted_and_what_is_open_is_shown(void **state)
{
    (void)state;
    struct echo echo = echo_open("{}", 0);
    struct modelhost_model *again = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    assert_sample(&echo, OF("modelhost_models_loaded"), 1);
    assert_int_equal(modelhost_load(echo.host, echo.dir, &again, &err), MODEL_OK);
    assert_sample(&echo, OF("modelhost_models_loaded"), 2);
    assert_sample(&echo, OF("modelhost_load_seconds_count"), 2);
    char *config = path_join(echo.dir, "backends/cpu/config.json");
    write_file(config, "[", 1);
    assert_int_equal(modelhost_load(echo.host, echo.dir, &again, &err), MODEL_CORRUPT);
    assert_int_equal(modelhost_load(echo.host, "ns/absent", &again, &err), MODEL_NOT_FOUND);
    assert_sample(&echo, "modelhost_loads_total{model=\"MODEL\",backend=\"cpu\",outcome=\"ok\"}",
                  2);
    assert_sample(&echo, "modelhost_loads_total{model=\"MODEL\",backend=\"cpu\",outcome=\"error\"}",
                  1);
    assert_sample(&echo,
                  "modelhost_loads_total{model=\"other\",backend=\"other\",outcome=\"error\"}", 1);
    assert_true(sample(echo.host, NULL, "modelhost_process_resident_bytes") > 100000);
    modelhost_release(again);
    echo_close(&echo);
    free(config);
}

static void metrics_may_outlive_their_host(void **state)
{
    (void)state;
    struct echo echo = echo_open("{}", 0);
    struct modelhost_metrics *metrics = read_metrics(echo.host);
    echo_close(&echo);
    assert_non_null(strstr(modelhost_metrics_text(metrics), "\nmodelhost_lanes 1\n"));
    modelhost_metrics_destroy(metrics);
    modelhost_metrics_destroy(NULL);
}

static void every_status_has_its_outcome(void **state)
{
    (void)state;
    static const struct {
        model_status status;
        enum metric_outcome outcome;
    } table[] = {{MODEL_OK, OUTCOME_OK},
                 {MODEL_DEADLINE, OUTCOME_TIMEOUT},
                 {MODEL_CANCELLED, OUTCOME_CANCELLED},
                 {MODEL_BUSY, OUTCOME_REJECTED},
                 {MODELHOST_CRASHED, OUTCOME_CRASHED},
                 {MODEL_INVALID_ARGUMENT, OUTCOME_INVALID},
                 {MODEL_NOT_FOUND, OUTCOME_INVALID},
                 {MODEL_UNSUPPORTED, OUTCOME_INVALID},
                 {MODEL_INTERNAL, OUTCOME_ERROR},
                 {MODEL_OUT_OF_MEMORY, OUTCOME_ERROR},
                 {MODEL_CORRUPT, OUTCOME_ERROR},
                 {MODEL_IO, OUTCOME_ERROR},
                 {-7, OUTCOME_ERROR}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_int_equal(model_metrics_outcome(table[i].status), table[i].outcome);
}

/* ---- pushed while the host lives, and once more when it ends */

static model_status create_with_statsd(const char *address, int64_t interval_ms,
                                       struct modelhost **ret, struct model_error *err)
{
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    options.store_dir = options.plugin_path = ".";
    options.lanes = options.threads = 1;
    options.statsd_address = address;
    options.statsd_interval_ms = interval_ms;
    return modelhost_create(&options, ret, err);
}

static void a_host_pushes_at_its_interval_and_at_its_end(void **state)
{
    (void)state;
    struct statsd_server server;
    struct modelhost *host = NULL;
    struct modelhost_model *model = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    statsd_server_open(&server);
    assert_int_equal(create_with_statsd(server.address, 10, &host, &err), MODEL_OK);
    for (int i = 0; i < 3; i++) /* each of an interval of its own */
        assert_true(statsd_server_take(&server, -1));
    assert_true(statsd_server_has(&server, "modelhost.lanes:1|g"));
    modelhost_destroy(host);

    assert_int_equal(create_with_statsd(server.address, 3600000, &host, &err), MODEL_OK);
    statsd_server_forget(&server);
    assert_int_equal(modelhost_load(host, "ns/absent", &model, &err), MODEL_NOT_FOUND);
    modelhost_destroy(host);
    assert_true(statsd_server_has(&server, "modelhost.loads.other.other.error:1|c"));
    statsd_server_close(&server);
}

static void statsd_options_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    struct modelhost *host = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(create_with_statsd("localhost", 0, &host, &err), MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "StatsD address 'localhost': no port"));
    assert_int_equal(create_with_statsd("127.0.0.1:1", 5, &host, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message,
                        "statsd_interval_ms is 5, want 10 to 86400000, or 0 for 10000");
    assert_int_equal(create_with_statsd("127.0.0.1:1", -5, &host, &err), MODEL_INVALID_ARGUMENT);
    assert_null(host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_counted_by_how_they_ended),
        cmocka_unit_test(a_failing_plugin_counts_as_error),
        cmocka_unit_test(a_request_that_is_late_counts_once_with_the_time_to_stop),
        cmocka_unit_test(a_full_queue_and_cancelling_are_counted),
        cmocka_unit_test(a_stream_that_is_closed_is_counted_with_the_time_to_stop),
        cmocka_unit_test(packages_of_one_name_count_apart),
        cmocka_unit_test(loads_are_counted_and_what_is_open_is_shown),
        cmocka_unit_test(metrics_may_outlive_their_host),
        cmocka_unit_test(every_status_has_its_outcome),
        cmocka_unit_test(a_host_pushes_at_its_interval_and_at_its_end),
        cmocka_unit_test(statsd_options_that_make_no_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
