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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_stays),
        cmocka_unit_test(what_a_terminal_obeys_is_escaped),
        cmocka_unit_test(long_texts_are_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
