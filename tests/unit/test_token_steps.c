/* test_token_steps.c - which times between tokens count, by a clock that the tests turn. */
#include "testing.h"
#include "token_steps.h"

static void one_prompt_counts_from_token_to_token(void **state)
{
    (void)state;
    struct token_steps steps = {0};
    assert_int_equal(token_steps_take(&steps, 0, 1000), -1);
    assert_int_equal(token_steps_take(&steps, 0, 1007), 7);
    assert_int_equal(token_steps_take(&steps, 0, 1016), 9);
}

/* It was 1007 ns: a prompt was read meanwhile. */
static void reading_another_prompt_is_no_step(void **state)
{
    (void)state;
    struct token_steps steps = {0};
    assert_int_equal(token_steps_take(&steps, 0, 1000), -1);
    assert_int_equal(token_steps_take(&steps, 1, 1500), -1);
    assert_int_equal(token_steps_take(&steps, 2, 2000), -1);
    assert_int_equal(token_steps_take(&steps, 0, 2007), 7);
    assert_int_equal(token_steps_take(&steps, 1, 2008), -1);
    assert_int_equal(token_steps_take(&steps, 2, 2009), -1);
    assert_int_equal(token_steps_take(&steps, 0, 2015), 8);
}

/* More prompts than a step has room for are read when others have ended. */
static void prompts_that_are_read_later_do_not_count_either(void **state)
{
    (void)state;
    struct token_steps steps = {0};
    assert_int_equal(token_steps_take(&steps, 0, 1000), -1);
    assert_int_equal(token_steps_take(&steps, 0, 1007), 7);
    assert_int_equal(token_steps_take(&steps, 1, 5000), -1);
    assert_int_equal(token_steps_take(&steps, 0, 5006), 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_prompt_counts_from_token_to_token),
        cmocka_unit_test(reading_another_prompt_is_no_step),
        cmocka_unit_test(prompts_that_are_read_later_do_not_count_either),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
