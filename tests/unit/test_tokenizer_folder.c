/* Tests of opening folders: tokenizer.json, vocab.txt, and the configurations beside them; covers
 * host/tokenizers/bert_files.c and host/tokenizers/tokenizer_files.c. */
#include "tokenizer_files_fixture.h"

#define VOCAB "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nB\nb\n##c\n\u00e9\ne\n\u4e2d\n"

static void assert_folder_refused(model_status want, const char *format)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct tokenizer *t = NULL;
    assert_int_equal(tokenizer_load(folder, &t, &err), want);
    char *sentence = text_format("%s%s", folder, format);
    assert_string_equal(err.message, sentence);
    free(sentence);
}

static const struct tokenizer_options with_special = {.add_special_tokens = true};

static void a_folder_without_a_tokenizer_is_not_found(void **state)
{
    (void)state;
    assert_folder_refused(MODEL_NOT_FOUND,
                          " has no tokenizer: neither tokenizer.json, nor vocab.txt, nor "
                          "vocab.json with merges.txt; put one there, or download the model "
                          "again");
}

static void a_vocabulary_alone_is_lower_case_bert(void **state)
{
    (void)state;
    put("vocab.txt", VOCAB);
    struct tokenizer *t = open_folder();
    assert_tokens(t, "Bc \u00c9[MASK]\u4e2da", "b", &with_special,
                  "[CLS] b ##c e [MASK] \u4e2d a [SEP] b [SEP]");
    assert_int_equal(tokenizer_vocab_size(t), 12);
    assert_int_equal(tokenizer_mask_id(t), 4);
    assert_int_equal(tokenizer_pad_id(t), 0);
    assert_int_equal(tokenizer_unk_id(t), 1);
    assert_int_equal(tokenizer_model_max_length(t), 0);
    tokenizer_destroy(t);
}

static void the_configuration_beside_it_is_honoured(void **state)
{
    (void)state;
    put("vocab.txt", VOCAB);
    put("tokenizer_config.json", "{\"do_lower_case\":false,\"tokenize_chinese_chars\":false,"
                                 "\"model_max_length\":128,\"tokenizer_class\":\"BertTokenizer\"}");
    struct tokenizer *t = open_folder();
    assert_tokens(t, "B \u00e9 \u4e2d\u4e2d", NULL, &with_special, "[CLS] B \u00e9 [UNK] [SEP]");
    assert_int_equal(tokenizer_model_max_length(t), 128);
    tokenizer_destroy(t);
    put("tokenizer_config.json", "{\"do_lower_case\":true,\"strip_accents\":false,"
                                 "\"model_max_length\":1000000000000000019884624838656}");
    t = open_folder();
    assert_tokens(t, "B \u00c9", NULL, &with_special, "[CLS] b \u00e9 [SEP]");
    assert_int_equal(tokenizer_model_max_length(t), 0);
    tokenizer_destroy(t);
}

static void special_tokens_come_from_either_file(void **state)
{
    (void)state;
    put("vocab.txt", "<pad>\n<unk>\n<s>\n</s>\n<mask>\na\n");
    put("special_tokens_map.json",
        "{\"unk_token\":\"<unk>\",\"cls_token\":\"<s>\",\"sep_token\":{\"content\":\"</s>\"},"
        "\"pad_token\":\"<pad>\",\"additional_special_tokens\":[\"<new>\",\"a\"]}");
    put("tokenizer_config.json", "{\"mask_token\":\"<mask>\"}");
    struct tokenizer *t = open_folder();
    assert_tokens(t, "a<mask>x<new>", NULL, &with_special, "<s> a <mask> <unk> <new> </s>");
    assert_int_equal(tokenizer_id(t, "<new>"), 6);
    assert_int_equal(tokenizer_mask_id(t), 4);
    assert_int_equal(tokenizer_pad_id(t), 0);
    tokenizer_destroy(t);
}

static void added_tokens_decoder_gives_ids_and_flags(void **state)
{
    (void)state;
    put("vocab.txt", VOCAB);
    put("tokenizer_config.json",
        "{\"added_tokens_decoder\":{\"2\":{\"content\":\"[CLS]\",\"special\":true},"
        "\"12\":{\"content\":\"<X>\",\"special\":false,\"normalized\":true}}}");
    struct tokenizer *t = open_folder();
    assert_tokens(t, "a<x>b[CLS]", NULL, &(struct tokenizer_options){0}, "a <X> b [CLS]");
    tokenizer_destroy(t);
}

