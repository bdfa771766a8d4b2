/* test_printable_text.c - nothing from a file reaches a terminal but characters. */
#include "printable_text.h"
#include "testing.h"
#include "utf8.h"

static void plain_text_stays(void **state)
{
    char shown[PRINTABLE_TEXT_BYTES];
    (void)state;
    assert_string_equal(
        printable("bert.encoder \"x\" \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", shown),
        "bert.encoder \"x\" \xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
    assert_string_equal(printable(NULL, shown), "");
}

static void what_a_terminal_obeys_is_escaped(void **state)
{
    char shown[PRINTABLE_TEXT_BYTES];
    (void)state;
    assert_string_equal(printable("\x1b[2J\x07\n\x7f", shown), "\\x1b[2J\\x07\\x0a\\x7f");
    assert_string_equal(printable_text("a\0b", 3, shown), "a\\x00b");
    assert_string_equal(printable("\xc2\x9b"
                                  "31m",
                                  shown),
                        "\\xc2\\x9b31m");
    assert_string_equal(printable("\xff\xc3", shown), "\\xff\\xc3");
    assert_string_equal(printable("\\x1b", shown), "\\\\x1b");
}

static void what_turns_the_direction_of_text_is_escaped(void **state)
{
    static const char *const marks[] = {"\xd8\x9c",     "\xe2\x80\x8e", "\xe2\x80\x8f",
                                        "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaa",
                                        "\xe2\x80\xae", "\xe2\x81\xa6", "\xe2\x81\xa9"};
    char shown[PRINTABLE_TEXT_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        assert_int_equal(strlen(printable(marks[i], shown)), 4 * strlen(marks[i]));
        assert_int_equal(utf8_control_bytes(marks[i], strlen(marks[i])), strlen(marks[i]));
        assert_int_equal(utf8_control_bytes(marks[i], strlen(marks[i]) - 1), 0);
    }
    static const char *const letters[] = {"\xd8\x9b",     "\xe2\x80\x8d", "\xe2\x80\x90",
                                          "\xe2\x80\xa7", "\xe2\x80\xaf", "\xe2\x81\xaa",
                                          "\xd7\x90",     "\xc2\xa0",     "a"};
    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++) {
        assert_string_equal(printable(letters[i], shown), letters[i]);
        assert_int_equal(utf8_control_bytes(letters[i], strlen(letters[i])), 0);
    }
    assert_int_equal(utf8_control_bytes("", 0), 0);
}

static void a_line_that_is_plain_stays_whole(void **state)
{
    char shown[PRINTABLE_TEXT_BYTES], line[1000];
    (void)state;
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    line[7] = '\\';
    assert_ptr_equal(printable_line(line, shown), line);
    line[900] = '\x1b';
    assert_true(strlen(printable_line(line, shown)) < PRINTABLE_TEXT_BYTES);
    assert_string_equal(printable_line("a\\\xe2\x80\xae", shown), "a\\\\\\xe2\\x80\\xae");
    assert_string_equal(printable_line("\xff", shown), "\\xff");
}

static void long_texts_are_cut_between_characters(void **state)
{
    char text[1000], shown[PRINTABLE_TEXT_BYTES];
    (void)state;
    for (size_t length = 240; length < 270; length++)
        for (size_t begin = 0; begin < 3; begin++) {
            for (size_t i = 0; i < length; i++)
                text[i] = "\xe2\x82\xac"[(i + begin) % 3];
            (void)printable_text(text, length, shown);
            size_t size = strlen(shown);
            assert_true(size < PRINTABLE_TEXT_BYTES);
            assert_int_equal(utf8_valid_prefix(shown, size), size);
        }
    memset(text, 'x', 300);
    assert_string_equal(printable_text(text, 300, shown) + 251, "...");
    assert_int_equal(strlen(printable_text(text, 252, shown)), 252);
}

static void a_copy_is_escaped_and_has_any_length(void **state)
{
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"", ""},
        {"a\\b \xe2\x82\xac", "a\\b \xe2\x82\xac"},
        {"a\nb\x1b[31m", "a\\x0ab\\x1b[31m"},
        {"\xe2\x80\xaegpj.exe", "\\xe2\\x80\\xaegpj.exe"},
        {"\xc2\x9b\xff", "\\xc2\\x9b\\xff"},
        {"cut \xe2\x82", "cut \\xe2\\x82"},
    };
    char text[3000];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *shown = printable_copy(cases[i].text);
        assert_string_equal(shown, cases[i].shown);
        free(shown);
    }
    memset(text, '\t', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    char *shown = printable_copy(text);
    assert_int_equal(strlen(shown), 4 * (sizeof text - 1));
    free(shown);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_stays),
        cmocka_unit_test(what_a_terminal_obeys_is_escaped),
        cmocka_unit_test(a_line_that_is_plain_stays_whole),
        cmocka_unit_test(what_turns_the_direction_of_text_is_escaped),
        cmocka_unit_test(long_texts_are_cut_between_characters),
        cmocka_unit_test(a_copy_is_escaped_and_has_any_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
