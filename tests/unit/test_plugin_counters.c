/* test_plugin_counters.c - what plugins count adds up, within bounds. */
#include "plugin_counters.h"
#include "testing.h"

static struct plugin_counters counters;

static int set_up(void **state)
{
    (void)state;
    return plugin_counters_init(&counters);
}

static int tear_down(void **state)
{
    (void)state;
    plugin_counters_finish(&counters);
    return 0;
}

static void counts_of_one_name_add_up(void **state)
{
    (void)state;
    plugin_counters_add(&counters, "tokens", 2);
    plugin_counters_add(&counters, "other", 1);
    plugin_counters_add(&counters, "tokens", 3);
    assert_int_equal(counters.n_counters, 2);
    assert_string_equal(counters.counters[0].name, "tokens");
    assert_int_equal(counters.counters[0].value, 5);
    assert_int_equal(counters.counters[1].value, 1);
    assert_int_equal(plugin_counters_value(&counters, "tokens"), 5);
    assert_int_equal(plugin_counters_value(&counters, "never"), 0);
}

static void names_beyond_the_bound_are_not_counted(void **state)
{
    (void)state;
    char name[64];
    for (int i = 0; i < 2 * PLUGIN_COUNTERS_MAX; i++) {
        (void)snprintf(name, sizeof name, "counter_%d", i);
        plugin_counters_add(&counters, name, 1);
    }
    assert_int_equal(counters.n_counters, PLUGIN_COUNTERS_MAX);
    plugin_counters_add(&counters, "counter_0", 1);
    assert_int_equal(counters.counters[0].value, 2);
}

static void names_that_are_no_names_are_not_counted(void **state)
{
    (void)state;
    static const char *const names[] = {"",
                                        "Upper",
                                        "a b",
                                        "a\"} 1\nb",
                                        "\xff",
                                        "a.b",
                                        "a_name_that_is_as_long_as_there_is_room_for_it__"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        plugin_counters_add(&counters, names[i], 1);
    plugin_counters_add(&counters, NULL, 1);
    assert_int_equal(counters.n_counters, 0);
    assert_int_equal(strlen(names[6]), PLUGIN_COUNTERS_NAME_BYTES);
    plugin_counters_add(&counters, names[6] + 1, 1);
    assert_int_equal(counters.n_counters, 1);
}

static void what_is_taken_is_what_came_since(void **state)
{
    (void)state;
    struct plugin_count taken[PLUGIN_COUNTERS_MAX];
    assert_int_equal(plugin_counters_take(&counters, taken), 0);
    plugin_counters_add(&counters, "a", 2);
    plugin_counters_add(&counters, "b", 1);
    plugin_counters_add(&counters, "a", 3);
    assert_int_equal(plugin_counters_take(&counters, taken), 2);
    assert_string_equal(taken[0].name, "a");
    assert_int_equal(taken[0].delta, 5);
    assert_int_equal(taken[1].delta, 1);
    assert_int_equal(plugin_counters_take(&counters, taken), 0);
    plugin_counters_add(&counters, "b", 4);
    assert_int_equal(plugin_counters_take(&counters, taken), 1);
    assert_string_equal(taken[0].name, "b");
    assert_int_equal(taken[0].delta, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(counts_of_one_name_add_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_taken_is_what_came_since, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_beyond_the_bound_are_not_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_that_are_no_names_are_not_counted, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
