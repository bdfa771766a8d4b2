/* Tests of templates with special tokens. */
#include "tokenizer_fixture.h"

static const struct tokenizer_options with_special = {.add_special_tokens = true};
static const struct tokenizer_options without = {0};

#define SEQUENCE(id, type) "{\"Sequence\":{\"id\":\"" id "\",\"type_id\":" #type "}}"
#define SPECIAL(id, type)  "{\"SpecialToken\":{\"id\":\"" id "\",\"type_id\":" #type "}}"
#define TEMPLATE(single, pair, tokens)                                                             \
    "{\"type\":\"TemplateProcessing\",\"single\":[" single "],\"pair\":[" pair                     \
    "],\"special_tokens\":{" tokens "}}"
#define TOKENS                                                                                     \
    "\"[CLS]\":{\"id\":\"[CLS]\",\"ids\":[2],\"tokens\":[\"[CLS]\"]},"                             \
    "\"two\":{\"id\":\"two\",\"ids\":[3,4],\"tokens\":[\"[SEP]\",\"[MASK]\"]}"

static void templates_place_tokens_and_types(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct encoding e = ENCODING_INIT;
    struct fixture f = {.post_processor = TEMPLATE(
                            SEQUENCE("A", 5) "," SPECIAL("two", 6),
                            SEQUENCE("B", 1) "," SPECIAL("[CLS]", 2) "," SEQUENCE("A", 3), TOKENS)};
    struct tokenizer *t = fixture_load(&f);
    assert_tokens(t, "a b", NULL, &with_special, "a b [SEP] [MASK]");
    assert_tokens(t, "a b", NULL, &without, "a b");
    assert_tokens(t, "a b", "x", &with_special, "x [CLS] a b");
    assert_tokens(t, "a b", "x", &without, "x a b");
    assert_int_equal(tokenizer_encode(t, "a b", 3, "x", 1, &with_special, &e, &err), MODEL_OK);
    const int64_t types[] = {1, 2, 3, 3};
    const int8_t sequences[] = {1, -1, 0, 0};
    const uint8_t special[] = {0, 1, 0, 0};
    assert_memory_equal(e.type_ids, types, sizeof types);
    assert_memory_equal(e.sequences, sequences, sizeof sequences);
    assert_memory_equal(e.special_mask, special, sizeof special);
    encoding_finish(&e);
    tokenizer_destroy(t);
}

static void bert_processing_is_a_template(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct encoding e = ENCODING_INIT;
    struct tokenizer *t = fixture_load(&(struct fixture){0});
    assert_int_equal(tokenizer_encode(t, "a", 1, "b c", 3, &with_special, &e, &err), MODEL_OK);
    const int64_t ids[] = {2, 5, 3, 6, 7, 3};
    const int64_t types[] = {0, 0, 0, 1, 1, 1};
    assert_memory_equal(e.ids, ids, sizeof ids);
    assert_memory_equal(e.type_ids, types, sizeof types);
    encoding_finish(&e);
    tokenizer_destroy(t);
}

static void without_a_processor_texts_follow_each_other(void **state)
{
    (void)state;
    struct fixture f = {.post_processor = "null"};
    struct tokenizer *t = fixture_load(&f);
    assert_tokens(t, "a", "b", &with_special, "a b");
    tokenizer_destroy(t);
}

static void broken_templates_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *processor, *sentence;
    } cases[] = {
        {TEMPLATE(SEQUENCE("C", 0), "", ""),
         "tokenizer.json: post_processor.single names sequence 'C', want 'A' or 'B'"},
        {TEMPLATE(SPECIAL("[X]", 0), "", ""),
         "tokenizer.json: post_processor.single uses the special token '[X]', but "
         "post_processor.special_tokens lists no ids for it"},
        {TEMPLATE("{}", "", ""),
         "tokenizer.json: a piece of post_processor.single is neither a Sequence nor a "
         "SpecialToken"},
        {TEMPLATE(SEQUENCE("B", 0), SEQUENCE("A", 0) "," SEQUENCE("B", 0), ""),
         "tokenizer.json: post_processor.single must use sequence A and not B"},
        {TEMPLATE(SEQUENCE("A", 0), SEQUENCE("A", 0), ""),
         "tokenizer.json: post_processor.pair must use the sequences A and B"},
        {TEMPLATE(SEQUENCE("A", -1), "", ""),
         "tokenizer.json: post_processor.single.type_id is -1, want a whole number from 0 to "
         "2147483647"},
        {TEMPLATE(SPECIAL("x", 0), "", "\"x\":{\"ids\":[1.5]}"),
         "tokenizer.json: post_processor.special_tokens['x'].ids holds something that is not an "
         "id"},
        {TEMPLATE(SEQUENCE("A", 0) "," SPECIAL("x", 0), SEQUENCE("A", 0) "," SEQUENCE("B", 0),
                  "\"x\":{\"ids\":[99]}"),
         "tokenizer.json: post_processor adds a special token of id 99, which no token has"},
        {"{\"type\":\"TemplateProcessing\",\"single\":7}",
         "tokenizer.json: post_processor.single is a number, want an array of pieces"},
        {"{\"type\":\"BertProcessing\",\"sep\":[\"[SEP]\"]}",
         "tokenizer.json: post_processor.sep is not a token and its id"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_refused(&(struct fixture){.post_processor = cases[i].processor}, MODEL_CORRUPT,
                       cases[i].sentence);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_place_tokens_and_types),
        cmocka_unit_test(bert_processing_is_a_template),
        cmocka_unit_test(without_a_processor_texts_follow_each_other),
        cmocka_unit_test(broken_templates_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
