/* test_bridge_layout.c - numbers of arrays with strides, to and from dense tensors (plugins/coreml-ane/bridge/bridge_layout.c).
 * Halves are told by their bits, as IEEE 754 has them. */
#include "bridge_layout.h"
#include "testing.h"

#include <math.h>

#define N(list) (sizeof(list) / sizeof *(list))

static const double numbers[] = {0, 1, -2, 0.5, 100, 65504};
static const uint16_t halves[] = {0x0000, 0x3C00, 0xC000, 0x3800, 0x5640, 0x7BFF};

/* (2, 3) in rows of four: element i is at places[i]. */
static const size_t places[] = {0, 1, 2, 4, 5, 6};
static struct bridge_layout padded(enum bridge_type type)
{
    return (struct bridge_layout){type, 2, {2, 3}, {4, 1}};
}

static void gathers_out_of_padded_rows_of_every_type(void **state)
{
    (void)state;
    double f64[8];
    float f32[8], dense[6];
    uint16_t f16[8];
    int32_t i32[8];
    for (size_t i = 0; i < 6; i++) {
        f64[places[i]] = numbers[i];
        f32[places[i]] = (float)numbers[i];
        f16[places[i]] = halves[i];
        i32[places[i]] = (int32_t)numbers[i];
    }
    const struct {
        enum bridge_type type;
        const void *data;
        int64_t bytes;
    } cases[] = {{BRIDGE_F64, f64, 56}, {BRIDGE_F32, f32, 28}, {BRIDGE_F16, f16, 14}};
    struct bridge_layout layout;
    for (size_t k = 0; k < N(cases); k++) {
        layout = padded(cases[k].type);
        assert_true(bridge_gather(&layout, cases[k].data, cases[k].bytes, MODEL_F32, dense));
        for (size_t i = 0; i < 6; i++)
            assert_true((double)dense[i] == numbers[i]);
    }
    layout = padded(BRIDGE_I32);
    int32_t whole[6];
    assert_true(bridge_gather(&layout, i32, 28, MODEL_I32, whole));
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(whole[i], (int32_t)numbers[i]);
}

static void scatters_into_padded_rows_and_leaves_the_gaps(void **state)
{
    (void)state;
    float dense[6];
    uint16_t f16[8];
    double f64[8];
    memset(f16, 0xAB, sizeof f16);
    memset(f64, 0xAB, sizeof f64);
    const double gap = f64[3];
    for (size_t i = 0; i < 6; i++)
        dense[i] = (float)numbers[i];
    struct bridge_layout layout = padded(BRIDGE_F16);
    assert_true(bridge_scatter(&layout, f16, 14, MODEL_F32, dense));
    layout = padded(BRIDGE_F64);
    assert_true(bridge_scatter(&layout, f64, 56, MODEL_F32, dense));
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(f16[places[i]], halves[i]);
        assert_true(f64[places[i]] == numbers[i]);
    }
    assert_int_equal(f16[3], 0xABAB);
    assert_int_equal(f16[7], 0xABAB);
    assert_memory_equal(&f64[3], &gap, sizeof gap);
}

static void follows_transposed_and_repeated_dimensions(void **state)
{
    (void)state;
    const float columns[] = {0, 10, 1, 11, 2, 12};
    float dense[6];
    const struct bridge_layout transposed = {BRIDGE_F32, 2, {2, 3}, {1, 2}};
    assert_true(bridge_gather(&transposed, columns, sizeof columns, MODEL_F32, dense));
    assert_memory_equal(dense, ((const float[]){0, 1, 2, 10, 11, 12}), sizeof dense);
    const struct bridge_layout repeated = {BRIDGE_F32, 3, {2, 1, 3}, {0, 99, 2}};
    assert_true(bridge_gather(&repeated, columns, sizeof columns, MODEL_F32, dense));
    assert_memory_equal(dense, ((const float[]){0, 1, 2, 0, 1, 2}), sizeof dense);
    const struct bridge_layout single = {.type = BRIDGE_F32};
    assert_true(bridge_gather(&single, columns + 1, 4, MODEL_F32, dense));
    assert_true(dense[0] == 10.0f);
}

static void halves_are_rounded_to_the_nearest_even_once(void **state)
{
    (void)state;
    const float dense[] = {2049, 2051, 65519, 65520, -1e9f, 5.9604645e-8f, 1e-9f};
    const uint16_t wanted[] = {0x6800, 0x6802, 0x7BFF, 0x7C00, 0xFC00, 0x0001, 0x0000};
    uint16_t found[N(dense)];
    const struct bridge_layout layout = {BRIDGE_F16, 1, {N(dense)}, {1}};
    assert_true(bridge_scatter(&layout, found, sizeof found, MODEL_F32, dense));
    assert_memory_equal(found, wanted, sizeof wanted);
}

static void whole_numbers_are_cut_off_at_the_ends_of_int32(void **state)
{
    (void)state;
    const double wide[] = {3e9, -3e9, NAN, -1.75, 2147483646};
    int32_t found[N(wide)];
    const struct bridge_layout layout = {BRIDGE_F64, 1, {N(wide)}, {1}};
    assert_true(bridge_gather(&layout, wide, sizeof wide, MODEL_I32, found));
    assert_memory_equal(found, ((const int32_t[]){INT32_MAX, INT32_MIN, 0, -1, 2147483646}),
                        sizeof found);
}

static void what_leads_out_of_the_array_is_refused_and_nothing_written(void **state)
{
    (void)state;
    static const struct bridge_layout wrong[] = {
        {BRIDGE_F32, 2, {2, 3}, {5, 1}},         /* one number too far */
        {BRIDGE_F32, 1, {3}, {-1}},              /* backwards */
        {BRIDGE_F32, 2, {2, 0}, {4, 1}},         /* nothing */
        {BRIDGE_F32, 1, {2}, {INT64_MAX}},       /* more bytes than there are numbers for */
        {BRIDGE_F32, 2, {INT64_MAX, 3}, {0, 1}}, /* more numbers than that */
        {BRIDGE_F64, 1, {4}, {1}},               /* wider than what is there */
        {BRIDGE_UNKNOWN, 1, {1}, {1}},
    };
    float strided[7] = {0}, dense[8];
    memset(dense, 0xAB, sizeof dense);
    float before[8];
    memcpy(before, dense, sizeof dense);
    for (size_t i = 0; i < N(wrong); i++) {
        assert_int_equal(bridge_layout_count(&wrong[i], sizeof strided), 0);
        assert_false(bridge_gather(&wrong[i], strided, sizeof strided, MODEL_F32, dense));
        assert_false(bridge_scatter(&wrong[i], strided, sizeof strided, MODEL_F32, dense));
    }
    assert_memory_equal(dense, before, sizeof dense);
    assert_memory_equal(strided, ((const float[7]){0}), sizeof strided);
    const struct bridge_layout right = padded(BRIDGE_F32);
    assert_int_equal(bridge_layout_count(&right, sizeof strided), 6);
    assert_int_equal(bridge_layout_count(&right, sizeof strided - 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gathers_out_of_padded_rows_of_every_type),
        cmocka_unit_test(scatters_into_padded_rows_and_leaves_the_gaps),
        cmocka_unit_test(follows_transposed_and_repeated_dimensions),
        cmocka_unit_test(halves_are_rounded_to_the_nearest_even_once),
        cmocka_unit_test(whole_numbers_are_cut_off_at_the_ends_of_int32),
        cmocka_unit_test(what_leads_out_of_the_array_is_refused_and_nothing_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
