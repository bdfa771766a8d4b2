/* test_float_convert.c - rounding by a second way: the nearest of all halves, found by trying, and the
 * compiler's own conversions where it has them. Torch's rounding is compared in tests/system. */
#include "dtype.h"
#include "float_convert.h"
#include "testing.h"

#include <math.h>

/* What a half stands for, from the definition. */
static double half_value(uint16_t half)
{
    int exponent = half >> 10 & 31, mantissa = half & 1023;
    double value = exponent == 0    ? ldexp(mantissa, -24)
                   : exponent == 31 ? (mantissa == 0 ? HUGE_VAL : NAN)
                                    : ldexp(1024 + mantissa, exponent - 25);
    return half & 0x8000 ? -value : value;
}

static double brain_value(uint16_t brain)
{
    int exponent = brain >> 7 & 255, mantissa = brain & 127;
    double value = exponent == 0     ? ldexp(mantissa, -133)
                   : exponent == 255 ? (mantissa == 0 ? HUGE_VAL : NAN)
                                     : ldexp(128 + mantissa, exponent - 134);
    return brain & 0x8000 ? -value : value;
}

static void every_half_widens_exactly_and_comes_back(void **state)
{
    (void)state;
    static const struct {
        int32_t dtype;
        double (*value)(uint16_t);
    } types[] = {{MODEL_F16, half_value}, {MODEL_BF16, brain_value}};
    for (size_t t = 0; t < 2; t++)
        for (uint32_t i = 0; i < 65536; i++) {
            uint16_t half = (uint16_t)i, back = 0;
            double want = types[t].value(half), wide = 0, as_f64 = 0;
            float single = 0;
            assert_int_equal(float_convert(&half, types[t].dtype, 1, &single, MODEL_F32), 0);
            assert_int_equal(float_convert(&half, types[t].dtype, 1, &as_f64, MODEL_F64), 0);
            widen_to_double(&half, types[t].dtype, 1, &wide);
            if (isnan(want)) {
                assert_true(isnan(single) && isnan(wide) && isnan(as_f64));
                continue;
            }
            assert_true((double)single == want && wide == want && as_f64 == want);
            assert_int_equal(float_convert(&single, MODEL_F32, 1, &back, types[t].dtype), 0);
            assert_int_equal(back, half);
            assert_int_equal(float_convert(&wide, MODEL_F64, 1, &back, types[t].dtype), 0);
            assert_int_equal(back, half);
        }
}

/* Between two neighbours: the middle goes to the even one, what lies a hair beside it to the nearer one, also
 * when the hair is too thin for a float. */
static void doubles_round_once_to_the_nearest_half(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 0x7BFF; i++) {
        double low = half_value((uint16_t)i), high = half_value((uint16_t)(i + 1));
        double middle = (low + high) / 2;
        double from[4] = {middle, nextafter(middle, 0), nextafter(middle, 1e9), -middle};
        uint16_t even = (uint16_t)(i + (i & 1)), found[4];
        assert_int_equal(float_convert(from, MODEL_F64, 4, found, MODEL_F16), 0);
        assert_int_equal(found[0], even);
        assert_int_equal(found[1], i);
        assert_int_equal(found[2], i + 1);
        assert_int_equal(found[3], even | 0x8000);
    }
}

static void what_is_too_large_becomes_infinite_and_is_counted(void **state)
{
    (void)state;
    float from[] = {65519.99f, 65520.0f, -1e9f, HUGE_VALF, -HUGE_VALF, NAN, 3.4e38f, 1.0f};
    uint16_t to[8];
    assert_int_equal(float_convert(from, MODEL_F32, 8, to, MODEL_F16), 3);
    const uint16_t want[] = {0x7BFF, 0x7C00, 0xFC00, 0x7C00, 0xFC00};
    assert_memory_equal(to, want, sizeof want);
    assert_true((to[5] & 0x7C00) == 0x7C00 && (to[5] & 0x200) != 0);
    /* the largest BF16 is 3.3895e38, its border to infinity 3.3961e38 */
    assert_int_equal(float_convert(from, MODEL_F32, 8, to, MODEL_BF16), 1);
    from[6] = 3.396e38f;
    assert_int_equal(float_convert(from, MODEL_F32, 8, to, MODEL_BF16), 0);
    double large[] = {1e300, -1e39, 1.0};
    float single[3];
    assert_int_equal(float_convert(large, MODEL_F64, 3, single, MODEL_F32), 2);
    assert_true(isinf(single[0]) && isinf(single[1]) && single[2] == 1.0f);
    assert_int_equal(float_convert(large, MODEL_F64, 3, to, MODEL_BF16), 2);
}

