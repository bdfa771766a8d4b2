/* test_image_resample.c - the loops of resizing against sums of 64 bits, for runs of odd and even length, values that
 * fill no vector, and sums beyond a byte. What Pillow makes of pictures is in test_image_resize.c. */
#include "image_resample.h"
#include "testing.h"

enum { MAX_COUNT = 9, IN = 40, OUT = 24 };

struct example {
    int32_t weights[OUT * MAX_COUNT];
    struct run runs[OUT];
    struct taps taps;
    uint32_t state;
};

static uint32_t below(struct example *example, uint32_t n)
{
    example->state = example->state * 1664525u + 1013904223u;
    return (example->state >> 8) % n;
}

/* n runs of up to max_count of n_in, with weights of up to `most` each way. */
static void make(struct example *example, uint32_t n, uint32_t n_in, uint32_t max_count,
                 uint32_t most)
{
    example->taps = (struct taps){
        .runs = example->runs, .weights = example->weights, .n = n, .max_count = max_count};
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t count = 1 + below(example, max_count < n_in ? max_count : n_in);
        example->runs[i] = (struct run){below(example, n_in - count + 1), count};
        for (uint32_t k = 0; k < max_count; k++)
            example->weights[i * max_count + k] =
                (int32_t)below(example, 2 * most + 1) - (int32_t)most;
    }
    assert_int_equal(taps_pair(&example->taps, NULL), MODEL_OK);
}

static uint8_t rounded(int64_t sum)
{
    const int64_t value = (sum + (1 << 21)) >> 22;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

static void fill(struct example *example, uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = below(example, 4) == 0 ? 255 : (uint8_t)below(example, 256);
}

static void expect_row(struct example *example, const uint8_t *from, bool has_slack)
{
    uint8_t got[OUT * 3 + 1];
    const struct taps *taps = &example->taps;
    got[taps->n * 3] = 77;
    resample_row(from, taps, has_slack, got);
    for (uint32_t x = 0; x < taps->n; x++)
        for (uint32_t c = 0; c < 3; c++) {
            int64_t sum = 0;
            for (uint32_t i = 0; i < taps->runs[x].count; i++)
                sum += (int64_t)taps->weights[x * taps->max_count + i] *
                       from[(taps->runs[x].first + i) * 3 + c];
            assert_int_equal(got[x * 3 + c], rounded(sum));
        }
    assert_int_equal(got[taps->n * 3], 77);
}

static void rows_are_sums_of_their_runs(void **state)
{
    (void)state;
    struct example example = {.state = 1};
    for (uint32_t round = 0; round < 200; round++) {
        uint8_t with_slack[IN * 3 + RESAMPLE_SLACK_BYTES];
        uint8_t *exact = malloc(IN * 3); /* the sanitizer sees what is read behind it */
        assert_non_null(exact);
        make(&example, 1 + below(&example, OUT), IN, 1 + round % MAX_COUNT, 1u << 20);
        fill(&example, with_slack, sizeof with_slack);
        memcpy(exact, with_slack, IN * 3);
        expect_row(&example, with_slack, true);
        expect_row(&example, exact, false);
        free(exact);
        free(example.taps.pairs);
    }
}

static void columns_are_sums_of_their_rows(void **state)
{
    (void)state;
    struct example example = {.state = 2};
    for (uint32_t round = 0; round < 200; round++) {
        const size_t n_values = 1 + round % 40;
        uint8_t got[40];
        uint8_t *rows = malloc(IN * n_values);
        assert_non_null(rows);
        make(&example, OUT, IN, 1 + round % MAX_COUNT, 1u << 20);
        fill(&example, rows, IN * n_values);
        for (uint32_t y = 0; y < OUT; y++) {
            const struct run run = example.runs[y];
            resample_column(rows + run.first * n_values, n_values, &example.taps, y, got);
            for (size_t k = 0; k < n_values; k++) {
                int64_t sum = 0;
                for (uint32_t i = 0; i < run.count; i++)
                    sum += (int64_t)example.weights[y * example.taps.max_count + i] *
                           rows[(run.first + i) * n_values + k];
                assert_int_equal(got[k], rounded(sum));
            }
        }
        free(rows);
        free(example.taps.pairs);
    }
}

static void the_largest_weights_are_exact(void **state)
{
    (void)state;
    struct example example = {.state = 3};
    uint8_t row[IN * 3 + RESAMPLE_SLACK_BYTES];
    for (int round = 0; round < 50; round++) {
        make(&example, OUT, IN, 1, 1u << 22); /* of one tap: 1 */
        fill(&example, row, sizeof row);
        expect_row(&example, row, true);
        free(example.taps.pairs);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_sums_of_their_runs),
        cmocka_unit_test(columns_are_sums_of_their_rows),
        cmocka_unit_test(the_largest_weights_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
