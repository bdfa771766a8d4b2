/* Tests of BertNormalizer; what is wanted was taken from the reference library. */
#include "tokenizer_fixture.h"
#include "pipeline.h"

static struct normalizer_chain load(const char *json)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct normalizer_chain n;
    json_node *tree = NULL;
    assert_int_equal(json_parse(json, strlen(json), "test", &tree, &err), MODEL_OK);
    struct json_place place = {tree, "test", "normalizer"};
    assert_int_equal(normalizer_chain_load(&place, &n, &err), MODEL_OK);
    json_free(tree);
    return n;
}

static void assert_normalized(const struct normalizer_chain *n, const char *text, size_t bytes,
                              const char *want)
{
    struct normalized_text t = {0};
    struct normalized_text spare = {0};
    assert_int_equal(normalizer_chain_run(n, text, bytes, 0, &spare, &t, NULL), MODEL_OK);
    char *got = text_format("%.*s", (int)t.size, t.data != NULL ? t.data : "");
    assert_string_equal(got, want);
    free(got);
    normalized_text_finish(&t);
    normalized_text_finish(&spare);
}

#define UNCASED "{\"type\":\"BertNormalizer\",\"lowercase\":true,\"strip_accents\":null}"
#define CASED   "{\"type\":\"BertNormalizer\",\"lowercase\":false,\"strip_accents\":null}"
#define NOTHING                                                                                    \
    "{\"type\":\"BertNormalizer\",\"lowercase\":false,\"clean_text\":false,"                       \
    "\"handle_chinese_chars\":false,\"strip_accents\":false}"
#define LOWER                                                                                      \
    "{\"type\":\"BertNormalizer\",\"lowercase\":true,\"clean_text\":false,"                        \
    "\"handle_chinese_chars\":false,\"strip_accents\":false}"

#define CHECK(n, text, want) assert_normalized(n, text, sizeof(text) - 1, want)

static void uncased_lowers_and_strips(void **state)
{
    (void)state;
    struct normalizer_chain n = load(UNCASED);
    CHECK(&n, "Hello W\u00d6RLD", "hello world");
    CHECK(&n, "\u0130stanbul", "istanbul"); /* dotted I: decomposed first */
    CHECK(&n, "\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2 \u039f\u03a3",
          "\u03c3\u03b9\u03c3\u03c5\u03c6\u03bf\u03c2 \u03bf\u03c3"); /* no final sigma */
    CHECK(&n, "\u01c5", "\u01c6");
    CHECK(&n, "e\u0301\u0323", "e");
    CHECK(&n, "\ud55c", "\u1112\u1161\u11ab");
    CHECK(&n, "\ufb01", "\ufb01");
    CHECK(&n, "", "");
    normalizer_chain_finish(&n);
}

static void cased_keeps_case_and_accents(void **state)
{
    (void)state;
    struct normalizer_chain n = load(CASED);
    CHECK(&n, "Caf\u00e9 \u0130", "Caf\u00e9 \u0130");
    normalizer_chain_finish(&n);
}

static void cleaning_drops_controls_and_levels_spaces(void **state)
{
    (void)state;
    struct normalizer_chain n = load(CASED);
    CHECK(&n,
          "a\0b\x01"
          "c\x7f\xef\xbf\xbd",
          "abc");
    CHECK(&n, "a\tb\nc\rd", "a b c d");
    CHECK(&n,
          "a\x0b"
          "b\x0c"
          "c\xc2\x85"
          "d",
          "abcd"); /* spaces, but controls first */
    CHECK(&n, "a\u00a0b\u3000c\u2028d", "a b c d");
    CHECK(&n, "a\u200bb\ufeffc\ue000d", "abcd");
    struct normalizer_chain none = load(NOTHING);
    CHECK(&none, "a\tb\u200b \u4e2d", "a\tb\u200b \u4e2d");
    normalizer_chain_finish(&none);
    normalizer_chain_finish(&n);
}

static void han_characters_get_spaces(void **state)
{
    (void)state;
    struct normalizer_chain n = load(UNCASED);
    CHECK(&n, "\u4e2d\u6587x", " \u4e2d  \u6587 x");
    CHECK(&n, "\u3042", "\u3042");
    CHECK(&n, "\uf900", " \u8c48 "); /* decomposed between its spaces */
    normalizer_chain_finish(&n);
}

static void lower_case_alone_may_grow(void **state)
{
    (void)state;
    struct normalizer_chain n = load(LOWER);
    CHECK(&n, "\u0130", "i\u0307");
    CHECK(&n, "\u023a\u00c4", "\u2c65\u00e4");
    normalizer_chain_finish(&n);
}

/* Of the marks, those that are not nonspacing stay, in canonical order. */
static void what_stays_is_in_canonical_order(void **state)
{
    (void)state;
    struct normalizer_chain n = load(UNCASED);
    CHECK(&n, "x\u302e\u1b44y", "x\u1b44\u302ey"); /* classes 224 and 9 */
    CHECK(&n, "x\u302e\u0301\u1b44", "x\u1b44\u302e");
    CHECK(&n, "x\u302e\u034f\u1b44", "x\u302e\u1b44"); /* a dropped starter between */
    CHECK(&n, "\U0001D160", "\U0001D158\U0001D165\U0001D16E");
    normalizer_chain_finish(&n);
}

static void a_null_normalizer_changes_nothing(void **state)
{
    (void)state;
    struct normalizer_chain n = load("null");
    CHECK(&n, "A\t\u4e2d\u00c9\x01", "A\t\u4e2d\u00c9\x01");
    normalizer_chain_finish(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uncased_lowers_and_strips),
        cmocka_unit_test(cased_keeps_case_and_accents),
        cmocka_unit_test(cleaning_drops_controls_and_levels_spaces),
        cmocka_unit_test(han_characters_get_spaces),
        cmocka_unit_test(lower_case_alone_may_grow),
        cmocka_unit_test(what_stays_is_in_canonical_order),
        cmocka_unit_test(a_null_normalizer_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
