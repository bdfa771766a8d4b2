/* Tests of NFC, NFD, NFKC and NFKD; covers host/tokenizers/text_normalizers.c: what becomes of texts,
 * and which bytes of the source each byte stands for. Texts are from Unicode Standard Annex 15. */
#include "tokenizer_fixture.h"

#include "pipeline.h"

/* "text" and then the span of each byte of it, where `spans` is not NULL. */
static void assert_normalized(const char *json, const char *text, const char *want,
                              const char *spans)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct normalizer_chain chain = {0};
    struct normalized_text spare = {0};
    struct normalized_text normalized = {0};
    struct buffer got = BUFFER_INIT(1 << 16);
    json_node *tree = NULL;
    assert_int_equal(json_parse(json, strlen(json), "test", &tree, &err), MODEL_OK);
    struct json_place place = {tree, "test", "normalizer"};
    if (normalizer_chain_load(&place, &chain, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(normalizer_chain_run(&chain, text, strlen(text), 0, &spare, &normalized, &err),
                     MODEL_OK);
    assert_int_equal(buffer_append(&got, normalized.data, normalized.size), MODEL_OK);
    assert_string_equal(got.data != NULL ? got.data : "", want);
    buffer_clear(&got);
    size_t run = 0;
    for (size_t i = 0; i < normalized.size && spans != NULL; i++) {
        struct text_span span = normalized_text_source(&normalized, &run, i, i + 1);
        assert_int_equal(buffer_printf(&got, "%u-%u ", span.start, span.end), MODEL_OK);
    }
    if (spans != NULL)
        assert_string_equal(got.data, spans);
    buffer_finish(&got);
    normalized_text_finish(&normalized);
    normalized_text_finish(&spare);
    normalizer_chain_finish(&chain);
    json_free(tree);
}

#define NFC  "{\"type\":\"NFC\"}"
#define NFD  "{\"type\":\"NFD\"}"
#define NFKC "{\"type\":\"NFKC\"}"
#define NFKD "{\"type\":\"NFKD\"}"

static void characters_compose_and_decompose(void **state)
{
    (void)state;
    assert_normalized(NFC, "ae\u0301z", "a\u00e9z", "0-1 1-2 1-2 4-5 ");
    assert_normalized(NFD, "a\u00e9z", "ae\u0301z", "0-1 1-3 1-3 1-3 3-4 ");
    assert_normalized(NFC, "\u212b\u2126", "\u00c5\u03a9", NULL);
    assert_normalized(NFC, "\u1e0b\u0323", "\u1e0d\u0307", NULL);
    assert_normalized(NFD, "q\u0307\u0323", "q\u0323\u0307", NULL);
    assert_normalized(NFC, "\u1112\u1161\u11ab", "\ud55c", NULL);
    assert_normalized(NFD, "\ud55c", "\u1112\u1161\u11ab", NULL);
    assert_normalized(NFC, "\u0958", "\u0915\u093c", NULL); /* excluded from composition */
    assert_normalized(NFC, "\u09c7\u09be", "\u09cb", NULL);
    assert_normalized(NFC, "a\u0300\u0301", "\u00e0\u0301", NULL);
    assert_normalized(NFC, "a\u0328\u0300", "\u0105\u0300", NULL);
    assert_normalized(NFC, "\u0301e", "\u0301e", NULL);
    assert_normalized(NFC, "", "", NULL);
}

static void compatible_characters_become_plain_ones(void **state)
{
    (void)state;
    assert_normalized(NFKC, "\ufb012\u2075\u2460", "fi251", NULL);
    assert_normalized(NFKD, "\u1e9b\u0323", "s\u0323\u0307", NULL);
    assert_normalized(NFKC, "\u1e9b\u0323", "\u1e69", NULL);
    assert_normalized(NFKC, "\uff21\u3000\u338f", "A kg", NULL);
    assert_normalized(NFC, "\ufb01", "\ufb01", NULL);
}

static void text_is_lowered_and_stripped(void **state)
{
    (void)state;
    assert_normalized("{\"type\":\"Lowercase\"}", "A\u00c9\u0130z", "a\u00e9i\u0307z",
                      "0-1 1-2 2-3 3-5 3-5 3-5 5-6 ");
    assert_normalized("{\"type\":\"Strip\"}", "\u3000 a b \n", "a b", "4-5 5-6 6-7 ");
    assert_normalized("{\"type\":\"Strip\",\"strip_left\":false}", " a ", " a", NULL);
    assert_normalized("{\"type\":\"Strip\",\"strip_right\":false}", " a ", "a ", NULL);
    assert_normalized("{\"type\":\"Strip\"}", "  ", "", NULL);
}

#define REPLACE(pattern, with)                                                                     \
    "{\"type\":\"Replace\",\"pattern\":{" pattern "},\"content\":\"" with "\"}"

static void text_is_replaced_and_prepended(void **state)
{
    (void)state;
    assert_normalized(REPLACE("\"String\":\" \"", "\u2581"), "a b",
                      "a\u2581"
                      "b",
                      "0-1 1-2 1-2 1-2 2-3 ");
    assert_normalized(REPLACE("\"Regex\":\"\\\\s+\"", "-"), "a  b ", "a-b-", "0-1 2-3 3-4 4-5 ");
    assert_normalized(REPLACE("\"Regex\":\"x*\"", "-"), "axxb", "-a-b-", NULL);
    assert_normalized(REPLACE("\"String\":\"a\"", ""), "aba", "b", "1-2 ");
    assert_normalized("{\"type\":\"Prepend\",\"prepend\":\"\u2581\"}", "\u00e9t", "\u2581\u00e9t",
                      "0-2 0-2 0-2 0-2 0-2 2-3 ");
    assert_normalized("{\"type\":\"Prepend\",\"prepend\":\"x\"}", "", "", NULL);
}

static void steps_work_on_what_came_out_before(void **state)
{
    (void)state;
    assert_normalized("{\"type\":\"Sequence\",\"normalizers\":[" NFD
                      "," REPLACE("\"Regex\":\"\\\\p{Mn}\"",
                                  "") ",{\"type\":\"Prepend\",\"prepend\":\"_\"},{\"type\":"
                                      "\"Lowercase\"}]}",
                      "\u00c9t\u00e9", "_ete", "0-2 0-2 2-3 3-5 ");
}

/* What the chain says to `text`, which it refuses; its memory stays bounded. */
static void assert_too_large(const char *json, const char *text, const char *want)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct normalizer_chain chain = {0};
    struct normalized_text spare = {0};
    struct normalized_text normalized = {0};
    json_node *tree = NULL;
    assert_int_equal(json_parse(json, strlen(json), "test", &tree, &err), MODEL_OK);
    struct json_place place = {tree, "test", "normalizer"};
    assert_int_equal(normalizer_chain_load(&place, &chain, &err), MODEL_OK);
    assert_int_equal(normalizer_chain_run(&chain, text, strlen(text), 0, &spare, &normalized, &err),
                     MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, want);
    assert_true(normalized.capacity + spare.capacity <= 8u << 20);
    normalized_text_finish(&normalized);
    normalized_text_finish(&spare);
    normalizer_chain_finish(&chain);
    json_free(tree);
}

