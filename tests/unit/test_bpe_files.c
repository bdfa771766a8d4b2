/* Tests of vocab.json with merges.txt, and of the shared cases of GPT-2 (SHARED). */
#include "tokenizer_files_fixture.h"

#include "json_view.h"

static void assert_folder_refused(model_status want, const char *sentence)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct tokenizer *t = NULL;
    assert_int_equal(tokenizer_load(folder, &t, &err), want);
    assert_non_null(strstr(err.message, sentence));
}

#define VOCAB                                                                                      \
    "{\"a\":0,\"b\":1,\"\u0120\":2,\"ab\":3,\"\u0120a\":4,\"<|endoftext|>\":5,\"<s>\":6,"          \
    "\"</s>\":7,\"<mask>\":8,\"<pad>\":9,\"<unk>\":10}"
#define MERGES "#version: 0.2\na b\r\n\u0120 a\n"

static const struct tokenizer_options with_special = {.add_special_tokens = true};

static void two_files_alone_are_gpt2(void **state)
{
    (void)state;
    put("vocab.json", VOCAB);
    put("merges.txt", MERGES);
    struct tokenizer *t = open_folder();
    assert_tokens(t, "ab a<|endoftext|>b", "a", &with_special, "ab \u0120a <|endoftext|> b a");
    assert_int_equal(tokenizer_bos_id(t), 5);
    assert_int_equal(tokenizer_eos_id(t), 5);
    assert_int_equal(tokenizer_mask_id(t), -1);
    tokenizer_destroy(t);
}

static void configurations_are_honoured(void **state)
{
    (void)state;
    put("vocab.json", VOCAB);
    put("merges.txt", MERGES);
    put("tokenizer_config.json", "{\"tokenizer_class\":\"GPT2Tokenizer\",\"add_prefix_space\":true,"
                                 "\"add_bos_token\":true,\"bos_token\":{\"content\":\"<s>\"},"
                                 "\"model_max_length\":77}");
    put("special_tokens_map.json", "{\"eos_token\":\"</s>\",\"pad_token\":\"[NEW]\"}");
    put("added_tokens.json", "{\"[B]\":12,\"[A]\":11}");
    struct tokenizer *t = open_folder();
    assert_tokens(t, "a[B][A]b[NEW]", NULL, &with_special, "<s> \u0120a [B] [A] \u0120 b [NEW]");
    assert_int_equal(tokenizer_bos_id(t), 6);
    assert_int_equal(tokenizer_eos_id(t), 7);
    assert_int_equal(tokenizer_pad_id(t), 13);
    assert_int_equal(tokenizer_id(t, "[A]"), 11);
    assert_int_equal(tokenizer_model_max_length(t), 77);
    tokenizer_destroy(t);
}

static void roberta_frames_its_texts(void **state)
{
    (void)state;
    put("vocab.json", VOCAB);
    put("merges.txt", MERGES);
    put("tokenizer_config.json", "{\"tokenizer_class\":\"RobertaTokenizerFast\"}");
    struct tokenizer *t = open_folder();
    assert_tokens(t, "ab <mask> a", "b", &with_special, "<s> ab <mask> \u0120a </s> </s> b </s>");
    assert_int_equal(tokenizer_mask_id(t), 8);
    assert_int_equal(tokenizer_pad_id(t), 9);
    assert_int_equal(tokenizer_eos_id(t), 7);
    tokenizer_destroy(t);
}

static void broken_files_are_refused(void **state)
{
    (void)state;
    put("vocab.json", VOCAB);
    assert_folder_refused(MODEL_NOT_FOUND, "has no tokenizer");
    put("merges.txt", "a b c\n");
    assert_folder_refused(MODEL_CORRUPT, "merges.txt: line 1 is not two tokens: want \"a b\"");
    put("merges.txt", "#version: 0.2\n\na b\nb a\n");
    assert_folder_refused(MODEL_CORRUPT,
                          "merges.txt: line 4 needs the token 'ba', which vocab.json lacks");
    put("merges.txt", "a\xff b\n");
    assert_folder_refused(MODEL_CORRUPT, "merges.txt is not text in UTF-8 (byte 1)");
    put_bytes("merges.txt", "a \0 b\n", 5);
    assert_folder_refused(MODEL_CORRUPT, "merges.txt is no text: byte 2 is zero");
    put("merges.txt", MERGES);
    put("tokenizer_config.json", "{\"tokenizer_class\":\"CLIPTokenizer\"}");
    assert_folder_refused(MODEL_UNSUPPORTED, "tokenizer_class 'CLIPTokenizer' is not supported");
    put("tokenizer_config.json", "{\"add_bos_token\":true,\"bos_token\":\"<none>\"}");
    assert_folder_refused(MODEL_CORRUPT, "wants a '<none>' before texts");
    put("tokenizer_config.json", "{}");
    put("vocab.json", "[1]");
    assert_folder_refused(MODEL_CORRUPT, "model.vocab is an array, want an object");
}

/* ---------------------------------------------------------------- GPT-2 itself */

static void assert_case(const struct tokenizer *t, const char *text, const json_node *want)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct encoding e = ENCODING_INIT;
    struct buffer decoded = BUFFER_INIT(1 << 20);
    assert_int_equal(tokenizer_encode(t, text, strlen(text), NULL, 0, &with_special, &e, &err),
                     MODEL_OK);
    const json_node *id = json_first(json_member(want, "ids"));
    assert_int_equal(e.n_tokens, json_count(json_member(want, "ids")));
    for (size_t i = 0; i < e.n_tokens; i++, id = json_next(id))
        assert_int_equal(e.ids[i], (int64_t)json_number_or(id, -1));
    assert_int_equal(buffer_append(&decoded, "", 0), MODEL_OK);
    assert_int_equal(tokenizer_decode(t, e.ids, e.n_tokens, true, &decoded, &err), MODEL_OK);
    assert_string_equal(decoded.data, json_string_or(json_member(want, "decoded"), ""));
    buffer_finish(&decoded);
    encoding_finish(&e);
}

static void the_shared_cases_of_gpt2_agree(void **state)
{
    (void)state;
    const char *shared = getenv("SHARED");
    char *path = text_format("%s/tokenizers/gpt2", shared != NULL ? shared : "../shared");
    char *cases_path = text_format("%s/../cases.json", path);
    if (!path_is_file(cases_path)) {
        print_message("skipped: no %s\n", cases_path);
        free(path);
        free(cases_path);
        skip();
    }
    struct model_error err = MODEL_ERROR_INIT;
    json_node *cases = NULL;
    struct tokenizer *t = NULL;
    assert_int_equal(json_parse_file(cases_path, 1 << 24, &cases, &err), MODEL_OK);
    if (tokenizer_load(path, &t, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(tokenizer_eos_id(t), 50256);
    assert_int_equal(tokenizer_vocab_size(t), 50257);
    const json_node *text = json_first(json_member(cases, "texts"));
    const json_node *want = json_first(json_path(cases, "gpt2.cases"));
    for (; text != NULL; text = json_next(text), want = json_next(want))
        assert_case(t, json_string_or(text, ""), want);
    tokenizer_destroy(t);
    json_free(cases);
    free(path);
    free(cases_path);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(two_files_alone_are_gpt2),
        IN_FOLDER(configurations_are_honoured),
        IN_FOLDER(roberta_frames_its_texts),
        IN_FOLDER(broken_files_are_refused),
        cmocka_unit_test(the_shared_cases_of_gpt2_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
