/* test_statsd.c - a server on loopback gets lines of what has changed. */
#include "clock.h"
#include "plugin_counters.h"
#include "statsd.h"
#include "statsd_server.h"

#include <dirent.h>
#include <sched.h>

static struct metrics *metrics;
static struct statsd *statsd;
static struct statsd_server server;

static void open_client(void)
{
    struct statsd_address address;
    assert_int_equal(statsd_address_parse(server.address, &address, NULL), MODEL_OK);
    assert_int_equal(statsd_create(metrics, &address, NULL, &statsd, NULL), MODEL_OK);
}

static int set_up(void **state)
{
    (void)state;
    statsd_server_open(&server);
    assert_int_equal(metrics_create(&metrics, NULL), MODEL_OK);
    open_client();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    statsd_destroy(statsd);
    metrics_drop(metrics);
    statsd_server_close(&server);
    return 0;
}

#define assert_line(line_)                                                                         \
    do {                                                                                           \
        if (!statsd_server_has(&server, line_))                                                    \
            fail_msg("no line '%s' in:\n%s", line_, server.text);                                  \
    } while (0)

static void counters_are_pushed_as_what_came_since(void **state)
{
    (void)state;
    struct metric_series *series = metrics_series(metrics, "bert", "cpu");
    metrics_add(series, METRIC_REQUESTS, OUTCOME_TIMEOUT, 3);
    statsd_push(statsd, 0);
    assert_line("modelhost.requests.bert.cpu.timeout:3|c");
    statsd_server_forget(&server);
    statsd_push(statsd, 1);
    while (statsd_server_take(&server, 0))
        continue;
    assert_null(strstr(server.text, "requests.bert"));
    metrics_add(series, METRIC_REQUESTS, OUTCOME_TIMEOUT, 2);
    statsd_push(statsd, 2);
    assert_line("modelhost.requests.bert.cpu.timeout:2|c");
}

static void gauges_are_pushed_as_they_are(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        statsd_push(statsd, i);
        assert_line("modelhost.lanes:0|g");
        statsd_server_forget(&server);
    }
}

static void histograms_are_pushed_as_count_and_quantiles_of_the_interval(void **state)
{
    (void)state;
    struct metric_series *series = metrics_series(metrics, "bert", "cpu");
    for (int i = 0; i < 100; i++)
        metrics_observe(series, METRIC_RUN_SECONDS, i < 50 ? 40 * NS_PER_MS : 60 * NS_PER_MS);
    statsd_push(statsd, 0);
    assert_line("modelhost.request_run_seconds.bert.cpu.count:100|c");
    assert_line("modelhost.request_run_seconds.bert.cpu.p50:0.050000|g");
    assert_line("modelhost.request_run_seconds.bert.cpu.p99:0.099000|g");
    statsd_server_forget(&server);
    for (int i = 0; i < 10; i++)
        metrics_observe(series, METRIC_RUN_SECONDS, 700 * NS_PER_MS);
    statsd_push(statsd, 1);
    assert_line("modelhost.request_run_seconds.bert.cpu.count:10|c");
    assert_line("modelhost.request_run_seconds.bert.cpu.p50:0.750000|g");
    statsd_server_forget(&server);
    statsd_push(statsd, 2);
    assert_false(statsd_server_has(&server, "modelhost.request_run_seconds.bert.cpu.count:0|c"));
}

static void what_a_plugin_counts_is_pushed_by_name(void **state)
{
    (void)state;
    struct plugin_counters *plugin =
        metrics_plugin_counters(metrics_series(metrics, "bert", "cpu"));
    plugin_counters_add(plugin, "tokens", 5);
    statsd_push(statsd, 0);
    assert_line("modelhost.plugin_events.bert.cpu.tokens:5|c");
    plugin_counters_add(plugin, "tokens", 2);
    statsd_push(statsd, 0);
    assert_line("modelhost.plugin_events.bert.cpu.tokens:2|c");
}

static void names_hold_nothing_that_a_server_reads(void **state)
{
    (void)state;
    metrics_add(metrics_series(metrics, "ns/a.b:1|c\n#@ \xC3\xA9", "c\"pu"), METRIC_WORKER_RESTARTS,
                0, 1);
    statsd_push(statsd, 0);
    assert_line("modelhost.worker_restarts.ns_a_b_1_c______.c_pu:1|c");
}

