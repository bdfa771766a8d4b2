/* test_mirror_fault.c - which requests a fault strikes: a matter of counting. */
#include "errors.h"
#include "mirror_fault.h"
#include "testing.h"

static struct mirror_faults *make(const char *first, const char *second)
{
    const char *texts[] = {first, second};
    struct mirror_faults *faults = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    if (mirror_faults_create(texts, second != NULL ? 2 : 1, &faults, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return faults;
}

static void only_the_modes_that_were_named_are_on(void **state)
{
    (void)state;
    struct mirror_faults *faults = make("416", "slow=17");
    assert_true(mirror_fault_is_on(faults, FAULT_416));
    assert_true(mirror_fault_is_on(faults, FAULT_SLOW));
    assert_int_equal(mirror_fault_argument(faults, FAULT_SLOW), 17);
    assert_false(mirror_fault_is_on(faults, FAULT_GZIP));
    assert_false(mirror_fault_strikes(faults, FAULT_GZIP, "x"));
    assert_false(mirror_fault_is_on(NULL, FAULT_416));
    mirror_faults_destroy(faults);
}

static void a_fault_strikes_the_first_requests_of_each_key(void **state)
{
    (void)state;
    struct mirror_faults *faults = make("truncate=2", "stall");
    assert_true(mirror_fault_strikes(faults, FAULT_TRUNCATE, "a"));
    assert_true(mirror_fault_strikes(faults, FAULT_TRUNCATE, "b"));
    assert_true(mirror_fault_strikes(faults, FAULT_TRUNCATE, "a"));
    assert_false(mirror_fault_strikes(faults, FAULT_TRUNCATE, "a"));
    assert_true(mirror_fault_strikes(faults, FAULT_TRUNCATE, "b"));
    assert_false(mirror_fault_strikes(faults, FAULT_TRUNCATE, "b"));
    assert_true(mirror_fault_strikes(faults, FAULT_STALL, "a"));
    assert_false(mirror_fault_strikes(faults, FAULT_STALL, "a"));
    mirror_faults_destroy(faults);
}

static void always_and_never_can_be_said(void **state)
{
    (void)state;
    struct mirror_faults *faults = make("truncate=always", "stall=0");
    for (int i = 0; i < 1000; i++) {
        assert_true(mirror_fault_strikes(faults, FAULT_TRUNCATE, "a"));
        assert_false(mirror_fault_strikes(faults, FAULT_STALL, "a"));
    }
    mirror_faults_destroy(faults);
}

static void counters_of_many_keys_are_apart(void **state)
{
    (void)state;
    char key[20];
    struct mirror_faults *faults = make("truncate", NULL);
    for (uint64_t round = 0; round < 3; round++)
        for (int i = 0; i < 5000; i++) {
            (void)snprintf(key, sizeof key, "k%d", i);
            assert_int_equal(mirror_fault_count(faults, FAULT_TRUNCATE, key), round);
            assert_int_equal(mirror_fault_counted(faults, FAULT_TRUNCATE, key), round + 1);
            assert_int_equal(mirror_fault_counted(faults, FAULT_STALL, key), 0);
        }
    mirror_faults_destroy(faults);
}

static void expiring_addresses_need_a_content_network(void **state)
{
    (void)state;
    struct mirror_faults *faults = make("expire-403", NULL);
    assert_true(mirror_fault_is_on(faults, FAULT_CDN_302));
    mirror_faults_destroy(faults);
}

static void check_refused(const char *text, const char *why)
{
    struct mirror_faults *faults = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(mirror_faults_create(&text, 1, &faults, &err), MODEL_INVALID_ARGUMENT);
    assert_null(faults);
    assert_non_null(strstr(err.message, why));
}

static void a_wrong_mode_is_refused_with_the_ones_there_are(void **state)
{
    (void)state;
    check_refused("truncated", "there is no fault 'truncated'; want one of rename-307, ");
    check_refused("", "corrupt-same-length");
    check_refused("stall=", "the fault stall wants a number or 'always', but got ''");
    check_refused("stall=-1", "but got '-1'");
    check_refused("stall=1234567890123", "but got '1234567890123'");
}

static void help_lists_every_mode_once(void **state)
{
    (void)state;
    const char *line;
    size_t n = 0;
    for (; (line = mirror_fault_help(n)) != NULL; n++) {
        assert_memory_equal(line, "    ", 4);
        assert_int_equal(line[strlen(line) - 1], '\n');
    }
    assert_int_equal(n, FAULT_N_MODES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_modes_that_were_named_are_on),
        cmocka_unit_test(a_fault_strikes_the_first_requests_of_each_key),
        cmocka_unit_test(always_and_never_can_be_said),
        cmocka_unit_test(counters_of_many_keys_are_apart),
        cmocka_unit_test(expiring_addresses_need_a_content_network),
        cmocka_unit_test(a_wrong_mode_is_refused_with_the_ones_there_are),
        cmocka_unit_test(help_lists_every_mode_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
