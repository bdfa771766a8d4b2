/* test_line_tail.c - the last lines of a stream, whatever pieces it comes in. */
#include "line_tail.h"
#include "testing.h"

static void append(struct line_tail *tail, const char *text)
{
    line_tail_append(tail, text, strlen(text));
}

/* The lines, joined by '|'. */
static const char *joined(struct line_tail *tail, char ret[2048])
{
    const char *lines[LINE_TAIL_LINES];
    const size_t n = line_tail_lines(tail, lines);
    size_t size = 0;
    ret[0] = '\0';
    for (size_t i = 0; i < n; i++)
        size += (size_t)snprintf(ret + size, 2048 - size, "%s%s", i > 0 ? "|" : "", lines[i]);
    return ret;
}

static void nothing_gives_no_lines(void **state)
{
    (void)state;
    struct line_tail tail = {0};
    const char *lines[LINE_TAIL_LINES];
    assert_int_equal(line_tail_lines(&tail, lines), 0);
    append(&tail, "\n\n\n");
    assert_int_equal(line_tail_lines(&tail, lines), 0);
}

static void words_without_a_newline_are_a_line(void **state)
{
    (void)state;
    struct line_tail tail = {0};
    char text[2048];
    append(&tail, "one\ntwo");
    assert_string_equal(joined(&tail, text), "one|two");
    append(&tail, " and a half\n");
    assert_string_equal(joined(&tail, text), "one|two and a half");
}

static void only_the_newest_stay(void **state)
{
    (void)state;
    struct line_tail tail = {0};
    char text[2048];
    append(&tail, "1\n2\n3\n4\n5\n6\n7\n8\n9");
    assert_string_equal(joined(&tail, text), "5|6|7|8|9");
    append(&tail, "\n");
    assert_string_equal(joined(&tail, text), "6|7|8|9");
    append(&tail, "10");
    assert_string_equal(joined(&tail, text), "6|7|8|9|10");
}

/* The truth is the same text cut by hand: every way of cutting it gives what one piece gives. */
static void pieces_do_not_matter(void **state)
{
    (void)state;
    static const char whole[] = "a\n\nbc\ndef\ngh\n\n\nijk\nl";
    const size_t size = sizeof whole - 1;
    for (size_t i = 0; i <= size; i++)
        for (size_t k = i; k <= size; k++) {
            struct line_tail tail = {0};
            char text[2048];
            line_tail_append(&tail, whole, i);
            line_tail_append(&tail, whole + i, k - i);
            line_tail_append(&tail, whole + k, size - k);
            assert_string_equal(joined(&tail, text), "bc|def|gh|ijk|l");
        }
}

static void a_long_line_keeps_its_beginning(void **state)
{
    (void)state;
    struct line_tail tail = {0};
    char chunk[100], text[2048];
    const char *lines[LINE_TAIL_LINES];
    memset(chunk, 'x', sizeof chunk);
    for (int i = 0; i < 1000; i++)
        line_tail_append(&tail, chunk, sizeof chunk);
    assert_int_equal(line_tail_lines(&tail, lines), 1);
    assert_int_equal(strlen(lines[0]), LINE_TAIL_BYTES - 1);
    append(&tail, "\nshort\n");
    assert_int_equal(line_tail_lines(&tail, lines), 2);
    assert_string_equal(joined(&tail, text) + LINE_TAIL_BYTES - 1, "|short");
}

static void nul_does_not_end_a_line(void **state)
{
    (void)state;
    struct line_tail tail = {0};
    char text[2048];
    line_tail_append(&tail, "a\0b\n", 4);
    assert_string_equal(joined(&tail, text), "a b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_gives_no_lines),
        cmocka_unit_test(words_without_a_newline_are_a_line),
        cmocka_unit_test(only_the_newest_stay),
        cmocka_unit_test(pieces_do_not_matter),
        cmocka_unit_test(a_long_line_keeps_its_beginning),
        cmocka_unit_test(nul_does_not_end_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
