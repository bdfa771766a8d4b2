/* test_metrics.c - series are found again and bounded; what is counted is read, by family and in order.
 * Covers host/metrics/metric_families.c. */
#include "metrics.h"
#include "plugin_counters.h"
#include "testing.h"

#include <math.h>
#include <pthread.h>

static struct metrics *metrics;

static int set_up(void **state)
{
    (void)state;
    return metrics_create(&metrics, NULL);
}

static int tear_down(void **state)
{
    (void)state;
    metrics_drop(metrics);
    return 0;
}

/* ---- what a reader sees, as lines "family model backend value number" */

struct seen {
    char text[64 << 10];
    size_t n;
    const char *family; /* alone */
    enum metric_type type;
};

static model_status see(void *context, const struct metric_sample *sample)
{
    struct seen *seen = context;
    if (seen->family != NULL && strcmp(sample->family->name, seen->family) != 0)
        return MODEL_OK;
    seen->type = sample->family->type;
    int n = snprintf(seen->text + seen->n, sizeof seen->text - seen->n, "%s%s %s %s %llu\n",
                     sample->is_first ? "> " : "", sample->model != NULL ? sample->model : "-",
                     sample->backend != NULL ? sample->backend : "-",
                     sample->value != NULL ? sample->value : "-",
                     (unsigned long long)sample->numbers[0]);
    assert_true(n > 0 && seen->n + (size_t)n < sizeof seen->text);
    seen->n += (size_t)n;
    return MODEL_OK;
}

static const char *seen_of(const char *family)
{
    static struct seen seen;
    memset(&seen, 0, sizeof seen);
    seen.family = family;
    assert_int_equal(metrics_visit(metrics, METRICS_WAIT, see, &seen), MODEL_OK);
    return seen.text;
}

/* ---- tests */

static void a_series_is_found_again_by_model_and_backend(void **state)
{
    (void)state;
    struct metric_series *cpu = metrics_series(metrics, "bert", "cpu");
    assert_ptr_equal(metrics_series(metrics, "bert", "cpu"), cpu);
    assert_ptr_not_equal(metrics_series(metrics, "bert", "torch"), cpu);
    assert_ptr_not_equal(metrics_series(metrics, "bert2", "cpu"), cpu);
}

static void models_beyond_the_bound_count_as_other(void **state)
{
    (void)state;
    char name[32];
    for (int i = 0; i < 2 * METRICS_MAX_SERIES; i++) {
        (void)snprintf(name, sizeof name, "model-%d", i);
        struct metric_series *series = metrics_series(metrics, name, "cpu");
        assert_int_equal(series == metrics_other(metrics), i >= METRICS_MAX_SERIES);
        metrics_add(series, METRIC_WORKER_RESTARTS, 0, 1);
    }
    assert_int_equal(metrics_number(metrics_other(metrics), METRIC_WORKER_RESTARTS, 0),
                     METRICS_MAX_SERIES);
}

static void samples_come_ordered_by_model_and_backend(void **state)
{
    (void)state;
    metrics_add(metrics_series(metrics, "b", "cpu"), METRIC_WORKER_RESTARTS, 0, 1);
    metrics_add(metrics_series(metrics, "a", "torch"), METRIC_WORKER_RESTARTS, 0, 2);
    metrics_add(metrics_series(metrics, "a", "cpu"), METRIC_WORKER_RESTARTS, 0, 3);
    assert_string_equal(seen_of("modelhost_worker_restarts_total"),
                        "> a cpu - 3\na torch - 2\nb cpu - 1\n");
    metrics_add(metrics_other(metrics), METRIC_LOADS, LOAD_ERROR, 1);
    assert_string_equal(seen_of("modelhost_loads_total"),
                        "> a cpu ok 0\na cpu error 0\na torch ok 0\na torch error 0\nb cpu ok 0\n"
                        "b cpu error 0\nother other ok 0\nother other error 1\n");
}

static void the_host_has_its_version(void **state)
{
    (void)state;
    assert_string_equal(seen_of("modelhost_build_info"), "> - - " MODELHOST_VERSION " 1\n");
}

static void every_family_is_named_as_prometheus_wants(void **state)
{
    (void)state;
    for (int i = 0; i < N_METRICS; i++) {
        const struct metric_family *family = &metric_families[i];
        const size_t length = strlen(family->name);
        const char *end = family->name + length;
        assert_int_equal(strncmp(family->name, "modelhost_", 10), 0);
        assert_int_equal(strspn(family->name, "abcdefghijklmnopqrstuvwxyz_"), length);
        assert_int_equal(strcmp(end - 6, "_total") == 0, family->type == METRIC_COUNTER);
        assert_int_equal(family->bounds != NULL, family->type == METRIC_HISTOGRAM);
        assert_true(metric_width(family) <= METRIC_MAX_WIDTH);
        assert_true(strchr(family->help, '\n') == NULL && strchr(family->help, '\\') == NULL);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(family->name, metric_families[k].name);
    }
}

static void read_model(void *context, struct metric_series *series)
{
    metrics_add(series, METRIC_MAPPED, 0, *(const int64_t *)context);
}

