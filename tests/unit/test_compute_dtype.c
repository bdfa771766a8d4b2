/* test_compute_dtype.c - what is asked of a plugin, and that it must have taken it. */
#include "compute_dtype.h"
#include "errors.h"
#include "testing.h"

static void nothing_is_asked_for_by_default(void **state)
{
    (void)state;
    assert_null(compute_dtype_asked(MODELHOST_F32));
    assert_string_equal(compute_dtype_asked(MODELHOST_BF16), "bf16");
    assert_string_equal(compute_dtype_asked(MODELHOST_INT8), "int8");
    assert_string_equal(compute_dtype_asked(MODELHOST_INT4), "int4");
}

static void an_unknown_number_asks_for_nothing(void **state)
{
    (void)state;
    assert_null(compute_dtype_asked(-1));
    assert_null(compute_dtype_asked(MODELHOST_INT4 + 1));
}

static void a_model_that_took_it_passes(void **state)
{
    (void)state;
    const struct model_description description = {.struct_size = sizeof description,
                                                  .compute_dtype = "bf16"};
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(compute_dtype_check(MODELHOST_BF16, &description, &err), MODEL_OK);
    assert_int_equal(compute_dtype_check(MODELHOST_F32, &description, &err), MODEL_OK);
}

static void a_model_that_did_not_hear_of_it_is_refused_with_both_names(void **state)
{
    (void)state;
    const struct model_description description = {.struct_size = sizeof description};
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(compute_dtype_check(MODELHOST_INT8, &description, &err), MODEL_UNSUPPORTED);
    assert_non_null(strstr(err.message, "computes in f32"));
    assert_non_null(strstr(err.message, "dtype int8"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_asked_for_by_default),
        cmocka_unit_test(an_unknown_number_asks_for_nothing),
        cmocka_unit_test(a_model_that_took_it_passes),
        cmocka_unit_test(a_model_that_did_not_hear_of_it_is_refused_with_both_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