static void packets_hold_whole_lines_up_to_1400_bytes(void **state)
{
    (void)state;
    char name[300];
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    for (int i = 0; i < 200; i++) {
        (void)snprintf(name, 8, "m%03d", i);
        name[4] = 'x';
        metrics_add(metrics_series(metrics, name, "cpu"), METRIC_WORKER_RESTARTS, 0, 1);
    }
    statsd_push(statsd, 0);
    while (statsd_server_take(&server, 0))
        continue;
    assert_true(server.n_packets > 10);
    assert_in_range(server.longest_bytes, 1200, STATSD_MAX_PACKET_BYTES);
    size_t n_lines = 0;
    for (char *rest = NULL, *line = strtok_r(server.text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        assert_int_equal(strncmp(line, "modelhost.", 10), 0);
        const size_t length = strlen(line);
        assert_true(strcmp(line + length - 2, "|c") == 0 || strcmp(line + length - 2, "|g") == 0);
        n_lines += strstr(line, ".worker_restarts.") != NULL;
    }
    assert_int_equal(n_lines, 200);
}

static size_t n_descriptors(void)
{
    size_t n = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir) != NULL)
        n++;
    assert_int_equal(closedir(dir), 0);
    return n;
}

static void a_server_that_has_gone_costs_nothing(void **state)
{
    (void)state;
    statsd_push(statsd, 0);
    const size_t n = n_descriptors();
    statsd_server_close(&server);
    for (int i = 0; i < 1000; i++) {
        metrics_add(metrics_host(metrics), METRIC_LANES, 0, 1);
        statsd_push(statsd, i);
    }
    assert_int_equal(n_descriptors(), n - 1);
    server.fd = dup(0);
}

/* ---- servers with names: the lookup's answer is given by the test */

static int n_lookups;
static _Atomic bool may_find;

static bool find_by_name(const struct statsd_address *address, bool is_numeric,
                         struct statsd_target *ret)
{
    if (is_numeric)
        return false;
    __atomic_add_fetch(&n_lookups, 1, __ATOMIC_SEQ_CST);
    struct statsd_address numeric = {.host = "127.0.0.1"};
    memcpy(numeric.port, address->port, sizeof numeric.port);
    return may_find && statsd_address_find(&numeric, true, ret);
}

static int lookups(void)
{
    return __atomic_load_n(&n_lookups, __ATOMIC_SEQ_CST);
}

/* Pushes until a packet has come. */
static void push_until_heard(int64_t now_ns)
{
    do
        statsd_push(statsd, now_ns);
    while (!statsd_server_take(&server, 0) && sched_yield() == 0);
}

static void a_name_is_looked_up_until_it_is_found_and_again_each_minute(void **state)
{
    (void)state;
    struct statsd_address address = {.host = "metrics.example"};
    memcpy(address.port, server.port, sizeof server.port < 6 ? sizeof server.port : 6);
    statsd_destroy(statsd);
    n_lookups = 0;
    may_find = false;
    assert_int_equal(statsd_create(metrics, &address, find_by_name, &statsd, NULL), MODEL_OK);
    metrics_add(metrics_series(metrics, "bert", "cpu"), METRIC_WORKER_RESTARTS, 0, 4);
    while (lookups() < 3) {
        statsd_push(statsd, 0);
        (void)sched_yield();
    }
    assert_false(statsd_server_take(&server, 0));
    may_find = true;
    push_until_heard(0);
    assert_line("modelhost.worker_restarts.bert.cpu:4|c"); /* nothing was lost meanwhile */
    const int n = lookups();
    for (int i = 0; i < 100; i++)
        statsd_push(statsd, 59 * NS_PER_S);
    assert_int_equal(lookups(), n);
    may_find = false;
    while (lookups() == n) {
        statsd_push(statsd, 61 * NS_PER_S);
        (void)sched_yield();
    }
    statsd_server_forget(&server);
    push_until_heard(62 * NS_PER_S); /* what is not found any more stays where it was */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(counters_are_pushed_as_what_came_since, set_up, tear_down),
        cmocka_unit_test_setup_teardown(gauges_are_pushed_as_they_are, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            histograms_are_pushed_as_count_and_quantiles_of_the_interval, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_plugin_counts_is_pushed_by_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_hold_nothing_that_a_server_reads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(packets_hold_whole_lines_up_to_1400_bytes, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_server_that_has_gone_costs_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_name_is_looked_up_until_it_is_found_and_again_each_minute,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
