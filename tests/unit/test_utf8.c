/* test_utf8.c - well-formed UTF-8, compared with the definition for every short sequence. */
#include "errors.h"
#include "testing.h"
#include "utf8.h"

#include <stdbool.h>

static size_t encode(uint32_t c, unsigned char *p)
{
    if (c < 0x80) {
        p[0] = (unsigned char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = n - 1; i > 0; i--, c >>= 6)
        p[i] = (unsigned char)(0x80 | (c & 0x3F));
    static const unsigned lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    p[0] = (unsigned char)(lead[n] | c);
    return n;
}

static void every_scalar_value_is_accepted_and_no_surrogate(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < 0x120000; c++) {
        unsigned char text[4] = {0};
        size_t n = encode(c, text);
        bool want = c < 0x110000 && (c < 0xD800 || c > 0xDFFF);
        assert_int_equal(utf8_valid_prefix((const char *)text, n), want ? n : 0);
    }
}

/* The definition: some scalar value's encoding begins with these two or three bytes and, at full
 * length, is them. Decoded by arithmetic here, unlike the table walk under test. */
static bool is_well_formed(const unsigned char *p, size_t n)
{
    static const unsigned masks[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    static const unsigned leads[] = {0, 0x00, 0xC0, 0xE0, 0xF0};
    if ((p[0] & ~masks[n]) != leads[n] && !(n == 1 && p[0] < 0x80))
        return false;
    uint32_t c = p[0] & masks[n];
    for (size_t i = 1; i < n; i++) {
        if (p[i] >> 6 != 2)
            return false;
        c = c << 6 | (p[i] & 0x3Fu);
    }
    unsigned char again[4];
    return c < 0x110000 && (c < 0xD800 || c > 0xDFFF) && encode(c, again) == n;
}

static void every_sequence_of_two_and_three_bytes_by_definition(void **state)
{
    (void)state;
    for (uint32_t word = 0; word < 0x1000000; word += word < 0x800000 ? 0x101 : 1) {
        unsigned char p[3] = {(unsigned char)(word >> 16), (unsigned char)(word >> 8),
                              (unsigned char)word};
        size_t want = 0;
        while (want < 3) {
            size_t n = 1;
            while (n <= 3 - want && !is_well_formed(p + want, n))
                n++;
            if (n > 3 - want)
                break;
            want += n;
        }
        if (utf8_valid_prefix((const char *)p, 3) != want)
            fail_msg("%02X %02X %02X: not %zu", p[0], p[1], p[2], want);
    }
}

static void known_bad_sequences_are_found_where_they_begin(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80",
        "\xBF",
        "\xC0\xAF",
        "\xC1\xBF",
        "\xE0\x9F\xBF",
        "\xED\xA0\x80",
        "\xED\xBF\xBF",
        "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80",
        "\xFE",
        "\xFF",
        "\xC3",
        "\xE2\x82",
        "\xF0\x9F\x98",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        for (size_t before = 0; before < 20; before++) {
            char text[32];
            memset(text, 'a', sizeof text);
            memcpy(text + before, bad[i], strlen(bad[i]));
            assert_int_equal(utf8_valid_prefix(text, before + strlen(bad[i])), before);
            if (strlen(bad[i]) > 1 || (unsigned char)bad[i][0] < 0xC0)
                assert_int_equal(utf8_valid_prefix(text, sizeof text), before);
        }
}

static void a_character_cut_by_the_end_is_not_read_beyond_it(void **state)
{
    (void)state;
    for (size_t n = 1; n < 4; n++) {
        char *text = malloc(n); /* the sanitizer sees a read beyond it */
        assert_non_null(text);
        memcpy(text, "\xF0\x9F\x98\x80", n);
        assert_int_equal(utf8_valid_prefix(text, n), 0);
        free(text);
    }
}

static void the_empty_text_and_zero_bytes_are_fine(void **state)
{
    (void)state;
    assert_int_equal(utf8_valid_prefix("", 0), 0);
    assert_int_equal(utf8_valid_prefix("a\0b", 3), 3);
}

static void check_names_the_text_the_byte_and_the_remedy(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(utf8_check("caf\xE9!", 5, "text 2", &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "text 2 is not UTF-8: byte 0xE9 at offset 3; convert it, for "
                                     "example with iconv");
    assert_int_equal(utf8_check("caf\xC3\xA9", 5, "text 2", &err), MODEL_OK);
    assert_int_equal(utf8_check("\xFF", 1, "x", NULL), MODEL_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scalar_value_is_accepted_and_no_surrogate),
        cmocka_unit_test(every_sequence_of_two_and_three_bytes_by_definition),
        cmocka_unit_test(known_bad_sequences_are_found_where_they_begin),
        cmocka_unit_test(a_character_cut_by_the_end_is_not_read_beyond_it),
        cmocka_unit_test(the_empty_text_and_zero_bytes_are_fine),
        cmocka_unit_test(check_names_the_text_the_byte_and_the_remedy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
