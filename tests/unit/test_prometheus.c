/* test_prometheus.c - the text is what the exposition format (0.0.4) asks for, byte for byte. `make interop`
 * shows it to promtool. */
#include "device_plan.h"
#include "plugin_counters.h"
#include "prometheus.h"
#include "testing.h"

#include <locale.h>

static struct metrics *metrics;
static struct buffer text;

static int set_up(void **state)
{
    (void)state;
    text = (struct buffer)BUFFER_INIT(PROMETHEUS_MAX_BYTES);
    return metrics_create(&metrics, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    buffer_finish(&text);
    metrics_drop(metrics);
    return 0;
}

static void write_all(void)
{
    buffer_clear(&text);
    assert_int_equal(prometheus_write(metrics, &text, NULL), MODEL_OK);
}

static void assert_has(const char *part)
{
    write_all();
    if (strstr(text.data, part) == NULL)
        fail_msg("'%s' is not in:\n%s", part, text.data);
}

static void counters_come_with_help_and_type(void **state)
{
    (void)state;
    metrics_add(metrics_series(metrics, "ns/bert", "cpu"), METRIC_LOADS, LOAD_OK, 3);
    assert_has("# HELP modelhost_loads_total Models opened, by how it ended.\n"
               "# TYPE modelhost_loads_total counter\n"
               "modelhost_loads_total{model=\"ns/bert\",backend=\"cpu\",outcome=\"ok\"} 3\n"
               "modelhost_loads_total{model=\"ns/bert\",backend=\"cpu\",outcome=\"error\"} 0\n"
               "# HELP ");
}

static void a_family_s_head_comes_once(void **state)
{
    (void)state;
    metrics_add(metrics_series(metrics, "a", "cpu"), METRIC_LOADS, LOAD_OK, 3);
    metrics_add(metrics_series(metrics, "b", "cpu"), METRIC_LOADS, LOAD_OK, 3);
    write_all();
    const char *first = strstr(text.data, "# TYPE modelhost_loads_total ");
    assert_non_null(first);
    assert_null(strstr(first + 1, "# TYPE modelhost_loads_total "));
}

static const struct model_device_plan plan = {.struct_size = sizeof plan,
                                              .requested_units = MODEL_UNITS_ALL,
                                              .n_operators = 3,
                                              .n_neural_engine = 2,
                                              .n_gpu = 1};

static void read_plan(void *context, struct metric_series *series)
{
    metrics_set(series, METRIC_MODEL_INFO, device_plan_place(context), 1);
}

/* Of all the pairs of values that there may be. */
static void an_info_has_both_its_labels_and_what_is_so_alone(void **state)
{
    (void)state;
    struct model_device_plan shown = plan;
    struct metric_source source = {
        .series = metrics_series(metrics, "m", "coreml"), .read = read_plan, .context = &shown};
    (void)metrics_series(metrics, "a", "cpu");
    metrics_attach(metrics, &source);
    assert_has("# TYPE modelhost_model_info gauge\n"
               "modelhost_model_info{model=\"m\",backend=\"coreml\",requested_units=\"all\","
               "planned_units=\"neuralEngineAndGPU\"} 1\n# HELP modelhost_loads_total ");
    shown = (struct model_device_plan){.requested_units = MODEL_UNITS_NONE, .by_kernels = 1};
    assert_has("# TYPE modelhost_model_info gauge\n"
               "modelhost_model_info{model=\"m\",backend=\"coreml\",requested_units=\"none\","
               "planned_units=\"kernels\"} 1\n# HELP modelhost_loads_total ");
    shown = (struct model_device_plan){.requested_units = MODEL_UNITS_CPU_AND_GPU};
    assert_has("requested_units=\"cpuAndGPU\",planned_units=\"unknown\"} 1\n# HELP");
    metrics_detach(metrics, &source);
    write_all();
    assert_null(strstr(text.data, "modelhost_model_info"));
}

static void histograms_are_cumulative_with_sum_and_count(void **state)
{
    (void)state;
    struct metric_series *series = metrics_series(metrics, "m", "cpu");
    metrics_observe(series, METRIC_BATCH_SIZE, 1);
    metrics_observe(series, METRIC_BATCH_SIZE, 3);
    metrics_observe(series, METRIC_BATCH_SIZE, 4);
    metrics_observe(series, METRIC_BATCH_SIZE, 1000);
    assert_has("# TYPE modelhost_batch_size histogram\n"
               "modelhost_batch_size_bucket{model=\"m\",backend=\"cpu\",le=\"1\"} 1\n"
               "modelhost_batch_size_bucket{model=\"m\",backend=\"cpu\",le=\"2\"} 1\n"
               "modelhost_batch_size_bucket{model=\"m\",backend=\"cpu\",le=\"4\"} 3\n"
               "modelhost_batch_size_bucket{model=\"m\",backend=\"cpu\",le=\"8\"} 3\n"
               "modelhost_batch_size_bucket{model=\"m\",backend=\"cpu\",le=\"16\"} 3\n"
               "modelhost_batch_size_bucket{model=\"m\",backend=\"cpu\",le=\"32\"} 3\n"
               "modelhost_batch_size_bucket{model=\"m\",backend=\"cpu\",le=\"64\"} 3\n"
               "modelhost_batch_size_bucket{model=\"m\",backend=\"cpu\",le=\"128\"} 3\n"
               "modelhost_batch_size_bucket{model=\"m\",backend=\"cpu\",le=\"256\"} 3\n"
               "modelhost_batch_size_bucket{model=\"m\",backend=\"cpu\",le=\"+Inf\"} 4\n"
               "modelhost_batch_size_sum{model=\"m\",backend=\"cpu\"} 1008\n"
               "modelhost_batch_size_count{model=\"m\",backend=\"cpu\"} 4\n");
}

static void times_are_in_seconds_to_the_nanosecond_in_any_locale(void **state)
{
    (void)state;
    struct metric_series *series = metrics_series(metrics, "m", "cpu");
    metrics_observe(series, METRIC_RUN_SECONDS, 1000000007);
    metrics_observe(series, METRIC_RUN_SECONDS, 250000);
    (void)setlocale(LC_ALL, "de_DE.UTF-8"); /* where there is one */
    assert_has(
        "modelhost_request_run_seconds_bucket{model=\"m\",backend=\"cpu\",le=\"0.0001\"} 0\n"
        "modelhost_request_run_seconds_bucket{model=\"m\",backend=\"cpu\",le=\"0.00025\"} 1\n");
    assert_has("modelhost_request_run_seconds_sum{model=\"m\",backend=\"cpu\"} 1.000250007\n"
               "modelhost_request_run_seconds_count{model=\"m\",backend=\"cpu\"} 2\n");
    (void)setlocale(LC_ALL, "C");
}

static void label_values_are_escaped_and_utf8(void **state)
{
    (void)state;
    metrics_add(metrics_series(metrics, "a\"b\\c\nd\xC3\xA9\xFFz", "cpu"), METRIC_WORKER_RESTARTS,
                0, 1);
    assert_has("modelhost_worker_restarts_total{model=\"a\\\"b\\\\c\\nd\xC3\xA9\xEF\xBF\xBDz\","
               "backend=\"cpu\"} 1\n");
}

static void plugins_count_by_their_names(void **state)
{
    (void)state;
    struct metric_series *series = metrics_series(metrics, "m", "cpu");
    plugin_counters_add(metrics_plugin_counters(series), "tokens", 12);
    assert_has("modelhost_plugin_events_total{model=\"m\",backend=\"cpu\",name=\"tokens\"} 12\n");
}

static void a_new_host_has_only_its_own(void **state)
{
    (void)state;
    assert_has("# HELP modelhost_build_info Always 1; the version is a label.\n"
               "# TYPE modelhost_build_info gauge\n"
               "modelhost_build_info{version=\"" MODELHOST_VERSION "\"} 1\n");
    assert_has("modelhost_lanes 0\n");
    assert_null(strstr(text.data, "model="));
}

static void the_same_numbers_make_the_same_text(void **state)
{
    (void)state;
    metrics_add(metrics_series(metrics, "b", "cpu"), METRIC_LOADS, LOAD_OK, 1);
    metrics_add(metrics_series(metrics, "a", "cpu"), METRIC_LOADS, LOAD_OK, 1);
    write_all();
    struct buffer before = text;
    text = (struct buffer)BUFFER_INIT(PROMETHEUS_MAX_BYTES);
    write_all();
    assert_string_equal(text.data, before.data);
    buffer_finish(&before);
}

static void a_text_that_does_not_fit_is_an_error(void **state)
{
    (void)state;
    struct model_error err = {.struct_size = sizeof err};
    text.max_bytes = 50;
    assert_int_equal(prometheus_write(metrics, &text, &err), MODEL_OUT_OF_MEMORY);
    assert_non_null(strstr(err.message, "metrics"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(counters_come_with_help_and_type, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_family_s_head_comes_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_info_has_both_its_labels_and_what_is_so_alone, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(histograms_are_cumulative_with_sum_and_count, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(times_are_in_seconds_to_the_nanosecond_in_any_locale,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(label_values_are_escaped_and_utf8, set_up, tear_down),
        cmocka_unit_test_setup_teardown(plugins_count_by_their_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_new_host_has_only_its_own, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_same_numbers_make_the_same_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_text_that_does_not_fit_is_an_error, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
