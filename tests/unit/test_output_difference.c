/* test_output_difference.c - numbers worked out by hand: cosine, largest difference, agreement, likelihood. */
#include "dtype.h"
#include "output_difference.h"
#include "testing.h"

#include <math.h>

static struct output_difference difference;

static int set_up(void **state)
{
    (void)state;
    difference = (struct output_difference)OUTPUT_DIFFERENCE_INIT;
    return 0;
}

static struct model_tensor tensor_of(const char *name, float *data, int64_t a, int64_t b, int64_t c)
{
    const int64_t shape[] = {a, b, c};
    struct model_tensor tensor;
    tensor_init(&tensor, name, MODEL_F32, 3, shape, data);
    return tensor;
}

static bool add(const char *name, float *a, float *b, int64_t n)
{
    const struct model_tensor exact = tensor_of(name, a, 1, 1, n);
    const struct model_tensor other = tensor_of(name, b, 1, 1, n);
    return output_difference_add(&difference, &exact, &other);
}

static void the_worst_cosine_counts_and_has_a_name(void **state)
{
    (void)state;
    float a[] = {3, 4}, same[] = {6, 8}, b[] = {4, 3};
    assert_true(add("first", a, same, 2));
    assert_float_equal(difference.min_cosine, 1, 1e-12);
    assert_string_equal(difference.worst, "first");
    assert_float_equal(difference.max_abs, 4, 1e-12);
    assert_true(add("second", a, b, 2));
    assert_float_equal(difference.min_cosine, 24.0 / 25, 1e-12);
    assert_string_equal(difference.worst, "second");
    assert_true(add("third", a, a, 2));
    assert_string_equal(difference.worst, "second");
    assert_float_equal(difference.max_abs, 4, 1e-12);
}

static void zeros_are_like_zeros_only(void **state)
{
    (void)state;
    float zeros[] = {0, 0}, a[] = {1, 0};
    assert_true(add("zeros", zeros, zeros, 2));
    assert_float_equal(difference.min_cosine, 1, 0);
    assert_true(add("zeros", zeros, a, 2));
    assert_float_equal(difference.min_cosine, 0, 0);
}

static void what_is_no_number_is_as_far_as_can_be(void **state)
{
    (void)state;
    float a[] = {1, 2, -INFINITY}, b[] = {1, 2, -INFINITY}, c[] = {NAN, 2, -INFINITY};
    assert_true(add("masked alike", a, b, 3));
    assert_float_equal(difference.min_cosine, 1, 1e-12);
    assert_true(add("broken", a, c, 3));
    assert_float_equal(difference.min_cosine, -1, 0);
}

static void what_has_no_finite_number_is_known(void **state)
{
    (void)state;
    float none[] = {NAN, -INFINITY, INFINITY}, one[] = {NAN, -INFINITY, 0};
    const struct model_tensor without = tensor_of("x", none, 1, 1, 3);
    const struct model_tensor with = tensor_of("x", one, 1, 1, 3);
    const struct model_tensor empty = tensor_of("x", NULL, 1, 1, 0);
    assert_false(output_difference_has_numbers(&without));
    assert_true(output_difference_has_numbers(&with));
    assert_false(output_difference_has_numbers(&empty));
    assert_false(output_difference_add(&difference, &empty, &empty));
}

static void other_shapes_are_not_compared(void **state)
{
    (void)state;
    float a[] = {1, 2};
    const struct model_tensor exact = tensor_of("x", a, 1, 1, 2);
    const struct model_tensor other = tensor_of("x", a, 1, 2, 1);
    struct model_tensor whole = exact;
    whole.dtype = MODEL_I32;
    assert_false(output_difference_add(&difference, &exact, &other));
    assert_false(output_difference_add(&difference, &whole, &whole));
    assert_string_equal(difference.worst, "");
}

static void rows_agree_by_their_largest(void **state)
{
    (void)state;
    float a[] = {1, 2, 3, /**/ 5, 4, 3, /**/ 0, 9, 0}, b[] = {0, 1, 9, /**/ 4, 5, 3, /**/ 0, 1, 0};
    const struct model_tensor exact = tensor_of("logits", a, 1, 3, 3);
    const struct model_tensor other = tensor_of("logits", b, 1, 3, 3);
    output_difference_add_rows(&difference, &exact, &other);
    assert_int_equal(difference.n_rows, 3);
    assert_int_equal(difference.n_agreeing, 2);
}

static void a_row_of_no_numbers_agrees_with_none(void **state)
{
    (void)state;
    float a[] = {5, 4}, broken[] = {NAN, NAN};
    const struct model_tensor exact = tensor_of("logits", a, 1, 1, 2);
    const struct model_tensor other = tensor_of("logits", broken, 1, 1, 2);
    output_difference_add_rows(&difference, &exact, &other);
    assert_int_equal(difference.n_rows, 1);
    assert_int_equal(difference.n_agreeing, 0);
    output_difference_add_rows(&difference, &other, &other); /* both say the same */
    assert_int_equal(difference.n_agreeing, 1);
}

static void each_row_predicts_the_next_id(void **state)
{
    (void)state;
    /* Equal logits give each of two ids a half; a difference of ln 3 gives three quarters. */
    float even[] = {7, 7, /**/ 7, 7, /**/ 7, 7};
    float sure[] = {0, logf(3), /**/ logf(3), 0, /**/ 50, 0};
    const int64_t ids[] = {1, 1, 0}, beyond[] = {0, 2, 1};
    const struct model_tensor exact = tensor_of("logits", even, 1, 3, 2);
    const struct model_tensor other = tensor_of("logits", sure, 1, 3, 2);
    output_difference_add_predictions(&difference, &exact, &other, ids, 3);
    assert_int_equal(difference.n_predicted, 2);
    assert_float_equal(exp(difference.exact_nll / 2), 2, 1e-6);
    assert_float_equal(exp(difference.other_nll / 2), 4.0 / 3, 1e-6);
    output_difference_add_predictions(&difference, &exact, &other, beyond, 3);
    assert_int_equal(difference.n_predicted, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_worst_cosine_counts_and_has_a_name, set_up),
        cmocka_unit_test_setup(zeros_are_like_zeros_only, set_up),
        cmocka_unit_test_setup(what_is_no_number_is_as_far_as_can_be, set_up),
        cmocka_unit_test_setup(what_has_no_finite_number_is_known, set_up),
        cmocka_unit_test_setup(other_shapes_are_not_compared, set_up),
        cmocka_unit_test_setup(rows_agree_by_their_largest, set_up),
        cmocka_unit_test_setup(a_row_of_no_numbers_agrees_with_none, set_up),
        cmocka_unit_test_setup(each_row_predicts_the_next_id, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
