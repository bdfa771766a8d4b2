/* test_kernels_compact.c - the inner loops of weights of 16, 8 and 4 bits (vector_compact.h, vector_bf16.h) in every instruction set
 * of this machine against naive loops in double precision. */
#include "kernel_random.h"
#include "kernel_sets.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH 320
#define COLUMNS   COMPACT_COLUMNS

static const size_t depths[] = {1, 2, 3, 31, 32, 33, 64, 100, 300};
#define N_DEPTHS (sizeof depths / sizeof *depths)

static size_t filled_up(size_t n, size_t step)
{
    return (n + step - 1) / step * step;
}

static float bf16_value(uint16_t half)
{
    const uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* A row of x with guards behind it: what is read beyond n would be seen. */
struct row {
    float x[MAX_DEPTH + 16];
    int8_t high[MAX_DEPTH + 64], low[MAX_DEPTH + 64];
    int32_t group_sums[MAX_DEPTH / INT4_GROUP + 2];
    struct fine_row fine;
};

static void make_row(const struct vector_kernels *set, struct row *row, size_t n, float largest)
{
    memset(row, 0, sizeof *row);
    for (size_t i = 0; i < MAX_DEPTH + 16; i++)
        row->x[i] = i < n ? random_float() * largest : 1e30f;
    row->fine =
        (struct fine_row){.high = row->high, .low = row->low, .group_sums = row->group_sums};
    set->fine_row(row->x, n, &row->fine);
}

static void a_fine_row_is_x_to_fifteen_bits(void **state)
{
    (void)state;
    static struct row row;
    for (size_t s = 0, n_sets = find_sets(); s < n_sets; s++)
        for (size_t d = 0; d < N_DEPTHS; d++) {
            const size_t n = depths[d];
            make_row(sets[s], &row, n, 3.0f);
            int32_t high_sum = 0, low_sum = 0, group_sum = 0;
            for (size_t i = 0; i < filled_up(n, INT4_GROUP); i++) {
                const int32_t q = 128 * row.high[i] + row.low[i];
                const double want = i < n ? (double)row.x[i] : 0.0;
                assert_true(row.low[i] >= 0);
                assert_true(fabs((double)row.fine.scale * q - want) <=
                            0.501 * (double)row.fine.scale);
                high_sum += row.high[i];
                low_sum += row.low[i];
                group_sum = i % INT4_GROUP == 0 ? q : group_sum + q;
                if (i % INT4_GROUP == INT4_GROUP - 1)
                    assert_int_equal(row.group_sums[i / INT4_GROUP], group_sum);
            }
            assert_int_equal(row.fine.high_sum, high_sum);
            assert_int_equal(row.fine.low_sum, low_sum);
        }
}

static void rows_of_zeros_and_of_next_to_nothing_are_zeros(void **state)
{
    (void)state;
    static const float sizes[] = {0.0f, 1e-45f, 1e-38f, 1e-31f};
    static struct row row;
    int8_t coarse[40];
    int32_t sum;
    for (size_t s = 0, n_sets = find_sets(); s < n_sets; s++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            make_row(sets[s], &row, 40, sizes[i]);
            assert_int_equal(row.fine.high_sum, 0);
            assert_int_equal(row.fine.low_sum, 0);
            assert_true(row.fine.scale > 0);
            assert_true(sets[s]->coarse_row(row.x, 40, coarse, &sum) > 0);
            assert_int_equal(sum, 0);
        }
}

static void check_zeros(const int8_t *q, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_int_equal(q[i], 0);
}

/* x(n) of one row is not finite: no scale, no integers. */
static void check_not_finite(const struct vector_kernels *set, struct row *row, size_t n)
{
    int8_t coarse[MAX_DEPTH];
    int32_t sum = 1;
    memset(coarse, 1, sizeof coarse);
    memset(row->high, 1, sizeof row->high);
    memset(row->low, 1, sizeof row->low);
    set->fine_row(row->x, n, &row->fine);
    assert_true(isnan(row->fine.scale));
    assert_int_equal(row->fine.high_sum, 0);
    assert_int_equal(row->fine.low_sum, 0);
    check_zeros(row->high, filled_up(n, INT4_GROUP));
    check_zeros(row->low, filled_up(n, INT4_GROUP));
    for (size_t g = 0; g < filled_up(n, INT4_GROUP) / INT4_GROUP; g++)
        assert_int_equal(row->group_sums[g], 0);
    assert_true(isnan(set->coarse_row(row->x, n, coarse, &sum)));
    assert_int_equal(sum, 0);
    check_zeros(coarse, n);
}

static void a_row_with_nan_or_infinity_has_no_scale_and_zeros(void **state)
{
    (void)state;
    static const float bad[] = {NAN, -NAN, INFINITY, -INFINITY};
    static struct row row;
    for (size_t s = 0, n_sets = find_sets(); s < n_sets; s++)
        for (size_t b = 0; b < sizeof bad / sizeof *bad; b++)
            for (size_t n = 1; n <= 100; n++) {
                make_row(sets[s], &row, n, 2.0f);
                row.x[next_random() % n] = bad[b];
                check_not_finite(sets[s], &row, n);
                for (size_t i = 0; i < n; i++)
                    row.x[i] = bad[b];
                check_not_finite(sets[s], &row, n);
            }
}

static void check_bf16(const struct vector_kernels *set, size_t depth, size_t n_rows,
                       size_t columns)
{
    static float a[PRODUCT_ROWS * (MAX_DEPTH + 3)], out[PRODUCT_ROWS * (COLUMNS + 1)];
    static uint16_t panel[(MAX_DEPTH + 32) * COLUMNS];
    const size_t lda = depth + 3, ldo = columns + 1;
    for (size_t k = 0; k < PRODUCT_ROWS * lda; k++)
        a[k] = random_float();
    for (size_t k = 0; k < sizeof panel / sizeof *panel; k++) {
        const float w = random_float();
        set->to_bf16(&w, 1, &panel[k]);
    }
    set->bf16_product(a, lda, n_rows, panel, columns, depth, out, ldo);
    for (size_t r = 0; r < n_rows; r++)
        for (size_t c = 0; c < columns; c++) {
            double want = 0;
            for (size_t k = 0; k < depth; k++)
                want += (double)a[r * lda + k] *
                        (double)bf16_value(panel[(k / 2 * columns + c) * 2 + k % 2]);
            assert_true(fabs((double)out[r * ldo + c] - want) <= 1e-5 * sqrt((double)depth));
        }
}

static void bf16_products_agree_for_all_tiles(void **state)
{
    (void)state;
    for (size_t s = 0, n_sets = find_sets(); s < n_sets; s++)
        for (size_t d = 0; d < N_DEPTHS; d++)
            for (size_t n_rows = 1; n_rows <= PRODUCT_ROWS; n_rows++)
                for (size_t columns = PRODUCT_COLUMNS; columns <= COLUMNS;
                     columns += PRODUCT_COLUMNS)
                    check_bf16(sets[s], depths[d], n_rows, columns);
}

static void check_bf16_dots(const struct vector_kernels *set, size_t n_pairs, size_t n_rows,
                            size_t columns)
{
    static uint16_t a[PRODUCT_ROWS * (MAX_DEPTH + 4)], panel[MAX_DEPTH * (COLUMNS + 16) * 2];
    static float out[PRODUCT_ROWS * (COLUMNS + 33)];
    const size_t lda = 2 * n_pairs + 2, ldb = columns + 3, ldo = columns + 1;
    for (size_t k = 0; k < sizeof a / sizeof *a; k++) {
        const float x = random_float();
        set->to_bf16(&x, 1, &a[k]);
    }
    for (size_t k = 0; k < sizeof panel / sizeof *panel; k++) {
        const float w = random_float();
        set->to_bf16(&w, 1, &panel[k]);
    }
    for (size_t i = 0; i < PRODUCT_ROWS * ldo; i++)
        out[i] = 77.0f;
    set->bf16_dots(a, lda, n_rows, panel, ldb, n_pairs, out, ldo, columns);
    for (size_t r = 0; r < PRODUCT_ROWS; r++)
        for (size_t c = 0; c < ldo; c++) {
            double want = r < n_rows && c < columns ? 0 : 77.0;
            for (size_t k = 0; k < 2 * n_pairs && want != 77.0; k++)
                want += (double)bf16_value(a[r * lda + k]) *
                        (double)bf16_value(panel[(k / 2 * ldb + c) * 2 + k % 2]);
            assert_true(fabs((double)out[r * ldo + c] - want) <= 1e-5 * sqrt((double)n_pairs));
        }
}

static void products_of_two_bf16_agree_for_all_tiles(void **state)
{
    (void)state;
    for (size_t s = 0, n_sets = find_sets(); s < n_sets; s++)
        for (size_t n_rows = 1; n_rows <= PRODUCT_ROWS; n_rows++)
            for (size_t columns = PRODUCT_COLUMNS; columns <= COLUMNS + 16;
                 columns += PRODUCT_COLUMNS)
                for (size_t n_pairs = 1; n_pairs <= 150; n_pairs += 49)
                    check_bf16_dots(sets[s], n_pairs, n_rows, columns);
}

static void numbers_become_the_nearest_bf16(void **state)
{
    (void)state;
    float x[37];
    uint16_t y[37];
    for (size_t s = 0, n_sets = find_sets(); s < n_sets; s++) {
        for (size_t i = 0; i < 37; i++)
            x[i] = random_float() * (float)(1u << i % 20);
        x[0] = bf16_value(0x3F80) + 0x1p-8f; /* half way: to the even one */
        x[1] = bf16_value(0x3F81) + 0x1p-8f;
        sets[s]->to_bf16(x, 37, y);
        assert_int_equal(y[0], 0x3F80);
        assert_int_equal(y[1], 0x3F82);
        for (size_t i = 0; i < 37; i++)
            assert_true(fabsf(bf16_value(y[i]) - x[i]) <= fabsf(x[i]) * 0x1p-8f);
    }
}

static void nan_stays_nan_as_bf16_and_infinity_infinity(void **state)
{
    (void)state;
    static const struct {
        uint32_t bits;
        uint16_t half;
    } all[] = {{0x7FFFFFFF, 0x7FFF}, {0xFFFFFFFF, 0xFFFF}, {0x7F800001, 0x7FC0},
               {0xFF800001, 0xFFC0}, {0x7FC00000, 0x7FC0}, {0xFFC12345, 0xFFC1},
               {0x7F800000, 0x7F80}, {0xFF800000, 0xFF80}, {0x7F7FFFFF, 0x7F80}};
    float x[40];
    uint16_t y[40];
    for (size_t s = 0, n_sets = find_sets(); s < n_sets; s++)
        for (size_t i = 0; i < sizeof all / sizeof *all; i++)
            for (size_t n = 1; n <= 40; n++) {
                for (size_t k = 0; k < n; k++)
                    memcpy(&x[k], &all[i].bits, sizeof *x);
                sets[s]->to_bf16(x, n, y);
                for (size_t k = 0; k < n; k++)
                    assert_int_equal(y[k], all[i].half);
            }
}

static void int8_products_agree(void **state)
{
    (void)state;
    static struct row row;
    static int8_t panel[(MAX_DEPTH + 64) * COLUMNS];
    static float out[COLUMNS];
    for (size_t s = 0, n_sets = find_sets(); s < n_sets; s++)
        for (size_t d = 0; d < N_DEPTHS; d++) {
            const size_t depth = depths[d];
            make_row(sets[s], &row, depth, 2.0f);
            for (size_t i = 0; i < sizeof panel; i++)
                panel[i] = (int8_t)((int32_t)(next_random() % 255) - 127);
            sets[s]->int8_row(&row.fine, panel, filled_up(depth, 4), out);
            for (size_t c = 0; c < COLUMNS; c++) {
                double want = 0;
                for (size_t k = 0; k < depth; k++)
                    want += (double)(128 * row.high[k] + row.low[k]) * (double)row.fine.scale *
                            (double)panel[(k / 4 * COLUMNS + c) * 4 + k % 4];
                assert_true(fabs((double)out[c] - want) <= 1e-6 * (1 + fabs(want)) + 1e-4);
            }
        }
}

/* Nibbles and scales at random; f16 of powers of two, of both signs. */
static void fill_int4(uint8_t *panel, size_t n_groups)
{
    for (size_t g = 0; g < n_groups; g++, panel += INT4_GROUP_BYTES) {
        uint16_t *scales = (uint16_t *)(void *)panel;
        for (size_t c = 0; c < COLUMNS; c++)
            scales[c] = (uint16_t)(((10 + next_random() % 8) << 10) | (next_random() % 2) << 15);
        for (size_t i = INT4_SCALES_BYTES; i < INT4_GROUP_BYTES; i++)
            panel[i] = (uint8_t)next_random();
    }
}

static double int4_weight(const uint8_t *panel, size_t k, size_t column)
{
    const uint8_t *group = panel + k / INT4_GROUP * INT4_GROUP_BYTES;
    uint16_t half;
    memcpy(&half, group + 2 * column, sizeof half);
    const size_t in_half = k % 16;
    const uint8_t byte =
        group[INT4_SCALES_BYTES + (in_half / 4 * COLUMNS + column) * 4 + in_half % 4];
    const int q = (k % INT4_GROUP < 16 ? byte & 15 : byte >> 4) - 8;
    return ldexp(half >> 15 ? -q : q, (half >> 10 & 31) - 15);
}

static void products_of_bytes_agree_for_all_tiles(void **state)
{
    (void)state;
    static int8_t a[PRODUCT_ROWS * (MAX_DEPTH + 8)], panel[MAX_DEPTH * COLUMNS];
    static int32_t out[PRODUCT_ROWS * COLUMNS];
    for (size_t s = 0, n_sets = find_sets(); s < n_sets; s++)
        for (size_t n_rows = 1; n_rows <= PRODUCT_ROWS; n_rows++)
            for (size_t n_fours = 1; n_fours <= MAX_DEPTH / 4; n_fours += 79) {
                const size_t lda = 4 * n_fours + 5;
                int8_t *const all[] = {a, panel};
                const size_t sizes[] = {sizeof a, sizeof panel};
                for (size_t i = 0; i < 2;
                     i++) /* -127 and 127 among them: sums of 16 bits would overflow */
                    for (size_t k = 0; k < sizes[i]; k++)
                        all[i][k] = (int8_t)((int32_t)(next_random() % 255) - 127);
                memset(a, 127, 16);
                memset(panel, 127, sizeof panel / 2);
                memset(out, 0, sizeof out);
                sets[s]->int8_dots(a, lda, n_rows, panel, n_fours, out);
                for (size_t r = 0; r < PRODUCT_ROWS; r++)
                    for (size_t c = 0; c < COLUMNS; c++) {
                        int32_t want = 0;
                        for (size_t k = 0; k < 4 * n_fours && r < n_rows; k++)
                            want +=
                                a[r * lda + k] * (panel[(k / 4 * COLUMNS + c) * 4 + k % 4] + 128);
                        assert_int_equal(out[r * COLUMNS + c], want);
                    }
            }
}

static void int4_products_agree(void **state)
{
    (void)state;
    static struct row row;
    static _Alignas(64) uint8_t panel[(MAX_DEPTH / INT4_GROUP + 1) * INT4_GROUP_BYTES];
    static float out[COLUMNS];
    for (size_t s = 0, n_sets = find_sets(); s < n_sets; s++)
        for (size_t d = 0; d < N_DEPTHS; d++) {
            const size_t depth = depths[d];
            make_row(sets[s], &row, depth, 2.0f);
            fill_int4(panel, filled_up(depth, INT4_GROUP) / INT4_GROUP);
            sets[s]->int4_row(&row.fine, panel, depth, out);
            for (size_t c = 0; c < COLUMNS; c++) {
                double want = 0, size = 0;
                for (size_t k = 0; k < depth; k++) {
                    const double x = (128 * row.high[k] + row.low[k]) * (double)row.fine.scale;
                    want += x * int4_weight(panel, k, c);
                    size += fabs(x * int4_weight(panel, k, c));
                }
                assert_true(fabs((double)out[c] - want) <= 1e-6 * size + 1e-9);
            }
        }
}

static void a_panel_of_int4_unpacks_to_int8_with_a_scale_for_each_column(void **state)
{
    (void)state;
    enum { GROUPS = 5 };
    static _Alignas(64) uint8_t panel[GROUPS * INT4_GROUP_BYTES];
    static int8_t q[GROUPS * INT4_GROUP * COLUMNS];
    float scales[COLUMNS];
    for (size_t s = 0, n_sets = find_sets(); s < n_sets; s++) {
        fill_int4(panel, GROUPS);
        for (size_t g = 0; g < GROUPS; g++) /* a column of zeros */
            memset(panel + g * INT4_GROUP_BYTES + 2 * 7, 0, 2);
        const uint16_t nothing = s % 2 == 0 ? 0x7E00 : 0xFE00; /* NaN in one group of another */
        memcpy(panel + s % GROUPS * INT4_GROUP_BYTES + 2 * 20, &nothing, sizeof nothing);
        sets[s]->int4_unpack(panel, GROUPS, q, scales);
        assert_true(isnan(scales[20]));
        for (size_t c = 0; c < COLUMNS; c += c == 19 ? 2 : 1) {
            double largest = 0;
            for (size_t k = 0; k < GROUPS * INT4_GROUP && c != 7; k++)
                largest = fmax(largest, fabs(int4_weight(panel, k, c)));
            assert_true((double)scales[c] * 127.0 >= largest * 0.999);
            for (size_t k = 0; k < GROUPS * INT4_GROUP; k++) {
                const double want = c == 7 ? 0 : int4_weight(panel, k, c);
                const double found = (double)scales[c] * q[(k / 4 * COLUMNS + c) * 4 + k % 4];
                assert_true(fabs(found - want) <= 0.52 * (double)scales[c]);
            }
        }
    }
}

static void rows_are_finished_with_scales_bias_and_what_was_there(void **state)
{
    (void)state;
    enum { N = 37 };
    float x[N], scales[N], bias[N], y[4][N];
    int32_t products[N], sum, want_sum;
    int8_t coarse[N];
    for (size_t s = 0, n_sets = find_sets(); s < n_sets; s++) {
        for (size_t i = 0; i < N; i++) {
            x[i] = random_float();
            scales[i] = 0.01f * random_float();
            bias[i] = random_float();
            products[i] = (int32_t)(next_random() % 2000000) - 1000000;
            y[0][i] = y[2][i] = 99.0f;
            y[1][i] = y[3][i] = 0.5f;
        }
        const struct int8_columns columns = {scales, bias};
        const float scale = sets[s]->coarse_row(x, N, coarse, &sum);
        want_sum = 0;
        for (int add = 0; add < 2; add++) {
            sets[s]->int8_finish(products, &columns, scale, sum, N, add == 1, y[add]);
            sets[s]->bias_finish(x, bias, N, add == 1, y[2 + add]);
        }
        for (size_t i = 0; i < N; i++) {
            assert_true(fabs((double)scale * coarse[i] - (double)x[i]) <= 0.501 * (double)scale);
            want_sum += coarse[i];
            const double want =
                (products[i] - 128.0 * sum) * (double)scale * (double)scales[i] + (double)bias[i];
            assert_true(fabs((double)y[0][i] - want) <= 1e-5 * (1 + fabs(want)));
            assert_true(fabs((double)y[1][i] - want - 0.5) <= 1e-5 * (1 + fabs(want)));
            assert_true(fabsf(y[2][i] - (x[i] + bias[i])) <= 1e-6f);
            assert_true(fabsf(y[3][i] - (x[i] + bias[i] + 0.5f)) <= 1e-6f);
        }
        assert_int_equal(sum, want_sum);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fine_row_is_x_to_fifteen_bits),
        cmocka_unit_test(rows_of_zeros_and_of_next_to_nothing_are_zeros),
        cmocka_unit_test(a_row_with_nan_or_infinity_has_no_scale_and_zeros),
        cmocka_unit_test(bf16_products_agree_for_all_tiles),
        cmocka_unit_test(products_of_two_bf16_agree_for_all_tiles),
        cmocka_unit_test(numbers_become_the_nearest_bf16),
        cmocka_unit_test(nan_stays_nan_as_bf16_and_infinity_infinity),
        cmocka_unit_test(int8_products_agree),
        cmocka_unit_test(products_of_bytes_agree_for_all_tiles),
        cmocka_unit_test(int4_products_agree),
        cmocka_unit_test(a_panel_of_int4_unpacks_to_int8_with_a_scale_for_each_column),
        cmocka_unit_test(rows_are_finished_with_scales_bias_and_what_was_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
