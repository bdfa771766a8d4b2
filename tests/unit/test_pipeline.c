/* Tests of picking parts by name. */
#include "tokenizer_fixture.h"

static void kinds_that_are_not_built_are_refused_by_name(void **state)
{
    (void)state;
    assert_refused(&(struct fixture){.model = "{\"type\":\"Unigram\"}"}, MODEL_UNSUPPORTED,
                   "tokenizer.json: model type 'Unigram' is not supported yet; supported: "
                   "WordPiece, BPE");
    assert_refused(&(struct fixture){.normalizer = "{\"type\":\"Precompiled\"}"}, MODEL_UNSUPPORTED,
                   "tokenizer.json: normalizer type 'Precompiled' is not supported yet; supported: "
                   "BertNormalizer, NFC, NFD, NFKC, NFKD, Lowercase, Strip, Replace, Prepend, "
                   "Sequence");
    assert_refused(
        &(struct fixture){.pre_tokenizer = "{\"type\":\"Metaspace\"}"}, MODEL_UNSUPPORTED,
        "tokenizer.json: pre_tokenizer type 'Metaspace' is not supported yet; supported: "
        "BertPreTokenizer, ByteLevel, Split, Digits, Punctuation, Whitespace, WhitespaceSplit, "
        "Sequence");
    assert_refused(&(struct fixture){.post_processor = "{\"type\":\"Other\"}"}, MODEL_UNSUPPORTED,
                   "tokenizer.json: post_processor type 'Other' is not supported yet; supported: "
                   "TemplateProcessing, BertProcessing, ByteLevel, RobertaProcessing, Sequence");
    assert_refused(&(struct fixture){.decoder = "{\"type\":\"Metaspace\"}"}, MODEL_UNSUPPORTED,
                   "tokenizer.json: decoder type 'Metaspace' is not supported yet; supported: "
                   "WordPiece, ByteLevel, Replace, ByteFallback, Fuse, Strip, Sequence");
}

/* n times the same step, in sequences of sequences. */
static void assert_sequence(const char *list, const char *step, int n, const char *section,
                            bool fits)
{
    struct buffer json = BUFFER_INIT(1 << 16);
    for (int i = 0; i < n; i++)
        assert_int_equal(buffer_printf(&json, "{\"type\":\"Sequence\",\"%s\":[%s%s", list, step,
                                       i + 1 < n ? "," : ""),
                         MODEL_OK);
    for (int i = 0; i < n; i++)
        assert_int_equal(buffer_append_text(&json, "]}"), MODEL_OK);
    struct fixture f = {0};
    f.normalizer = *section == 'n' ? json.data : NULL;
    f.pre_tokenizer = *section == 'p' ? json.data : NULL;
    f.decoder = *section == 'd' ? json.data : NULL;
    if (fits) {
        tokenizer_destroy(fixture_load(&f));
    } else {
        char *sentence = text_format("tokenizer.json: %s has more than 16 steps", section);
        assert_refused(&f, MODEL_UNSUPPORTED, sentence);
        free(sentence);
    }
    buffer_finish(&json);
}

static void sequences_are_flat_and_bounded(void **state)
{
    (void)state;
    for (int fits = 0; fits < 2; fits++) {
        int n = fits ? 16 : 17;
        assert_sequence("normalizers", "{\"type\":\"Lowercase\"}", n, "normalizer", fits);
        assert_sequence("pretokenizers", "{\"type\":\"Digits\"}", n, "pre_tokenizer", fits);
        assert_sequence("decoders", "{\"type\":\"Fuse\"}", n, "decoder", fits);
    }
    assert_refused(&(struct fixture){.normalizer = "{\"type\":\"Sequence\"}"}, MODEL_CORRUPT,
                   "tokenizer.json: normalizer.normalizers is missing, want an array");
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
        cmocka_unit_test(sequences_are_flat_and_bounded),
        cmocka_unit_test(parts_without_a_type_are_refused),
        cmocka_unit_test(settings_of_a_wrong_type_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