static void gauges_add_up_over_what_is_open(void **state)
{
    (void)state;
    struct metric_series *series = metrics_series(metrics, "bert", "cpu");
    int64_t first_bytes = 100, second_bytes = 20;
    struct metric_source first = {.series = series, .read = read_model, .context = &first_bytes};
    struct metric_source second = {.series = series, .read = read_model, .context = &second_bytes};
    metrics_detach(metrics, &first); /* was never attached */
    metrics_attach(metrics, &first);
    metrics_attach(metrics, &second);
    assert_string_equal(seen_of("modelhost_model_mapped_bytes"), "> bert cpu - 120\n");
    assert_string_equal(seen_of("modelhost_model_mapped_bytes"), "> bert cpu - 120\n");
    metrics_detach(metrics, &first);
    assert_string_equal(seen_of("modelhost_model_mapped_bytes"), "> bert cpu - 20\n");
    metrics_set(series, METRIC_BREAKER_STATE, 0, STATE_OPEN);
    assert_string_equal(seen_of("modelhost_breaker_state"), "> bert cpu - 2\n");
    metrics_detach(metrics, &second);
    assert_string_equal(seen_of("modelhost_model_mapped_bytes"), "");
    assert_string_equal(seen_of("modelhost_breaker_state"), "");
    assert_string_equal(seen_of("modelhost_worker_restarts_total"), "> bert cpu - 0\n");
}

static void plugin_counters_are_samples_by_name(void **state)
{
    (void)state;
    struct metric_series *series = metrics_series(metrics, "bert", "cpu");
    plugin_counters_add(metrics_plugin_counters(series), "tokens", 7);
    plugin_counters_add(metrics_plugin_counters(series), "calls", 2);
    assert_string_equal(seen_of("modelhost_plugin_events_total"),
                        "> bert cpu tokens 7\nbert cpu calls 2\n");
}

static void histograms_have_quantiles_in_seconds(void **state)
{
    (void)state;
    struct metric_series *series = metrics_series(metrics, "bert", "cpu");
    assert_true(isnan(metrics_quantile(series, METRIC_RUN_SECONDS, 0.5)));
    for (int i = 0; i < 100; i++)
        metrics_observe(series, METRIC_RUN_SECONDS, i < 50 ? 40000000 : 60000000);
    assert_true(fabs(metrics_quantile(series, METRIC_RUN_SECONDS, 0.5) - 0.05) < 1e-12);
    assert_true(fabs(metrics_quantile(series, METRIC_RUN_SECONDS, 0.99) - 0.099) < 1e-12);
    metrics_observe(series, METRIC_RUN_SECONDS, -5); /* a clock cannot go back; if it did: 0 */
    assert_int_equal(metrics_number(series, METRIC_RUN_SECONDS, 0), 1);
}

static void nobody_s_series_takes_anything(void **state)
{
    (void)state;
    metrics_add(NULL, METRIC_REQUESTS, OUTCOME_OK, 1);
    metrics_set(NULL, METRIC_BREAKER_STATE, 0, 1);
    metrics_observe(NULL, METRIC_RUN_SECONDS, 1);
    metrics_drop(NULL);
}

static model_status stop(void *context, const struct metric_sample *sample)
{
    (void)sample;
    ++*(int *)context;
    return MODEL_IO;
}

static model_status try_inside(void *context, const struct metric_sample *sample)
{
    (void)sample;
    int n = 0;
    assert_int_equal(metrics_visit(context, METRICS_TRY, stop, &n), MODEL_BUSY);
    assert_int_equal(n, 0);
    return MODEL_CANCELLED;
}

static void a_reader_may_stop_and_need_not_wait(void **state)
{
    (void)state;
    int n = 0;
    assert_int_equal(metrics_visit(metrics, METRICS_TRY, stop, &n), MODEL_IO);
    assert_int_equal(n, 1);
    assert_int_equal(metrics_visit(metrics, METRICS_WAIT, try_inside, metrics), MODEL_CANCELLED);
}

enum { N_THREADS = 4, N_ADDED = 20000 };

static void *add_many(void *argument)
{
    char name[32];
    for (int i = 0; i < N_ADDED; i++) {
        (void)snprintf(name, sizeof name, "m%d", i % 8);
        struct metric_series *series =
            i % 100 == 0 ? metrics_series(metrics, name, "cpu") : argument;
        metrics_add(series, METRIC_REQUESTS, OUTCOME_OK, 1);
        metrics_observe(series, METRIC_QUEUE_SECONDS, i);
    }
    return NULL;
}

static void no_count_is_lost_between_threads(void **state)
{
    (void)state;
    pthread_t threads[N_THREADS];
    struct metric_series *series = metrics_series(metrics, "m0", "cpu");
    for (int i = 0; i < N_THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, series), 0);
    for (int i = 0; i < 20; i++)
        (void)seen_of("modelhost_requests_total");
    for (int i = 0; i < N_THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    int64_t total = 0;
    for (int i = 0; i < 8; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "m%d", i);
        total += metrics_number(metrics_series(metrics, name, "cpu"), METRIC_REQUESTS, OUTCOME_OK);
    }
    assert_int_equal(total, N_THREADS * N_ADDED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_series_is_found_again_by_model_and_backend, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(models_beyond_the_bound_count_as_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(samples_come_ordered_by_model_and_backend, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_host_has_its_version, set_up, tear_down),
        cmocka_unit_test(every_family_is_named_as_prometheus_wants),
        cmocka_unit_test_setup_teardown(gauges_add_up_over_what_is_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(plugin_counters_are_samples_by_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(histograms_have_quantiles_in_seconds, set_up, tear_down),
        cmocka_unit_test(nobody_s_series_takes_anything),
        cmocka_unit_test_setup_teardown(a_reader_may_stop_and_need_not_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_count_is_lost_between_threads, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
