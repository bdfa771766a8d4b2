/* test_human_text.c - sizes, durations and the line of progress. */
#include "testing.h"

#include "human_text.h"

static void sizes_have_three_digits(void **state)
{
    static const struct {
        uint64_t size_bytes;
        const char *want;
    } cases[] = {
        {0, "0 B"},
        {999, "999 B"},
        {1000, "1.00 kB"},
        {9995, "10.0 kB"},
        {99949, "99.9 kB"},
        {99950, "100 kB"},
        {999499, "999 kB"},
        {999500, "1.00 MB"},
        {440449768, "440 MB"},
        {UINT64_MAX, "18.4 EB"},
    };
    char text[HUMAN_TEXT_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(human_size(cases[i].size_bytes, text), cases[i].want);
}

static void sizes_are_read_in_the_units_that_they_are_shown_in(void **state)
{
    static const struct {
        const char *text;
        uint64_t want_bytes; /* 0: none */
    } cases[] = {{"500", 500},
                 {"500k", 500000},
                 {"1.5M", 1500000},
                 {"2G", 2000000000},
                 {"3T", 3000000000000},
                 {"1", 1},
                 {"", 0},
                 {"0", 0},
                 {"k", 0},
                 {"5K", 0},
                 {"5kB", 0},
                 {"-3", 0},
                 {"nan", 0},
                 {"inf", 0},
                 {"9999T", 0},
                 {"0.1", 0}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t size_bytes = 0;
        assert_int_equal(human_size_read(cases[i].text, &size_bytes), cases[i].want_bytes != 0);
        assert_int_equal(size_bytes, cases[i].want_bytes);
    }
}

static void durations_are_short(void **state)
{
    char text[HUMAN_TEXT_BYTES];
    (void)state;
    assert_string_equal(human_duration(7, text), "0:07");
    assert_string_equal(human_duration(754, text), "12:34");
    assert_string_equal(human_duration(3723, text), "1:02:03");
    assert_string_equal(human_duration(INT64_MAX, text), "99:59:59");
    assert_string_equal(human_duration(-1, text), "--:--");
}

static void progress_shows_what_fits(void **state)
{
    struct progress_state progress = {"model.safetensors", 3, 12, 120000000, 440000000, 32000000};
    char line[200];
    (void)state;
    progress_line(&progress, 100, line, sizeof line);
    assert_string_equal(line, "3/12 files  120 MB of 440 MB  27%  32.0 MB/s  0:10 left  "
                              "model.safetensors");
    progress_line(&progress, 70, line, sizeof line);
    assert_string_equal(line, "3/12 files  120 MB of 440 MB  27%  32.0 MB/s  0:10 left");
    progress_line(&progress, 10, line, sizeof line);
    assert_string_equal(line, "3/12 files");
    progress = (struct progress_state){NULL, 0, 0, 0, 0, 0};
    progress_line(&progress, 100, line, sizeof line);
    assert_string_equal(line, "0/0 files  0 B of 0 B  100%  0 B/s  --:-- left");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_have_three_digits),
        cmocka_unit_test(sizes_are_read_in_the_units_that_they_are_shown_in),
        cmocka_unit_test(durations_are_short),
        cmocka_unit_test(progress_shows_what_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
