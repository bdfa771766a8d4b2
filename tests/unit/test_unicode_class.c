/* Tests of character classes, on the characters where implementations usually part. Every code point is
 * compared with the reference by tests/interop/tokenizers.mjs. */
#include "tokenizer_fixture.h"
#include "unicode_class.h"

static void classes_are_those_of_the_reference(void **state)
{
    (void)state;
    static const struct {
        uint32_t codepoint;
        enum char_class want;
    } cases[] = {{'a', CHAR_PLAIN},
                 {'_', CHAR_PUNCTUATION},
                 {'$', CHAR_PUNCTUATION},
                 {'~', CHAR_PUNCTUATION},
                 {0, CHAR_CONTROL},
                 {0x7F, CHAR_CONTROL},
                 {'\t', CHAR_SPACE},
                 {0x0B, CHAR_SPACE},
                 {0x85, CHAR_SPACE},
                 {0xA0, CHAR_SPACE},
                 {0x2028, CHAR_SPACE},
                 {0x3000, CHAR_SPACE},
                 {0x200B, CHAR_CONTROL},
                 {0xFEFF, CHAR_CONTROL},
                 {0xE000, CHAR_CONTROL},
                 {0x10FFFD, CHAR_CONTROL},
                 {0x180E, CHAR_CONTROL},
                 {0x00A7, CHAR_PUNCTUATION},
                 {0x3002, CHAR_PUNCTUATION},
                 {0x20AC, CHAR_PLAIN},
                 {0x301, CHAR_MARK},
                 {0x0903, CHAR_PLAIN},
                 {0x0378, CHAR_PLAIN},
                 {0x10FFFF, CHAR_PLAIN},
                 /* changed since Unicode 8, or younger */
                 {0x166D, CHAR_PUNCTUATION},
                 {0x1734, CHAR_MARK},
                 {0x1885, CHAR_PLAIN},
                 {0x2E43, CHAR_PLAIN},
                 {0x061D, CHAR_PLAIN},
                 {0x08E2, CHAR_PLAIN},
                 {0x1E08F, CHAR_PLAIN},
                 {0x111C9, CHAR_PUNCTUATION}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (char_class(cases[i].codepoint) != cases[i].want)
            fail_msg("U+%04X: class %d, want %d", cases[i].codepoint,
                     char_class(cases[i].codepoint), cases[i].want);
}

static void lower_case_knows_the_special_ones(void **state)
{
    (void)state;
    uint32_t lower[CHAR_MAX_LOWER];
    assert_int_equal(char_lower(0x130, lower), 2);
    assert_int_equal(lower[0], 'i');
    assert_int_equal(lower[1], 0x307);
    static const uint32_t pairs[][2] = {{'A', 'a'},         {0x3A3, 0x3C3},     {0x1C5, 0x1C6},
                                        {0x1E9E, 0xDF},     {0x212A, 'k'},      {0x10A0, 0x2D00},
                                        {0x1C89, 0x1C8A},   {0xA7CB, 0x264},    {0x10D50, 0x10D70},
                                        {0x10D65, 0x10D85}, {0x16EB8, 0x16ED3}, {0xDF, 0xDF}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        assert_int_equal(char_lower(pairs[i][0], lower), 1);
        assert_int_equal(lower[0], pairs[i][1]);
    }
}

static void decomposes_canonically(void **state)
{
    (void)state;
    uint32_t parts[CHAR_MAX_DECOMPOSED];
    assert_int_equal(char_decompose(0x1E69, parts), 3); /* s, dot below, dot above */
    assert_int_equal(parts[0], 's');
    assert_int_equal(parts[1], 0x323);
    assert_int_equal(parts[2], 0x307);
    assert_int_equal(char_decompose(0xD55C, parts), 3); /* a Hangul syllable */
    assert_int_equal(parts[0], 0x1112);
    assert_int_equal(char_decompose(0xFB01, parts), 1);  /* a ligature only by compatibility */
    assert_int_equal(char_decompose(0x11938, parts), 1); /* younger than the reference's table */
    assert_int_equal(char_decompose('a', parts), 1);
    assert_int_equal(char_combining_class(0x301), 230);
    assert_int_equal(char_combining_class(0x1E08F), 0);
    assert_int_equal(char_combining_class('a'), 0);
}

static void han_blocks_end_where_the_reference_ends_them(void **state)
{
    (void)state;
    static const uint32_t han[] = {0x3400,  0x4DBF,  0x4E00,  0x9FFF,  0xF900,  0xFAFF,  0x20000,
                                   0x2A6DF, 0x2A700, 0x2B81F, 0x2B920, 0x2CEAF, 0x2F800, 0x2FA1F};
    static const uint32_t not_han[] = {0x33FF,  0x4DC0,  0x4DFF,  0xA000,  0x3042, 0xAC00,
                                       0x2B820, 0x2B91F, 0x2CEB0, 0x30000, 'a'};
    for (size_t i = 0; i < sizeof han / sizeof han[0]; i++)
        assert_true(char_is_han(han[i]));
    for (size_t i = 0; i < sizeof not_han / sizeof not_han[0]; i++)
        assert_false(char_is_han(not_han[i]));
}

static void word_characters_are_letters_marks_digits_connectors(void **state)
{
    (void)state;
    static const uint32_t word[] = {
        'a',    '_',    '9',    0xE9,    0x301,   0x4E2D, 0x203F,
        0x200D, 0x24B6, 0x2160, 0x11BC3, 0x11BF0, 0x113B8}; /* of Unicode 16 */
    static const uint32_t other[] = {' ',     '-',    '!',     0xB2,   0x2014,
                                     0x1F600, 0x200B, 0x11BE1, 0x1FAE9};
    for (size_t i = 0; i < sizeof word / sizeof word[0]; i++)
        assert_true(char_is_word(word[i]));
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++)
        assert_false(char_is_word(other[i]));
}

static void every_character_survives_encoding_and_decoding(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < 0x110000; c++) {
        char bytes[CHAR_MAX_BYTES];
        uint32_t back = 0;
        if (c >= 0xD800 && c <= 0xDFFF)
            continue;
        size_t n = char_encode(c, bytes);
        assert_true(char_decode(bytes, &back) == n && back == c && char_before(bytes, n) == c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_are_those_of_the_reference),
        cmocka_unit_test(lower_case_knows_the_special_ones),
        cmocka_unit_test(decomposes_canonically),
        cmocka_unit_test(han_blocks_end_where_the_reference_ends_them),
        cmocka_unit_test(word_characters_are_letters_marks_digits_connectors),
        cmocka_unit_test(every_character_survives_encoding_and_decoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
