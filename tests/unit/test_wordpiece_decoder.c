/* Tests of decoding. */
#include "tokenizer_fixture.h"

static void assert_decoded(const struct fixture *f, const char *tokens, bool skip, const char *want)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct tokenizer *t = fixture_load(f);
    struct buffer text = BUFFER_INIT(1 << 16);
    int64_t ids[64];
    size_t n = 0;
    for (const char *p = tokens; *p != '\0';) { /* tokens with '|' between */
        size_t bytes = strcspn(p, "|");
        char *token = text_format("%.*s", (int)bytes, p);
        ids[n] = tokenizer_id(t, token);
        assert_true(ids[n] >= 0);
        free(token);
        n++;
        p += bytes + (p[bytes] == '|');
    }
    assert_int_equal(buffer_append(&text, "", 0), MODEL_OK);
    assert_int_equal(tokenizer_decode(t, ids, n, skip, &text, &err), MODEL_OK);
    assert_string_equal(text.data, want);
    buffer_finish(&text);
    tokenizer_destroy(t);
}

static void pieces_join_and_spaces_before_punctuation_go(void **state)
{
    (void)state;
    struct fixture f = {0};
    assert_decoded(&f, "un|##aff|##able|.", true, "unaffable.");
    assert_decoded(&f, "hello|,|world|!", true, "hello, world!");
    assert_decoded(&f, "##a|b", true, "##a b"); /* the first token stays as it is */
    assert_decoded(&f, "a|'|s", true, "a ' s"); /* cleaning sees one token at a time */
    assert_decoded(&f, "", true, "");
}

static void special_tokens_are_skipped_on_request(void **state)
{
    (void)state;
    struct fixture f = {0};
    assert_decoded(&f, "[CLS]|hello|[SEP]", true, "hello");
    assert_decoded(&f, "[CLS]|hello|[SEP]", false, "[CLS] hello [SEP]");
}

static void every_cleanup_rule_applies_in_order(void **state)
{
    (void)state;
    struct fixture f = {.model =
                            "{\"type\":\"WordPiece\",\"vocab\":{" FIXTURE_VOCAB
                            ",\"n't\":34,\"'m\":35,\"'s\":36,\"'ve\":37,\"'re\":38,\"do not\":39,"
                            "\"?\":40,\"x ' y\":41}}"};
    assert_decoded(&f, "a|n't|'m|'s|'ve|'re|?", true, "an't'm's've're?");
    assert_decoded(&f, "a|do not", true, "a don't");
    assert_decoded(&f, "a|x ' y", true, "a x'y");
}

static void without_cleanup_or_decoder_tokens_stay_apart(void **state)
{
    (void)state;
    struct fixture f = {.decoder = "{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":false}"};
    assert_decoded(&f, "un|##a|.", true, "una .");
    f.decoder = "null";
    assert_decoded(&f, "un|##a|.", true, "un ##a .");
}

static void ids_without_a_token_are_passed_over(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct tokenizer *t = fixture_load(&(struct fixture){0});
    struct buffer text = BUFFER_INIT(64);
    const int64_t ids[] = {-1, 23, 1000000, INT64_MAX, INT64_MIN, 24};
    assert_int_equal(tokenizer_decode(t, ids, 6, true, &text, &err), MODEL_OK);
    assert_string_equal(text.data, "hello world");
    tokenizer_destroy(t);
    buffer_finish(&text);
}

static void a_text_beyond_the_buffer_is_refused(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct tokenizer *t = fixture_load(&(struct fixture){0});
    struct buffer text = BUFFER_INIT(8);
    const int64_t ids[] = {23, 24};
    assert_int_equal(tokenizer_decode(t, ids, 2, true, &text, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "the text of the tokens is longer than the 8 bytes allowed");
    tokenizer_destroy(t);
    buffer_finish(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_join_and_spaces_before_punctuation_go),
        cmocka_unit_test(special_tokens_are_skipped_on_request),
        cmocka_unit_test(every_cleanup_rule_applies_in_order),
        cmocka_unit_test(without_cleanup_or_decoder_tokens_stay_apart),
        cmocka_unit_test(ids_without_a_token_are_passed_over),
        cmocka_unit_test(a_text_beyond_the_buffer_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
