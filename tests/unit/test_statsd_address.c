/* test_statsd_address.c - addresses are read strictly, and looked up without anybody waiting. */
#include "errors.h"
#include "statsd_address.h"
#include "testing.h"

#include <netinet/in.h>
#include <sched.h>
#include <semaphore.h>

static void hosts_and_ports_are_read(void **state)
{
    (void)state;
    static const char *const good[][3] = {
        {"localhost:8125", "localhost", "8125"},
        {"10.0.0.7:1", "10.0.0.7", "1"},
        {"[::1]:65535", "::1", "65535"},
        {"[fe80::1%eth0]:8125", "fe80::1%eth0", "8125"},
        {"a-b.c_d.example:08125", "a-b.c_d.example", "08125"},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct statsd_address address;
        struct model_error err = MODEL_ERROR_INIT;
        if (statsd_address_parse(good[i][0], &address, &err) != MODEL_OK)
            fail_msg("%s", err.message);
        assert_string_equal(address.host, good[i][1]);
        assert_string_equal(address.port, good[i][2]);
    }
}

static void what_is_no_address_is_refused_with_a_reason(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"", "no port, want HOST:PORT such as localhost:8125"},
        {"localhost", "StatsD address 'localhost': no port"},
        {"localhost:", "the port is '', want 1 to 65535"},
        {"localhost:0", "the port is '0'"},
        {"localhost:65536", "the port is '65536'"},
        {"localhost:99999999999", "the port is"},
        {"localhost:81 25", "the port is '81 25'"},
        {"localhost:-1", "the port is '-1'"},
        {"localhost:+1", "the port is '+1'"},
        {"::1:8125", "an IPv6 address stands in []"},
        {":8125", "no host"},
        {"[]:8125", "no host"},
        {"[::1]", "no port"},
        {"[::1", "no port"},
        {"[::1]8125", "no port"},
        {"udp://localhost:8125", "the port is '//localhost:8125'"},
        {"local host:8125", "no host"},
        {"a\nb:8125", "no host"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct statsd_address address = {.host = "untouched"};
        struct model_error err = MODEL_ERROR_INIT;
        assert_int_equal(statsd_address_parse(bad[i][0], &address, &err), MODEL_INVALID_ARGUMENT);
        if (strstr(err.message, bad[i][1]) == NULL)
            fail_msg("'%s' is not in '%s'", bad[i][1], err.message);
        assert_string_equal(address.host, "untouched");
    }
}

static void a_host_of_any_length_is_bounded(void **state)
{
    (void)state;
    char text[1000];
    struct statsd_address address;
    for (size_t n = 1; n < sizeof text - 6; n++) {
        memset(text, 'a', n);
        memcpy(text + n, ":8125", 6);
        assert_int_equal(statsd_address_parse(text, &address, NULL) == MODEL_OK, n < 256);
    }
}

static void numeric_addresses_need_no_lookup(void **state)
{
    (void)state;
    struct statsd_target target;
    struct statsd_address four = {"127.0.0.1", "8125"}, name = {"localhost", "8125"};
    assert_true(statsd_address_find(&four, true, &target));
    assert_int_equal(target.address.ss_family, AF_INET);
    assert_int_equal(ntohs(((struct sockaddr_in *)&target.address)->sin_port), 8125);
    assert_false(statsd_address_find(&name, true, &target));
}

static sem_t may_answer;

static bool find_later(const struct statsd_address *address, bool is_numeric,
                       struct statsd_target *ret)
{
    assert_string_equal(address->host, "server");
    assert_false(is_numeric);
    (void)sem_wait(&may_answer);
    ret->size_bytes = 7;
    return true;
}

static void a_lookup_ends_when_its_answer_comes(void **state)
{
    (void)state;
    struct statsd_address address = {"server", "8125"};
    struct statsd_target target = {.size_bytes = 1};
    bool has_found = false;
    assert_int_equal(sem_init(&may_answer, 0, 0), 0);
    struct statsd_lookup *lookup = statsd_lookup_start(&address, find_later);
    assert_non_null(lookup);
    assert_false(statsd_lookup_ended(lookup, &has_found, &target));
    assert_int_equal(sem_post(&may_answer), 0);
    while (!statsd_lookup_ended(lookup, &has_found, &target))
        (void)sched_yield();
    assert_true(has_found);
    assert_int_equal(target.size_bytes, 7);
    statsd_lookup_drop(lookup);
}

static sem_t has_answered;

static bool find_and_tell(const struct statsd_address *address, bool is_numeric,
                          struct statsd_target *ret)
{
    const bool found = find_later(address, is_numeric, ret);
    (void)sem_post(&has_answered);
    return found;
}

static void a_lookup_may_be_dropped_before_it_ends(void **state)
{
    (void)state;
    struct statsd_address address = {"server", "8125"};
    assert_int_equal(sem_init(&may_answer, 0, 0), 0);
    assert_int_equal(sem_init(&has_answered, 0, 0), 0);
    statsd_lookup_drop(statsd_lookup_start(&address, find_and_tell));
    statsd_lookup_drop(NULL);
    assert_int_equal(sem_post(&may_answer), 0);
    assert_int_equal(sem_wait(&has_answered), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_and_ports_are_read),
        cmocka_unit_test(what_is_no_address_is_refused_with_a_reason),
        cmocka_unit_test(a_host_of_any_length_is_bounded),
        cmocka_unit_test(numeric_addresses_need_no_lookup),
        cmocka_unit_test(a_lookup_ends_when_its_answer_comes),
        cmocka_unit_test(a_lookup_may_be_dropped_before_it_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
