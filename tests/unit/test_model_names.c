/* test_model_names.c - host/metrics/model_names.c: one name for each package of a host. */
#include "model_names.h"
#include "testing.h"

static int set_up(void **state)
{
    static struct model_names names;
    assert_int_equal(model_names_init(&names, NULL), MODEL_OK);
    *state = &names;
    return 0;
}

static int tear_down(void **state)
{
    model_names_finish(*state);
    return 0;
}

static void assert_called(struct model_names *names, const char *wanted, const char *dir,
                          const char *name)
{
    char *taken = NULL;
    assert_int_equal(model_names_take(names, wanted, dir, &taken, NULL), MODEL_OK);
    assert_string_equal(taken, name);
    free(taken);
}

static void a_package_keeps_its_name(void **state)
{
    assert_called(*state, "bert", "/a/bert", "bert");
    assert_called(*state, "gpt2", "/a/gpt2", "gpt2");
    assert_called(*state, "bert", "/a/bert", "bert");
}

static void another_package_of_the_name_gets_a_number_for_good(void **state)
{
    assert_called(*state, "bert", "/a/bert", "bert");
    assert_called(*state, "bert", "/b/bert", "bert-2");
    assert_called(*state, "bert", "/c/bert", "bert-3");
    assert_called(*state, "bert", "/b/bert", "bert-2");
    assert_called(*state, "bert", "/a/bert", "bert");
}

static void a_number_is_not_given_to_whom_has_it_already(void **state)
{
    assert_called(*state, "bert-2", "/a/bert-2", "bert-2");
    assert_called(*state, "bert", "/a/bert", "bert");
    assert_called(*state, "bert", "/b/bert", "bert-3");
    assert_called(*state, "bert-3", "/c/bert-3", "bert-3-2");
}

static void one_package_may_have_two_names(void **state)
{
    assert_called(*state, "small", "/a/bert", "small");
    assert_called(*state, "large", "/a/bert", "large");
}

static void names_are_bounded_in_number_and_length(void **state)
{
    char dir[32], name[2 * MODEL_NAMES_MAX_BYTES + 1];
    struct model_names *names = *state;
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    char *taken = NULL;
    assert_int_equal(model_names_take(names, name, "/x", &taken, NULL), MODEL_OK);
    assert_int_equal(strlen(taken), MODEL_NAMES_MAX_BYTES);
    free(taken);
    for (int i = 0; i < MODEL_NAMES_MAX + 5; i++) {
        (void)snprintf(dir, sizeof dir, "/%d", i);
        assert_int_equal(model_names_take(names, dir, dir, &taken, NULL), MODEL_OK);
        assert_string_equal(taken, dir);
        free(taken);
    }
    assert_int_equal(names->n_names, MODEL_NAMES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_package_keeps_its_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_package_of_the_name_gets_a_number_for_good, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_number_is_not_given_to_whom_has_it_already, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(one_package_may_have_two_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_are_bounded_in_number_and_length, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
