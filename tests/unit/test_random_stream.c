/* Random numbers by seed. */
#include "random_stream.h"
#include "testing.h"

/* The first numbers that the authors' own program gives for this state, as published with it. */
static void numbers_are_those_of_xoshiro256starstar(void **state)
{
    (void)state;
    static const uint64_t want[] = {11520u,
                                    0u,
                                    1509978240u,
                                    1215971899390074240u,
                                    1216172134540287360u,
                                    607988272756665600u,
                                    16172922978634559625u,
                                    8476171486693032832u};
    struct random_stream stream = {{1, 2, 3, 4}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        assert_true(random_stream_uniform(&stream) == (double)(want[i] >> 11) * 0x1p-53);
}

static void streams_differ_by_seed_and_by_number(void **state)
{
    (void)state;
    struct random_stream a, b, c, again;
    random_stream_init(&a, 1, 0);
    random_stream_init(&b, 2, 0);
    random_stream_init(&c, 1, 1);
    random_stream_init(&again, 1, 0);
    const double first = random_stream_uniform(&a);
    assert_true(first != random_stream_uniform(&b));
    assert_true(first != random_stream_uniform(&c));
    assert_true(first == random_stream_uniform(&again));
}

static void numbers_are_spread_evenly(void **state)
{
    (void)state;
    struct random_stream stream;
    size_t counts[10] = {0};
    random_stream_init(&stream, 42, 7);
    for (int i = 0; i < 100000; i++) {
        const double x = random_stream_uniform(&stream);
        assert_true(x >= 0 && x < 1);
        counts[(size_t)(x * 10)]++;
    }
    for (size_t i = 0; i < 10; i++)
        assert_in_range(counts[i], 9600, 10400); /* four standard deviations */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_those_of_xoshiro256starstar),
        cmocka_unit_test(streams_differ_by_seed_and_by_number),
        cmocka_unit_test(numbers_are_spread_evenly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
