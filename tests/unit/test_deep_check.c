/* test_deep_check.c - numbers that are none, in every type that has them. The command: test_life.sh. */
#include "deep_check.h"
#include "dtype.h"
#include "testing.h"

static uint64_t count(int32_t dtype, void *data, int64_t n, uint64_t *first)
{
    struct model_tensor tensor = {.struct_size = sizeof tensor};
    tensor_init(&tensor, "w", dtype, 1, &n, data);
    return deep_check_count_nan(&tensor, first);
}

static void infinity_is_a_number_and_nan_is_none(void **state)
{
    uint32_t f32[] = {0x3f800000u, 0x7f800000u, 0xff800000u, 0x7fc00000u, 0xffc00001u, 0x7f800001u};
    uint16_t f16[] = {0x3c00u, 0x7c00u, 0xfc00u, 0x7e00u, 0xfc01u};
    uint16_t bf16[] = {0x3f80u, 0x7f80u, 0xff80u, 0x7fc0u, 0xff81u};
    uint64_t f64[] = {0x3ff0000000000000ull, 0x7ff0000000000000ull, 0xfff8000000000000ull};
    uint64_t first = 0;
    (void)state;
    assert_int_equal(count(MODEL_F32, f32, 6, &first), 3);
    assert_int_equal(first, 3);
    assert_int_equal(count(MODEL_F16, f16, 5, &first), 2);
    assert_int_equal(first, 3);
    assert_int_equal(count(MODEL_BF16, bf16, 5, &first), 2);
    assert_int_equal(first, 3);
    assert_int_equal(count(MODEL_F64, f64, 3, &first), 1);
    assert_int_equal(first, 2);
    assert_int_equal(count(MODEL_I32, f32, 6, &first), 0);
    assert_int_equal(count(MODEL_F32, f32, 0, &first), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(infinity_is_a_number_and_nan_is_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
