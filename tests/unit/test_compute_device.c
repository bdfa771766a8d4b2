/* test_compute_device.c - whether a model computes on the device that it was asked for. */
#include "compute_device.h"
#include "errors.h"
#include "testing.h"

static model_status check(const char *asked, const char *taken, struct model_error *err)
{
    const struct model_description description = {.struct_size = sizeof description,
                                                  .device = taken};
    return compute_device_check(asked, &description, err);
}

static void another_device_than_the_one_asked_for_is_refused(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(check("cpu", "npu", &err), MODEL_UNSUPPORTED);
    assert_string_equal(err.message,
                        "it computes on device npu, cpu was asked for; take a plugin that does "
                        "without, or the backend as it is");
}

static void nothing_asked_for_nothing_said_and_the_same_are_fine(void **state)
{
    (void)state;
    assert_int_equal(check(NULL, "npu", NULL), MODEL_OK);
    assert_int_equal(check("cpu", NULL, NULL), MODEL_OK);
    assert_int_equal(check("cpu", "cpu", NULL), MODEL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_device_than_the_one_asked_for_is_refused),
        cmocka_unit_test(nothing_asked_for_nothing_said_and_the_same_are_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
