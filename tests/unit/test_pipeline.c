/* Tests of picking parts by name. */
#include "tokenizer_fixture.h"

static void kinds_that_are_not_built_are_refused_by_name(void **state)
{
    (void)state;
    assert_refused(&(struct fixture){.model = "{\"type\":\"BPE\"}"}, MODEL_UNSUPPORTED,
                   "tokenizer.json: model type 'BPE' is not supported yet; supported: WordPiece");
    assert_refused(&(struct fixture){.normalizer = "{\"type\":\"NFKC\"}"}, MODEL_UNSUPPORTED,
                   "tokenizer.json: normalizer type 'NFKC' is not supported yet; supported: "
                   "BertNormalizer");
    assert_refused(
        &(struct fixture){.pre_tokenizer = "{\"type\":\"ByteLevel\"}"}, MODEL_UNSUPPORTED,
        "tokenizer.json: pre_tokenizer type 'ByteLevel' is not supported yet; supported: "
        "BertPreTokenizer");
    assert_refused(&(struct fixture){.post_processor = "{\"type\":\"RobertaProcessing\"}"},
                   MODEL_UNSUPPORTED,
                   "tokenizer.json: post_processor type 'RobertaProcessing' is not supported yet; "
                   "supported: TemplateProcessing, BertProcessing");
    assert_refused(&(struct fixture){.decoder = "{\"type\":\"Metaspace\"}"}, MODEL_UNSUPPORTED,
                   "tokenizer.json: decoder type 'Metaspace' is not supported yet; supported: "
                   "WordPiece");
}

static void parts_without_a_type_are_refused(void **state)
{
    (void)state;
    assert_refused(&(struct fixture){.model = "{}"}, MODEL_CORRUPT,
                   "tokenizer.json: model.type is missing, want a string");
    assert_refused(&(struct fixture){.model = "null"}, MODEL_CORRUPT,
                   "tokenizer.json: model is null, want an object");
    assert_refused(&(struct fixture){.pre_tokenizer = "[]"}, MODEL_CORRUPT,
                   "tokenizer.json: pre_tokenizer is an array, want an object");
    assert_refused(&(struct fixture){.normalizer = "{\"type\":4}"}, MODEL_CORRUPT,
                   "tokenizer.json: normalizer.type is a number, want a string");
    assert_refused(&(struct fixture){.decoder = "[]"}, MODEL_CORRUPT,
                   "tokenizer.json: decoder is an array, want an object");
}

static void settings_of_a_wrong_type_are_refused(void **state)
{
    (void)state;
    assert_refused(
        &(struct fixture){.normalizer = "{\"type\":\"BertNormalizer\",\"lowercase\":\"yes\"}"},
        MODEL_CORRUPT, "tokenizer.json: normalizer.lowercase is a string, want true or false");
    assert_refused(&(struct fixture){.decoder = "{\"type\":\"WordPiece\",\"prefix\":2}"},
                   MODEL_CORRUPT, "tokenizer.json: decoder.prefix is a number, want a string");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_that_are_not_built_are_refused_by_name),
        cmocka_unit_test(parts_without_a_type_are_refused),
        cmocka_unit_test(settings_of_a_wrong_type_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