static void a_nan_stays_one_whatever_its_bits(void **state)
{
    static const uint32_t nans[] = {0x7F800001, 0x7FFFFFFF, 0xFF800001, 0x7F80FFFF, 0x7FC00000};
    (void)state;
    for (size_t i = 0; i < sizeof nans / sizeof nans[0]; i++) {
        uint16_t half = 0, brain = 0;
        assert_int_equal(float_convert(&nans[i], MODEL_F32, 1, &half, MODEL_F16), 0);
        assert_int_equal(float_convert(&nans[i], MODEL_F32, 1, &brain, MODEL_BF16), 0);
        assert_true(isnan(half_value(half)) && isnan(brain_value(brain)));
        assert_int_equal(half >> 15, nans[i] >> 31);
        assert_int_equal(brain >> 15, nans[i] >> 31);
    }
}

static void data_may_lie_askew_and_in_many_blocks(void **state)
{
    (void)state;
    enum { N = 5000 };
    uint8_t *memory = malloc(N * 4 + 3);
    uint16_t *to = malloc(N * 2);
    assert_true(memory != NULL && to != NULL);
    for (size_t i = 0; i < N; i++) {
        float value = (float)i;
        memcpy(memory + 3 + 4 * i, &value, 4);
    }
    assert_int_equal(float_convert(memory + 3, MODEL_F32, N, to, MODEL_F16), 0);
    for (size_t i = 0; i < 2048; i++)
        assert_true(half_value(to[i]) == (double)i);
    free(to);
    free(memory);
}

static void integers_and_small_floats_widen(void **state)
{
    (void)state;
    double to[3];
    widen_to_double((int8_t[]){-128, 0, 127}, MODEL_I8, 3, to);
    assert_true(to[0] == -128 && to[1] == 0 && to[2] == 127);
    widen_to_double((uint64_t[]){UINT64_MAX}, MODEL_U64, 1, to);
    assert_true(to[0] == 0x1p64);
    widen_to_double((int64_t[]){INT64_MIN}, MODEL_I64, 1, to);
    assert_true(to[0] == -0x1p63);
    widen_to_double((uint8_t[]){0, 1, 255}, MODEL_BOOL, 3, to);
    assert_true(to[0] == 0 && to[1] == 1 && to[2] == 1);
    /* E4M3: 1.0, the largest, the least; E5M2: 1.0, infinity, the least */
    widen_to_double((uint8_t[]){0x38, 0x7E, 0x81}, MODEL_F8_E4M3, 3, to);
    assert_true(to[0] == 1 && to[1] == 448 && to[2] == -0x1p-9);
    widen_to_double((uint8_t[]){0x7F}, MODEL_F8_E4M3, 1, to);
    assert_true(isnan(to[0]));
    widen_to_double((uint8_t[]){0x3C, 0xFC, 0x01}, MODEL_F8_E5M2, 3, to);
    assert_true(to[0] == 1 && isinf(to[1]) && to[2] == 0x1p-16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_half_widens_exactly_and_comes_back),
        cmocka_unit_test(doubles_round_once_to_the_nearest_half),
        cmocka_unit_test(what_is_too_large_becomes_infinite_and_is_counted),
        cmocka_unit_test(a_nan_stays_one_whatever_its_bits),
        cmocka_unit_test(data_may_lie_askew_and_in_many_blocks),
        cmocka_unit_test(integers_and_small_floats_widen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
