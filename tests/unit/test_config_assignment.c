/* test_config_assignment.c - options as a command line says them. */
#include "config_assignment.h"
#include "errors.h"
#include "testing.h"

static struct modelhost_options host = MODELHOST_OPTIONS_INIT;
static struct modelhost_load_options model = MODELHOST_LOAD_OPTIONS_INIT;

static void assert_set(const char *assignment)
{
    struct model_error err = MODEL_ERROR_INIT;
    if (config_assignment_apply(assignment, &host, &model, &err) != MODEL_OK)
        fail_msg("%s: %s", assignment, err.message);
}

static void each_kind_of_option_can_be_set(void **state)
{
    (void)state;
    const char *address = "statsd_address=localhost:8125";
    assert_set("max_batch=8");
    assert_set("load_policy=conformant");
    assert_set("breaker_success_rate=0.5");
    assert_set("load_timeout_ms=1500");
    assert_set("cache_bytes=1e9");
    assert_set(address);
    assert_set("backend=coreml,cpu=1"); /* only the first '=' parts */
    assert_int_equal(model.max_batch, 8);
    assert_int_equal(host.load_policy, MODELHOST_LOAD_CONFORMANT);
    assert_true(model.breaker_success_rate == 0.5);
    assert_int_equal(model.load_timeout_ms, 1500);
    assert_int_equal(host.cache_bytes, 1000000000);
    assert_ptr_equal(host.statsd_address, strchr(address, '=') + 1);
    assert_string_equal(model.backend, "coreml,cpu=1");
}

static void what_is_wrong_is_told(void **state)
{
    static const char *const cases[][2] = {
        {"max_batch", "'max_batch', want KEY=VALUE"},
        {"max_bach=8", "max_bach is not known; `modelhost config keys` lists what is"},
        {"=8", " is not known; `modelhost config keys` lists what is"},
        {"max_batch=", "option.max_batch: want a whole number from 0 to 1024"},
        {"max_batch=8x", "option.max_batch: want a whole number from 0 to 1024"},
        {"max_batch=-1", "option.max_batch: want a whole number from 0 to 1024"},
        {"max_batch=nan", "option.max_batch: want a whole number from 0 to 1024"},
        {"load_policy=all", "option.load_policy: want one of \"any\", \"conformant\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct model_error err = MODEL_ERROR_INIT;
        assert_int_equal(config_assignment_apply(cases[i][0], &host, &model, &err),
                         MODEL_INVALID_ARGUMENT);
        assert_string_equal(err.message, cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_option_can_be_set),
        cmocka_unit_test(what_is_wrong_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
