/* Tests of splitting texts. The words of "the-final--countdown" are those of the reference's manual. */
#include "tokenizer_fixture.h"

#include "pipeline.h"

static void assert_words(const char *json, const char *text, const char *want)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct pre_tokenizer_chain chain = {0};
    struct pattern_memory memory = {0};
    struct word_search search = {.memory = &memory};
    struct buffer words = BUFFER_INIT(1 << 16);
    json_node *tree = NULL;
    size_t start;
    size_t end;
    assert_int_equal(json_parse(json, strlen(json), "test", &tree, &err), MODEL_OK);
    struct json_place place = {tree, "test", "pre_tokenizer"};
    if (pre_tokenizer_chain_load(&place, &chain, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(chain.n_steps, 1);
    assert_int_equal(buffer_append(&words, "", 0), MODEL_OK);
    while (
        chain.steps[0].type->next(&chain.steps[0], text, strlen(text), &search, &start, &end, &err))
        assert_int_equal(buffer_printf(&words, "%.*s|", (int)(end - start), text + start),
                         MODEL_OK);
    assert_int_equal(search.status, MODEL_OK);
    assert_string_equal(words.data, want);
    buffer_finish(&words);
    pattern_memory_finish(&memory);
    pre_tokenizer_chain_finish(&chain);
    json_free(tree);
}

#define SPLIT(pattern, behaviour, invert)                                                          \
    "{\"type\":\"Split\",\"pattern\":{" pattern "},\"behavior\":\"" behaviour                      \
    "\",\"invert\":" invert "}"
#define HYPHEN "\"String\":\"-\""
#define WORDS  "\"Regex\":\"\\\\w+|[^\\\\w\\\\s]+\""

static void a_match_goes_where_the_behaviour_says(void **state)
{
    (void)state;
    static const char text[] = "the-final--countdown";
    assert_words(SPLIT(HYPHEN, "Removed", "false"), text, "the|final|countdown|");
    assert_words(SPLIT(HYPHEN, "Isolated", "false"), text, "the|-|final|-|-|countdown|");
    assert_words(SPLIT(HYPHEN, "MergedWithPrevious", "false"), text, "the-|final-|-|countdown|");
    assert_words(SPLIT(HYPHEN, "MergedWithNext", "false"), text, "the|-final|-|-countdown|");
    assert_words(SPLIT(HYPHEN, "Contiguous", "false"), text, "the|-|final|--|countdown|");
}

static void inverted_what_lies_between_is_the_match(void **state)
{
    (void)state;
    static const char text[] = "How are you doing?";
    assert_words(SPLIT(WORDS, "Removed", "true"), text, "How|are|you|doing|?|");
    assert_words(SPLIT(WORDS, "Isolated", "true"), text, "How| |are| |you| |doing|?|");
    assert_words(SPLIT(WORDS, "MergedWithPrevious", "true"), text, "How |are |you |doing|?|");
    assert_words(SPLIT(WORDS, "MergedWithNext", "true"), text, "How| are| you| doing|?|");
    assert_words(SPLIT(WORDS, "Contiguous", "true"), text, "How| |are| |you| |doing?|");
}

static void texts_at_the_edge_are_split_too(void **state)
{
    (void)state;
    assert_words(SPLIT(HYPHEN, "MergedWithNext", "false"), "--", "-|-|");
    assert_words(SPLIT(HYPHEN, "MergedWithPrevious", "false"), "-a", "-|a|");
    assert_words(SPLIT(HYPHEN, "Removed", "false"), "", "");
    assert_words(SPLIT(HYPHEN, "Removed", "false"), "-", "");
    assert_words(SPLIT("\"Regex\":\"x*\"", "Isolated", "false"), "axxb\u00e9", "a|xx|b|\u00e9|");
}

static void classes_of_characters_split(void **state)
{
    (void)state;
    assert_words("{\"type\":\"Digits\"}", "a12\u0663 b", "a|12\u0663| b|");
    assert_words("{\"type\":\"Digits\",\"individual_digits\":true}", "a12\u0663b",
                 "a|1|2|\u0663|b|");
    assert_words("{\"type\":\"Punctuation\"}", "a.., b\u3002", "a|.|.|,| b|\u3002|");
    assert_words("{\"type\":\"WhitespaceSplit\"}", " a  b\u3000c. ", "a|b|c.|");
    assert_words("{\"type\":\"Whitespace\"}", " a_1 ..b\u0301\u20ac", "a_1|..|b\u0301|\u20ac|");
}

static void broken_settings_are_refused(void **state)
{
    (void)state;
    assert_refused(&(struct fixture){.pre_tokenizer = SPLIT(HYPHEN, "Sideways", "false")},
                   MODEL_CORRUPT,
                   "tokenizer.json: pre_tokenizer.behavior is 'Sideways', want Removed, Isolated, "
                   "MergedWithPrevious, MergedWithNext or Contiguous");
    assert_refused(&(struct fixture){.pre_tokenizer = SPLIT("\"String\":\"\"", "Removed", "false")},
                   MODEL_CORRUPT,
                   "tokenizer.json: pre_tokenizer.pattern is neither {\"String\": ..} nor "
                   "{\"Regex\": ..}");
}

static void a_pattern_without_end_is_an_error_of_the_text(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct encoding e = ENCODING_INIT;
    struct fixture f = {.pre_tokenizer =
                            SPLIT("\"Regex\":\"(?:a|aa|aaa)+b|((a+)+)+c\"", "Isolated", "false")};
    struct tokenizer *t = fixture_load(&f);
    char text[100];
    memset(text, 'a', sizeof text);
    const struct tokenizer_options options = {0};
    assert_int_equal(tokenizer_encode(t, text, sizeof text, NULL, 0, &options, &e, &err),
                     MODEL_INVALID_ARGUMENT);
    assert_string_equal(
        err.message, "the tokenizer's pattern '(?:a|aa|aaa)+b|((a+)+)+c' cannot be searched for at "
                     "byte 0 of a word: match limit exceeded");
    assert_int_equal(e.n_tokens, 0);
    assert_int_equal(tokenizer_encode(t, "aac", 3, NULL, 0, &options, &e, &err), MODEL_OK);
    encoding_finish(&e);
    tokenizer_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_match_goes_where_the_behaviour_says),
        cmocka_unit_test(inverted_what_lies_between_is_the_match),
        cmocka_unit_test(texts_at_the_edge_are_split_too),
        cmocka_unit_test(classes_of_characters_split),
        cmocka_unit_test(broken_settings_are_refused),
        cmocka_unit_test(a_pattern_without_end_is_an_error_of_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
