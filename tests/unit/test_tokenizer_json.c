/* Tests of reading tokenizer.json. */
#include "tokenizer_fixture.h"

static const struct tokenizer_options as_file = {.add_special_tokens = true};

static void truncation_is_applied_as_the_file_says(void **state)
{
    (void)state;
    struct fixture f = {.truncation =
                            "{\"max_length\":4,\"strategy\":\"LongestFirst\",\"stride\":0}"};
    struct tokenizer *t = fixture_load(&f);
    const struct tokenizer_options off = {.truncation = TOKENIZER_OFF};
    const struct tokenizer_options own = {.truncation = TOKENIZER_ON, .max_tokens = 1};
    const struct tokenizer_options its = {.truncation = TOKENIZER_ON};
    assert_tokens(t, "a b c d e f", NULL, &as_file, "[CLS] a b [SEP]");
    assert_tokens(t, "a b c d e f", NULL, &off, "a b c d e f");
    assert_tokens(t, "a b c d e f", NULL, &own, "a");
    assert_tokens(t, "a b c d e f", NULL, &its, "a b c d");
    tokenizer_destroy(t);
}

static void padding_is_applied_as_the_file_says(void **state)
{
    (void)state;
    const struct tokenizer_options off = {.padding = TOKENIZER_OFF};
    const struct tokenizer_options own = {.padding = TOKENIZER_ON, .pad_to_tokens = 3};
    struct fixture f = {.padding = "{\"strategy\":{\"Fixed\":4},\"direction\":\"Left\","
                                   "\"pad_id\":0,\"pad_type_id\":0,\"pad_token\":\"[PAD]\"}"};
    struct tokenizer *t = fixture_load(&f);
    assert_tokens(t, "a", NULL, &as_file, "[PAD] [CLS] a [SEP]");
    assert_tokens(t, "a b c", NULL, &as_file, "[CLS] a b c [SEP]");
    assert_tokens(t, "a", NULL, &off, "a");
    assert_tokens(t, "a", NULL, &own, "[PAD] [PAD] a");
    tokenizer_destroy(t);
    f.padding = "{\"strategy\":\"BatchLongest\",\"direction\":\"Right\",\"pad_to_multiple_of\":4,"
                "\"pad_id\":0,\"pad_type_id\":0,\"pad_token\":\"[PAD]\"}";
    t = fixture_load(&f);
    assert_tokens(t, "a", NULL, &as_file, "[CLS] a [SEP] [PAD]");
    assert_tokens(t, "a b c", NULL, &as_file, "[CLS] a b c [SEP] [PAD] [PAD] [PAD]");
    tokenizer_destroy(t);
}

static void broken_sections_are_refused(void **state)
{
    (void)state;
    assert_refused(&(struct fixture){.truncation = "7"}, MODEL_CORRUPT,
                   "tokenizer.json: truncation is a number, want an object");
    assert_refused(&(struct fixture){.truncation = "{\"max_length\":-5}"}, MODEL_CORRUPT,
                   "tokenizer.json: truncation.max_length is -5, want a whole number from 1 to "
                   "16777216");
    assert_refused(&(struct fixture){.truncation = "{\"direction\":\"Up\"}"}, MODEL_CORRUPT,
                   "tokenizer.json: truncation.direction is 'Up', want 'Right' or 'Left'");
    assert_refused(&(struct fixture){.truncation = "{\"strategy\":\"None\"}"}, MODEL_CORRUPT,
                   "tokenizer.json: truncation.strategy is 'None', want 'LongestFirst' or "
                   "'OnlyFirst' or another known word");
    assert_refused(
        &(struct fixture){.padding = "{\"strategy\":\"Longest\"}"}, MODEL_CORRUPT,
        "tokenizer.json: padding.strategy is neither \"BatchLongest\" nor {\"Fixed\": n} "
        "with n from 0 to 16777216");
    assert_refused(&(struct fixture){.padding = "{\"strategy\":\"BatchLongest\",\"pad_id\":\"x\"}"},
                   MODEL_CORRUPT,
                   "tokenizer.json: padding.pad_id is a string, want a whole number");
}

static model_status load_text(const char *text, struct model_error *err)
{
    struct tokenizer *t = NULL;
    model_status status = tokenizer_from_json(text, strlen(text), "tokenizer.json", &t, err);
    tokenizer_destroy(t);
    return status;
}

static void what_is_no_tokenizer_is_refused(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(load_text("[1]", &err), MODEL_CORRUPT);
    assert_string_equal(err.message, "tokenizer.json: the file is an array, want an object");
    assert_int_equal(load_text("{\"version\":\"2.0\"}", &err), MODEL_UNSUPPORTED);
    assert_string_equal(err.message,
                        "tokenizer.json: version '2.0' is not supported; supported: 1.0");
    assert_int_equal(load_text("{}", &err), MODEL_CORRUPT);
    assert_string_equal(err.message, "tokenizer.json: model is missing, want an object");
    assert_int_equal(load_text("{\"model\":", &err), MODEL_CORRUPT);
    assert_int_equal(load_text("\xff", &err), MODEL_CORRUPT);
    tokenizer_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(truncation_is_applied_as_the_file_says),
        cmocka_unit_test(padding_is_applied_as_the_file_says),
        cmocka_unit_test(broken_sections_are_refused),
        cmocka_unit_test(what_is_no_tokenizer_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
