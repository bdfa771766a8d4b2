/* Tests of the whole tokenizer, on the files of bert-base where they are at hand ($SHARED, by default
 * ../shared): ids, tokens and decoded text as the reference library gave them for hard strings. */
#include "tokenizer_fixture.h"

#include "files.h"
#include "json_view.h"

static const struct tokenizer_options with_special = {.add_special_tokens = true};

static char *shared_path(const char *name)
{
    const char *shared = getenv("SHARED");
    return text_format("%s/%s", shared != NULL ? shared : "../shared", name);
}

static struct tokenizer *load_shared(const char *name)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct tokenizer *t = NULL;
    char *path = text_format("tokenizers/%s", name);
    char *folder = shared_path(path);
    if (tokenizer_load(folder, &t, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    free(folder);
    free(path);
    return t;
}

/* A folder of ours with the vocab.txt and tokenizer_config.json of a shared one. */
static struct tokenizer *load_vocab_only(const char *name)
{
    static const char *const files[] = {"vocab.txt", "tokenizer_config.json"};
    struct model_error err = MODEL_ERROR_INIT;
    struct tokenizer *t = NULL;
    char folder[] = "/tmp/test-tokenizer-XXXXXX";
    assert_non_null(mkdtemp(folder));
    for (size_t i = 0; i < 2; i++) {
        struct buffer text = BUFFER_INIT(1 << 20);
        char *relative = text_format("tokenizers/%s/%s", name, files[i]);
        char *from = shared_path(relative);
        char *to = path_join(folder, files[i]);
        assert_int_equal(file_read(from, 1 << 20, &text, &err), MODEL_OK);
        assert_int_equal(file_write_atomic(to, text.data, text.size, &err), MODEL_OK);
        buffer_finish(&text);
        free(relative);
        free(from);
        free(to);
    }
    if (tokenizer_load(folder, &t, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(dir_remove_all(folder, &err), MODEL_OK);
    return t;
}

static void check_case(const struct tokenizer *t, const char *text, const json_node *want)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct encoding e = ENCODING_INIT;
    struct buffer decoded = BUFFER_INIT(1 << 16);
    const json_node *id = json_first(json_member(want, "ids"));
    const json_node *token = json_first(json_member(want, "tokens"));
    assert_int_equal(tokenizer_encode(t, text, strlen(text), NULL, 0, &with_special, &e, &err),
                     MODEL_OK);
    assert_int_equal(e.n_tokens, json_count(json_member(want, "ids")));
    for (size_t i = 0; i < e.n_tokens; i++, id = json_next(id), token = json_next(token)) {
        assert_int_equal(e.ids[i], (int64_t)json_number_or(id, -1));
        assert_string_equal(tokenizer_token(t, e.ids[i]), json_string_or(token, ""));
    }
    assert_int_equal(buffer_append(&decoded, "", 0), MODEL_OK);
    assert_int_equal(tokenizer_decode(t, e.ids, e.n_tokens, true, &decoded, &err), MODEL_OK);
    assert_string_equal(decoded.data, json_string_or(json_member(want, "decoded"), ""));
    buffer_finish(&decoded);
    encoding_finish(&e);
}

static void check_cases(struct tokenizer *(*load)(const char *name), const char *name)
{
    struct model_error err = MODEL_ERROR_INIT;
    json_node *cases = NULL;
    char *path = shared_path("tokenizers/cases.json");
    if (!path_is_file(path)) {
        print_message("skipped: %s is not there\n", path);
        free(path);
        skip();
    }
    assert_int_equal(json_parse_file(path, 1 << 20, &cases, &err), MODEL_OK);
    free(path);
    struct tokenizer *t = load(name);
    const json_node *of = json_member(cases, name);
    const json_node *want = json_first(json_member(of, "cases"));
    const json_node *text = json_first(json_member(cases, "texts"));
    size_t n = 0;
    for (; text != NULL && want != NULL; text = json_next(text), want = json_next(want), n++)
        check_case(t, json_string_or(text, NULL), want);
    assert_int_equal(n, 18);
    assert_int_equal(tokenizer_vocab_size(t), (int64_t)json_number_or(json_member(of, "vocab"), 0));
    assert_int_equal(tokenizer_model_max_length(t), 512);
    assert_int_equal(tokenizer_mask_id(t), 103);
    tokenizer_destroy(t);
    json_free(cases);
}

static void uncased_agrees_with_the_reference(void **state)
{
    (void)state;
    check_cases(load_shared, "bert-base-uncased");
}

static void cased_agrees_with_the_reference(void **state)
{
    (void)state;
    check_cases(load_shared, "bert-base-cased");
}

static void uncased_from_its_vocabulary_agrees_too(void **state)
{
    (void)state;
    check_cases(load_vocab_only, "bert-base-uncased");
}

static void cased_from_its_vocabulary_agrees_too(void **state)
{
    (void)state;
    check_cases(load_vocab_only, "bert-base-cased");
}

static void spans_are_bytes_of_the_original_text(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct encoding e = ENCODING_INIT;
    struct tokenizer *t = fixture_load(&(struct fixture){0});
    const char *text = "\u200bCaf\u00c9 \u4e2d\u4e2d UNaffable[MASK].";
    static const struct {
        const char *token;
        uint32_t start, end;
        int32_t word;
    } want[] = {{"cafe", 3, 8, 0},     {"\u4e2d", 9, 12, 1}, {"\u4e2d", 12, 15, 2},
                {"un", 16, 18, 3},     {"##aff", 18, 21, 3}, {"##able", 21, 25, 3},
                {"[MASK]", 25, 31, 4}, {".", 31, 32, 5}};
    assert_int_equal(
        tokenizer_encode(t, text, strlen(text), NULL, 0, &(struct tokenizer_options){0}, &e, &err),
        MODEL_OK);
    assert_int_equal(e.n_tokens, sizeof want / sizeof want[0]);
    for (size_t i = 0; i < e.n_tokens; i++) {
        assert_string_equal(tokenizer_token(t, e.ids[i]), want[i].token);
        assert_int_equal(e.spans[i].start, want[i].start);
        assert_int_equal(e.spans[i].end, want[i].end);
        assert_int_equal(e.words[i], want[i].word);
    }
    encoding_finish(&e);
    tokenizer_destroy(t);
}

static void zero_bytes_are_text_like_any_control(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct encoding e = ENCODING_INIT;
    struct tokenizer *t = fixture_load(&(struct fixture){0});
    assert_int_equal(
        tokenizer_encode(t, "hel\0lo\0", 7, NULL, 0, &(struct tokenizer_options){0}, &e, &err),
        MODEL_OK);
    assert_int_equal(e.n_tokens, 1);
    assert_int_equal(e.ids[0], 23);
    assert_int_equal(e.spans[0].end, 6);
    encoding_finish(&e);
    tokenizer_destroy(t);
}

static void empty_texts_have_special_tokens_only(void **state)
{
    (void)state;
    struct tokenizer *t = fixture_load(&(struct fixture){0});
    assert_tokens(t, "", NULL, &with_special, "[CLS] [SEP]");
    assert_tokens(t, "", "", &with_special, "[CLS] [SEP] [SEP]");
    assert_tokens(t, " \t\u200b", NULL, &with_special, "[CLS] [SEP]");
    assert_tokens(t, "", NULL, &(struct tokenizer_options){0}, "");
    tokenizer_destroy(t);
}

static void what_is_not_text_is_refused(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct encoding e = ENCODING_INIT;
    struct tokenizer *t = fixture_load(&(struct fixture){0});
    assert_int_equal(tokenizer_encode(t, "ab\xff", 3, NULL, 0, &with_special, &e, &err),
                     MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message,
                        "the text is not UTF-8: byte 0xFF at offset 2; convert it, for "
                        "example with iconv");
    assert_int_equal(tokenizer_encode(t, "a", 1, "\xed\xa0\x80", 3, &with_special, &e, &err),
                     MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message,
                        "the pair is not UTF-8: byte 0xED at offset 0; convert it, for "
                        "example with iconv");
    assert_int_equal(
        tokenizer_encode(t, "a", TOKENIZER_MAX_TEXT_BYTES + 1ul, NULL, 0, &with_special, &e, &err),
        MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "the text has 268435457 bytes, at most 268435456 are encoded");
    encoding_finish(&e);
    tokenizer_destroy(t);
}

static void tokens_and_ids_are_found(void **state)
{
    (void)state;
    struct tokenizer *t = fixture_load(&(struct fixture){0});
    assert_int_equal(tokenizer_id(t, "##able"), 21);
    assert_int_equal(tokenizer_id(t, "nothing"), -1);
    assert_string_equal(tokenizer_token(t, 4), "[MASK]");
    assert_null(tokenizer_token(t, 34));
    assert_int_equal(tokenizer_vocab_size(t), 34);
    tokenizer_destroy(t);
}

/* A word of a megabyte, a megabyte of marks, of brackets: each passes in linear time. */
static void long_and_hostile_texts_pass(void **state)
{
    (void)state;
    static const char *const patterns[] = {
        "a",      "b\u0301", "[",     "[MASK", "x\u302e\u1b44\u302e", "\u302e\u1b44",
        "\u4e2d", "[MASK] ", "\u200b"};
    struct model_error err = MODEL_ERROR_INIT;
    struct encoding e = ENCODING_INIT;
    struct tokenizer *t = fixture_load(&(struct fixture){0});
    enum { BYTES = 1 << 20 };
    char *text = malloc(BYTES);
    assert_non_null(text);
    for (size_t p = 0; p < sizeof patterns / sizeof patterns[0]; p++) {
        size_t n = strlen(patterns[p]);
        size_t bytes = BYTES / n * n;
        for (size_t i = 0; i < bytes; i++)
            text[i] = patterns[p][i % n];
        assert_int_equal(tokenizer_encode(t, text, bytes, NULL, 0, &with_special, &e, &err),
                         MODEL_OK);
    }
    free(text);
    encoding_finish(&e);
    tokenizer_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uncased_agrees_with_the_reference),
        cmocka_unit_test(cased_agrees_with_the_reference),
        cmocka_unit_test(uncased_from_its_vocabulary_agrees_too),
        cmocka_unit_test(cased_from_its_vocabulary_agrees_too),
        cmocka_unit_test(spans_are_bytes_of_the_original_text),
        cmocka_unit_test(zero_bytes_are_text_like_any_control),
        cmocka_unit_test(empty_texts_have_special_tokens_only),
        cmocka_unit_test(what_is_not_text_is_refused),
        cmocka_unit_test(tokens_and_ids_are_found),
        cmocka_unit_test(long_and_hostile_texts_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
