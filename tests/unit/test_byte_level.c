/* Tests of ByteLevel as a pre-tokenizer, and of the walk through the pipeline with it (covers
 * host/tokenizers/text_walk.c): the alphabet, GPT-2's words read by hand against PCRE2, and
 * the steps that rewrite. */
#include "bpe_fixture.h"

#include "pattern.h"

static void every_byte_has_a_character_of_its_own(void **state)
{
    (void)state;
    for (unsigned b = 0; b < 256; b++)
        assert_int_equal(byte_level_byte(byte_level_char((unsigned char)b)), b);
    assert_int_equal(byte_level_char(' '), 0x120);
    assert_int_equal(byte_level_char('\n'), 0x10A);
    assert_int_equal(byte_level_char('a'), 'a');
    assert_int_equal(byte_level_char(0x7F), 0x121);
    assert_int_equal(byte_level_char(0xA0), 0x142);
    assert_int_equal(byte_level_char(0xAD), 0x143);
    assert_int_equal(byte_level_byte(' '), -1);
    assert_int_equal(byte_level_byte(0x144), -1);
    assert_int_equal(byte_level_byte(0x4E2D), -1);
}

static uint64_t random_state = 88172645463325252u;

static uint64_t random_number(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

/* Text in which all that the pattern tells apart is near each other. */
static size_t random_text(char *text, size_t max_bytes)
{
    static const char *const parts[] = {" ",
                                        " ",
                                        "  ",
                                        "\t",
                                        "\n",
                                        "\r\n",
                                        "a",
                                        "Z",
                                        "it's",
                                        "'s",
                                        "'t",
                                        "'r",
                                        "'l",
                                        "e",
                                        "'ll",
                                        "'d",
                                        "1",
                                        "42",
                                        ".",
                                        "!?",
                                        "'",
                                        "-",
                                        "_",
                                        "\x1c",
                                        "\x7f",
                                        "\xc3\xa9",
                                        "\xc2\xa0",
                                        "\xe4\xb8\xad",
                                        "\xe2\x80\xa8",
                                        "\xc2\xbd",
                                        "\xe2\x84\xa2",
                                        "e\xcc\x81",
                                        "\xe1\xa0\x8e",
                                        "\xf0\x9f\x98\x80",
                                        "\xc2\x85"};
    size_t size = 0;
    size_t n = random_number() % 24;
    for (size_t i = 0; i < n; i++) {
        const char *part = parts[random_number() % (sizeof parts / sizeof parts[0])];
        if (size + strlen(part) > max_bytes)
            break;
        memcpy(text + size, part, strlen(part));
        size += strlen(part);
    }
    return size;
}

static void words_read_by_hand_are_those_of_the_pattern(void **state)
{
    (void)state;
    static const struct json_place place = {NULL, "test", "pre_tokenizer"};
    struct model_error err = MODEL_ERROR_INIT;
    struct pattern_memory memory = {0};
    struct pattern *pattern = NULL;
    char text[128];
    size_t n_words = 0;
    size_t n_by_hand = 0;
    assert_int_equal(pattern_compile(byte_level_regex, &place, &pattern, &err), MODEL_OK);
    for (size_t i = 0; i < 200000; i++) {
        size_t bytes = random_text(text, sizeof text);
        for (size_t at = 0; at < bytes; n_words++) {
            bool found = false;
            size_t start = 0;
            size_t end = 0;
            assert_int_equal(
                pattern_find(pattern, &memory, text, bytes, at, &found, &start, &end, &err),
                MODEL_OK);
            assert_true(found);
            assert_int_equal(start, at);
            size_t by_hand = byte_level_ascii_word(text, bytes, at);
            if (by_hand != 0) {
                n_by_hand++;
                if (by_hand != end)
                    fail_msg("'%.*s' at %zu: %zu, want %zu", (int)bytes, text, at, by_hand, end);
            }
            at = end;
        }
    }
    assert_true(n_by_hand > n_words / 2);
    pattern_destroy(pattern);
    pattern_memory_finish(&memory);
}

static const char *const merges[] = {"h e",          "l l",           "he ll", "hell o",
                                     "\u0120 hello", "\u00c3 \u00a9", NULL};

static void bytes_and_characters_give_the_same_tokens(void **state)
{
    (void)state;
    static const char text[] = "hello hello\u00e9\u4e2d";
    static const char want[] = "hello[0-5] \u0120hello[5-11] \u00c3\u00a9[11-13] \u00e4[13-16] "
                               "\u00b8[13-16] \u0143[13-16]";
    struct tokenizer *t = bpe_load((struct fixture){0}, merges, "");
    assert_spans(t, text, want);
    tokenizer_destroy(t);
    /* A prefix that no token has: words are characters then. */
    t = bpe_load((struct fixture){.pre_tokenizer =
                                      "{\"type\":\"Sequence\",\"pretokenizers\":[" BYTE_LEVEL
                                      ",{\"type\":\"WhitespaceSplit\"}]}"},
                 merges, "");
    assert_spans(t, text, want);
    tokenizer_destroy(t);
}

static void a_prefix_space_stands_for_the_first_character(void **state)
{
    (void)state;
    struct fixture f = {
        .pre_tokenizer = "{\"type\":\"ByteLevel\",\"add_prefix_space\":true}",
        .post_processor = "{\"type\":\"ByteLevel\",\"trim_offsets\":false}",
        .added = "{\"id\":262,\"content\":\"<|end|>\",\"special\":true,\"normalized\":false}"};
    struct tokenizer *t = bpe_load(f, merges, "");
    assert_spans(t, "hello", "\u0120hello[0-5]");
    assert_spans(t, " hello", "\u0120hello[0-6]");
    assert_spans(t, "\u00e9", "\u0120[0-2] \u00c3\u00a9[0-2]");
    assert_spans(t, "a<|end|>hello", "\u0120[0-1] a[0-1] <|end|>[1-8] \u0120hello[8-13]");
    tokenizer_destroy(t);
    f.post_processor = "{\"type\":\"ByteLevel\",\"trim_offsets\":true}";
    t = bpe_load(f, merges, "");
    assert_spans(t, "hello hello  hello",
                 "\u0120hello[0-5] \u0120hello[6-11] \u0120[12-12] \u0120hello[13-18]");
    tokenizer_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_has_a_character_of_its_own),
        cmocka_unit_test(words_read_by_hand_are_those_of_the_pattern),
        cmocka_unit_test(bytes_and_characters_give_the_same_tokens),
        cmocka_unit_test(a_prefix_space_stands_for_the_first_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
