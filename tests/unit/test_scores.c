/* test_scores.c - probabilities and the best of them; covers host/pipelines/text_offsets.c too. */
#include "errors.h"
#include "scores.h"
#include "testing.h"
#include "text_offsets.h"

#include <math.h>

static void softmax_sums_to_one_even_for_huge_logits(void **state)
{
    (void)state;
    const float logits[] = {1000.0f, 999.0f, -1000.0f};
    double scores[3];
    scores_softmax(logits, 3, scores);
    assert_true(fabs(scores[0] - 0.7310585786300049) < 1e-12); /* 1 / (1 + e^-1) */
    assert_true(fabs(scores[0] + scores[1] + scores[2] - 1) < 1e-12);
    assert_true(scores[2] == 0);
}

static void softmax_of_nothing_visible_is_zero_not_nan(void **state)
{
    (void)state;
    const float hidden[] = {-INFINITY, -INFINITY}, broken[] = {NAN, 1.0f};
    double scores[2];
    scores_softmax(hidden, 2, scores);
    assert_true(scores[0] == 0 && scores[1] == 0);
    scores_softmax(broken, 2, scores);
    assert_true(scores[0] == 0 && scores[1] == 1);
}

static void sigmoid_of_zero_is_a_half(void **state)
{
    (void)state;
    assert_true(scores_sigmoid(0) == 0.5);
    assert_true(fabs(scores_sigmoid(2) - 0.8807970779778823) < 1e-15);
    assert_true(scores_sigmoid(-1000) == 0);
}

static void the_best_come_first_and_ties_by_index(void **state)
{
    (void)state;
    const double scores[] = {0.1, 0.5, 0.3, 0.5, 0.2};
    size_t order[8];
    assert_int_equal(scores_top(scores, 5, 3, order), 3);
    assert_int_equal(order[0], 1);
    assert_int_equal(order[1], 3);
    assert_int_equal(order[2], 2);
    assert_int_equal(scores_top(scores, 2, 8, order), 2);
    assert_int_equal(scores_top(scores, 0, 3, order), 0);
}

static void numbers_carry_the_digits_of_a_float(void **state)
{
    (void)state;
    json_node *array = json_new_array();
    scores_add(array, NULL, (double)0.1f);
    scores_add(array, NULL, (double)INFINITY);
    scores_add(array, NULL, (double)-1.5e-20f);
    char *text = json_print(array, false);
    assert_string_equal(text, "[0.1,null,-1.5e-20]");
    free(text);
    json_free(array);
}

static void offsets_are_counted_in_characters(void **state)
{
    (void)state;
    const char *text = "caf\xC3\xA9 \xE6\x97\xA5\xE6\x9C\xAC ok"; /* cafe', two ideographs, ok */
    json_node *node = json_new_object();
    assert_int_equal(text_offsets_add(node, "word", text, strlen(text), 6, 12, NULL), MODEL_OK);
    char *json = json_print(node, false);
    assert_string_equal(json, "{\"word\":\"\xE6\x97\xA5\xE6\x9C\xAC\",\"start\":5,\"end\":7}");
    free(json);
    assert_int_equal(text_offsets_add(node, "word", text, strlen(text), 3, 99, NULL),
                     MODEL_INTERNAL);
    json_free(node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(softmax_sums_to_one_even_for_huge_logits),
        cmocka_unit_test(softmax_of_nothing_visible_is_zero_not_nan),
        cmocka_unit_test(sigmoid_of_zero_is_a_half),
        cmocka_unit_test(the_best_come_first_and_ties_by_index),
        cmocka_unit_test(numbers_carry_the_digits_of_a_float),
        cmocka_unit_test(offsets_are_counted_in_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
