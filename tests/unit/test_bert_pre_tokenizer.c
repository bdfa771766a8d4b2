/* Tests of BertPreTokenizer. */
#include "tokenizer_fixture.h"
#include "pipeline.h"

static void assert_words(const char *text, const char *want)
{
    struct buffer words = BUFFER_INIT(1 << 16);
    struct word_search search = {0};
    size_t start;
    size_t end;
    assert_int_equal(buffer_append(&words, "", 0), MODEL_OK);
    while (bert_pre_tokenizer_type.next(NULL, text, strlen(text), &search, &start, &end, NULL))
        assert_int_equal(buffer_printf(&words, "%.*s|", (int)(end - start), text + start),
                         MODEL_OK);
    assert_string_equal(words.data, want);
    buffer_finish(&words);
}

static void words_end_at_space_and_punctuation(void **state)
{
    (void)state;
    assert_words("Hey friend!     How are you?!?", "Hey|friend|!|How|are|you|?|!|?|");
    assert_words("don't $5 a_b", "don|'|t|$|5|a|_|b|");
    assert_words("  ", "");
    assert_words("", "");
    assert_words("a\u00a0b\u3000c\u2028d\x0b"
                 "e",
                 "a|b|c|d|e|");
    assert_words("\u4f60\u3002\u597d\u2014x", "\u4f60|\u3002|\u597d|\u2014|x|");
    assert_words("5\u20acx", "5\u20acx|"); /* a symbol beyond ASCII is no punctuation */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(words_end_at_space_and_punctuation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
