/* test_plugin_error.c - what comes back from a plugin is made fit to be shown. */
#include "errors.h"
#include "plugin_error.h"
#include "testing.h"

static void a_sentence_without_an_end_gets_one(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    memset(err.message, 'x', sizeof err.message);
    plugin_error_tidy(&err, MODEL_INTERNAL, "silent");
    assert_int_equal(strlen(err.message), MODEL_ERROR_BYTES - 1);
}

static void control_characters_and_broken_text_do_not_reach_a_terminal(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    (void)snprintf(err.message, sizeof err.message,
                   "a\n\033[31mb\xff"
                   "c");
    plugin_error_tidy(&err, MODEL_INTERNAL, "silent");
    assert_string_equal(err.message, "a  [31mb");
}

static void a_failure_without_a_word_gets_one_and_a_success_none(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    plugin_error_tidy(&err, MODEL_INTERNAL, "silent");
    assert_string_equal(err.message, "silent");
    plugin_error_tidy(&err, MODEL_OK, "silent");
    assert_string_equal(err.message, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sentence_without_an_end_gets_one),
        cmocka_unit_test(control_characters_and_broken_text_do_not_reach_a_terminal),
        cmocka_unit_test(a_failure_without_a_word_gets_one_and_a_success_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
