/* test_environment.c - defaults out of the environment. */
#include "environment.h"
#include "errors.h"
#include "failing_memory.h"
#include "files.h"
#include "testing.h"

static int clear_environment(void **state)
{
    (void)state;
    static const char *const names[] = {"MODELHOST_STORE", "MODELHOST_PLUGIN_PATH",
                                        "XDG_CACHE_HOME", "HOME", "MODELHOST_TEST_FLAG"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        (void)unsetenv(names[i]);
    return 0;
}

static void set(const char *name, const char *value)
{
    assert_int_equal(setenv(name, value, 1), 0);
}

static void expect_store(const char *want)
{
    char *path = NULL;
    assert_int_equal(environment_store_dir(&path, NULL), MODEL_OK);
    assert_string_equal(path, want);
    free(path);
}

static void the_store_is_the_most_special_setting(void **state)
{
    (void)state;
    set("HOME", "/home/u");
    expect_store("/home/u/.cache/modelhost");
    set("XDG_CACHE_HOME", "/cache");
    expect_store("/cache/modelhost");
    set("MODELHOST_STORE", "/models");
    expect_store("/models");
}

static void an_empty_setting_is_none(void **state)
{
    (void)state;
    set("MODELHOST_STORE", "");
    set("XDG_CACHE_HOME", "");
    set("HOME", "/home/u");
    expect_store("/home/u/.cache/modelhost");
    assert_null(environment_value("MODELHOST_STORE"));
}

static void without_any_setting_the_remedy_is_named(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    char *path = NULL;
    assert_int_equal(environment_store_dir(&path, &err), MODEL_NOT_FOUND);
    assert_string_equal(err.message,
                        "no store: neither MODELHOST_STORE nor HOME is set; give --store DIR");
    assert_null(path);
}

static void the_plugin_path_is_the_setting_as_it_is(void **state)
{
    (void)state;
    char *path = NULL;
    set("MODELHOST_PLUGIN_PATH", "/a:/b");
    assert_int_equal(environment_plugin_path(&path, NULL), MODEL_OK);
    assert_string_equal(path, "/a:/b");
    free(path);
}

/* This program stands in $BUILD/tests, and $BUILD/lib/modelhost/plugins is there once a plugin was
 * built: the same shape as an installation. */
static void the_default_plugin_path_is_beside_the_program_or_the_prefix(void **state)
{
    (void)state;
    char *path = NULL;
    assert_int_equal(environment_plugin_path(&path, NULL), MODEL_OK);
    static const char beside[] = "/tests/../lib/modelhost/plugins";
    size_t length = strlen(path), n = sizeof beside - 1;
    if (path_is_dir(path) && length > n && strcmp(path + length - n, beside) == 0)
        assert_int_equal(path[0], '/');
    else
        assert_string_equal(path, MODELHOST_PREFIX "/lib/modelhost/plugins");
    free(path);
}

static void flags_know_yes_in_any_case(void **state)
{
    (void)state;
    static const char *const yes[] = {"1", "true", "TRUE", "Yes", "on", "ON"};
    static const char *const no[] = {"", "0", "false", "no", "off", "2", "1 ", "y"};
    assert_false(environment_flag("MODELHOST_TEST_FLAG"));
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        set("MODELHOST_TEST_FLAG", yes[i]);
        assert_true(environment_flag("MODELHOST_TEST_FLAG"));
    }
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        set("MODELHOST_TEST_FLAG", no[i]);
        assert_false(environment_flag("MODELHOST_TEST_FLAG"));
    }
}

static void demands_hold_unless_they_are_taken_back(void **state)
{
    (void)state;
    static const char *const yes[] = {"1", "true", "y", "2", "enabled", "required", " 1", "00"};
    static const char *const no[] = {"", "0", "false", "FALSE", "No", "off", "OFF"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        set("MODELHOST_TEST_DEMAND", yes[i]);
        assert_true(environment_demand("MODELHOST_TEST_DEMAND"));
    }
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        set("MODELHOST_TEST_DEMAND", no[i]);
        assert_false(environment_demand("MODELHOST_TEST_DEMAND"));
    }
    assert_false(environment_demand("MODELHOST_TEST_DEMAND_UNSET"));
}

static void without_memory_nothing_is_given(void **state)
{
    (void)state;
    char *path = NULL;
    set("MODELHOST_STORE", "/models");
    set("MODELHOST_PLUGIN_PATH", "/plugins");
    failing_memory_after(0);
    assert_int_equal(environment_store_dir(&path, NULL), MODEL_OUT_OF_MEMORY);
    assert_true(failing_memory_end());
    failing_memory_after(0);
    assert_int_equal(environment_plugin_path(&path, NULL), MODEL_OUT_OF_MEMORY);
    assert_true(failing_memory_end());
    assert_null(path);
}

#define CLEAN(test) cmocka_unit_test_setup(test, clear_environment)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLEAN(the_store_is_the_most_special_setting),
        CLEAN(an_empty_setting_is_none),
        CLEAN(without_any_setting_the_remedy_is_named),
        CLEAN(the_plugin_path_is_the_setting_as_it_is),
        CLEAN(the_default_plugin_path_is_beside_the_program_or_the_prefix),
        CLEAN(flags_know_yes_in_any_case),
        CLEAN(demands_hold_unless_they_are_taken_back),
        CLEAN(without_memory_nothing_is_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