static void a_text_that_grows_without_measure_is_refused(void **state)
{
    (void)state;
    static const char grow[] = REPLACE("\"String\":\"a\"", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    struct buffer json = BUFFER_INIT(1 << 20);
    assert_int_equal(buffer_printf(&json, "{\"type\":\"Sequence\",\"normalizers\":["), MODEL_OK);
    for (int i = 0; i < 10; i++)
        assert_int_equal(buffer_printf(&json, i > 0 ? ",%s" : "%s", grow), MODEL_OK);
    assert_int_equal(buffer_printf(&json, "]}"), MODEL_OK);
    assert_too_large(
        json.data, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "the tokenizer's normalizer Replace makes more than 1049536 bytes of a text of "
        "30: tokenizer.json is broken or hostile");
    buffer_clear(&json);
    assert_int_equal(buffer_printf(&json, REPLACE("\"Regex\":\"x*\"", "%0*d"), 60000, 0), MODEL_OK);
    assert_too_large(
        json.data, "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
        "the tokenizer's normalizer Replace makes more than 1049536 bytes of a text of "
        "30: tokenizer.json is broken or hostile");
    buffer_finish(&json);
}

/* U+FDFA in NFKD: 11 times its bytes at most, for as long a text as one likes. */
static void what_unicode_makes_of_a_text_is_never_too_large(void **state)
{
    (void)state;
    struct buffer text = BUFFER_INIT(1 << 20), want = BUFFER_INIT(8 << 20);
    for (int i = 0; i < 50000; i++) {
        assert_int_equal(buffer_printf(&text, "\xEF\xB7\xBA"), MODEL_OK);
        assert_int_equal(buffer_printf(&want, "\u0635\u0644\u0649 \u0627\u0644\u0644\u0647 "
                                              "\u0639\u0644\u064a\u0647 \u0648\u0633\u0644\u0645"),
                         MODEL_OK);
    }
    struct model_error err = MODEL_ERROR_INIT;
    struct normalizer_chain chain = {0};
    struct normalized_text spare = {0}, normalized = {0};
    json_node *tree = NULL;
    assert_int_equal(json_parse("{\"type\":\"NFKD\"}", 15, "test", &tree, &err), MODEL_OK);
    struct json_place place = {tree, "test", "normalizer"};
    assert_int_equal(normalizer_chain_load(&place, &chain, &err), MODEL_OK);
    assert_int_equal(
        normalizer_chain_run(&chain, text.data, text.size, 0, &spare, &normalized, &err), MODEL_OK);
    assert_int_equal(normalized.size, want.size);
    assert_memory_equal(normalized.data, want.data, want.size);
    buffer_finish(&text);
    buffer_finish(&want);
    normalized_text_finish(&normalized);
    normalized_text_finish(&spare);
    normalizer_chain_finish(&chain);
    json_free(tree);
}

static void broken_settings_are_refused(void **state)
{
    (void)state;
    assert_refused(&(struct fixture){.normalizer = REPLACE("\"String\":\"\"", "x")}, MODEL_CORRUPT,
                   "tokenizer.json: normalizer of type Replace wants a pattern {\"String\": ..} or "
                   "{\"Regex\": ..} and a content");
    assert_refused(&(struct fixture){.normalizer = "{\"type\":\"Prepend\"}"}, MODEL_CORRUPT,
                   "tokenizer.json: normalizer of type Prepend wants a text 'prepend'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_compose_and_decompose),
        cmocka_unit_test(compatible_characters_become_plain_ones),
        cmocka_unit_test(text_is_lowered_and_stripped),
        cmocka_unit_test(text_is_replaced_and_prepended),
        cmocka_unit_test(steps_work_on_what_came_out_before),
        cmocka_unit_test(a_text_that_grows_without_measure_is_refused),
        cmocka_unit_test(what_unicode_makes_of_a_text_is_never_too_large),
        cmocka_unit_test(broken_settings_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