static void tokenizer_json_comes_before_vocab_txt(void **state)
{
    (void)state;
    char *json = fixture_json(&(struct fixture){0});
    put("tokenizer.json", json);
    free(json);
    put("vocab.txt", "nonsense");
    struct tokenizer *t = open_folder();
    assert_tokens(t, "unaffable", NULL, &with_special, "[CLS] un ##aff ##able [SEP]");
    tokenizer_destroy(t);
}

static void lines_may_end_like_windows_lines_and_repeat(void **state)
{
    (void)state;
    put("vocab.txt", "[UNK]\r\n[CLS]\r\n[SEP]\r\na\r\n\r\na\r\nb");
    struct tokenizer *t = open_folder();
    assert_int_equal(tokenizer_id(t, "a"), 5); /* the last line counts */
    assert_null(tokenizer_token(t, 3));
    assert_int_equal(tokenizer_id(t, "b"), 6);
    assert_int_equal(tokenizer_mask_id(t), -1);
    tokenizer_destroy(t);
}

static void broken_files_are_refused(void **state)
{
    (void)state;
    put("vocab.txt", "");
    assert_folder_refused(MODEL_CORRUPT, "/vocab.txt is empty, want one token per line");
    put("vocab.txt", "a\n\xff\n");
    assert_folder_refused(MODEL_CORRUPT, "/vocab.txt is not text in UTF-8 (byte 2)");
    put_bytes("vocab.txt", "a\n\0b\n", 5);
    assert_folder_refused(MODEL_CORRUPT, "/vocab.txt is no text: byte 2 is zero");
    put("vocab.txt", "[UNK]\na\n");
    assert_folder_refused(
        MODEL_CORRUPT, "/vocab.txt: the special token '[CLS]' is not among its 2 tokens; is this "
                       "the vocabulary of a BERT model?");
    put("vocab.txt", "[CLS]\n[SEP]\n");
    assert_folder_refused(MODEL_CORRUPT,
                          "/vocab.txt: the unknown token '[UNK]' (model.unk_token) is not in "
                          "model.vocab, which has 2 tokens");
    put("vocab.txt", VOCAB);
    put("tokenizer_config.json", "[]");
    assert_folder_refused(MODEL_CORRUPT,
                          "/tokenizer_config.json: the file is an array, want an object");
    put("tokenizer_config.json", "{\"do_lower_case\":\"yes\"}");
    assert_folder_refused(MODEL_CORRUPT, "/tokenizer_config.json: the file.do_lower_case is a "
                                         "string, want true or false");
    put("tokenizer_config.json", "{\"mask_token\":5}");
    assert_folder_refused(MODEL_CORRUPT, "/tokenizer_config.json: mask_token is a number, want a "
                                         "string, or an object with one as content");
    put("tokenizer_config.json", "{\"tokenizer_class\":\"GPT2Tokenizer\"}");
    assert_folder_refused(MODEL_UNSUPPORTED,
                          "/vocab.txt: tokenizer_class 'GPT2Tokenizer' is not supported without a "
                          "tokenizer.json; supported: BertTokenizer");
    put("tokenizer_config.json", "{\"do_basic_tokenize\":false}");
    assert_folder_refused(
        MODEL_UNSUPPORTED,
        "/vocab.txt: do_basic_tokenize false (words split beforehand) is not supported");
    put("tokenizer.json", "{\"model\":{\"type\":\"Unigram\"}}");
    assert_folder_refused(
        MODEL_UNSUPPORTED,
        "/tokenizer.json: model type 'Unigram' is not supported yet; supported: WordPiece, BPE");
}

#define FOLDER_TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(a_folder_without_a_tokenizer_is_not_found),
        FOLDER_TEST(a_vocabulary_alone_is_lower_case_bert),
        FOLDER_TEST(the_configuration_beside_it_is_honoured),
        FOLDER_TEST(special_tokens_come_from_either_file),
        FOLDER_TEST(added_tokens_decoder_gives_ids_and_flags),
        FOLDER_TEST(tokenizer_json_comes_before_vocab_txt),
        FOLDER_TEST(lines_may_end_like_windows_lines_and_repeat),
        FOLDER_TEST(broken_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
