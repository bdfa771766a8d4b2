/* test_generation_prompt.c - what a prompt takes from its caller, and the tokens it becomes. */
#include "generation_prompt.h"
#include "tokenizer_fixture.h"

static const struct fixture as_usual = {.model = NULL};

static void a_text_is_copied_and_tokenized_later(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = fixture_load(&as_usual);
    struct model_error err = MODEL_ERROR_INIT;
    struct prompt prompt = {0};
    char text[] = "hello world";
    const struct modelhost_prompt given = {sizeof given, text, strlen(text), NULL, 0};
    assert_int_equal(prompt_take(&prompt, &given, true, &err), MODEL_OK);
    assert_int_equal(prompt.n_ids, 0);
    memset(text, 'x', strlen(text));
    assert_int_equal(prompt_encode(&prompt, tokenizer, -1, NULL, &err), MODEL_OK);
    const int64_t wanted[] = {2, 23, 24, 3};
    assert_int_equal(prompt.n_ids, 4);
    assert_memory_equal(prompt.ids, wanted, sizeof wanted);
    assert_string_equal(prompt.text, "hello world");
    prompt_finish(&prompt);
    tokenizer_destroy(tokenizer);
}

static void ids_are_taken_as_they_are(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct prompt prompt = {0};
    const int64_t ids[] = {7, 5, 7};
    const struct modelhost_prompt given = {sizeof given, NULL, 0, ids, 3};
    assert_int_equal(prompt_take(&prompt, &given, false, &err), MODEL_OK);
    assert_int_equal(prompt_encode(&prompt, NULL, 50, NULL, &err), MODEL_OK);
    assert_int_equal(prompt.n_ids, 3);
    assert_memory_equal(prompt.ids, ids, sizeof ids);
    prompt_finish(&prompt);
}

static void an_empty_prompt_is_the_id_that_begins_every_text(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct prompt prompt = {0};
    const int64_t none = 0;
    const struct modelhost_prompt given = {sizeof given, NULL, 0, &none, 0};
    assert_int_equal(prompt_take(&prompt, &given, false, &err), MODEL_OK);
    assert_int_equal(prompt_encode(&prompt, NULL, 50, NULL, &err), MODEL_OK);
    assert_int_equal(prompt.n_ids, 1);
    assert_int_equal(prompt.ids[0], 50);
    prompt_finish(&prompt);
    assert_int_equal(prompt_take(&prompt, &given, false, &err), MODEL_OK);
    assert_int_equal(prompt_encode(&prompt, NULL, -1, NULL, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message,
                        "no tokens, and the model names no bos_token_id to begin with");
    prompt_finish(&prompt);
}

static void a_text_without_a_tokenizer_is_refused_at_once(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct prompt prompt = {0};
    const struct modelhost_prompt given = {sizeof given, "hello", 5, NULL, 0};
    assert_int_equal(prompt_take(&prompt, &given, false, &err), MODEL_NOT_FOUND);
    assert_string_equal(err.message,
                        "the package has no tokenizer: give token ids instead of text");
    prompt_finish(&prompt);
}

static void neither_text_nor_ids_is_refused(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct prompt prompt = {0};
    const struct modelhost_prompt nothing = {sizeof nothing, NULL, 0, NULL, 0};
    const struct modelhost_prompt short_struct = {sizeof(size_t), "hello", 5, NULL, 0};
    const struct modelhost_prompt huge = {sizeof huge, NULL, 0, &(int64_t){0}, 1u << 30};
    assert_int_equal(prompt_take(&prompt, &nothing, true, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "neither text nor token_ids, or no struct_size");
    assert_int_equal(prompt_take(&prompt, &short_struct, true, &err), MODEL_INVALID_ARGUMENT);
    assert_int_equal(prompt_take(&prompt, &huge, true, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "1073741824 token ids, at most 16777216");
    prompt_finish(&prompt);
}

static void a_text_of_a_length_that_cannot_be_is_refused_before_it_is_copied(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct prompt prompt = {0};
    const struct modelhost_prompt negative = {sizeof negative, "hello", SIZE_MAX, NULL, 0};
    assert_int_equal(prompt_take(&prompt, &negative, true, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "a text of 18446744073709551615 bytes, at most 67108864");
    assert_null(prompt.text);
}

static void a_cancelled_request_is_not_tokenized(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = fixture_load(&as_usual);
    struct model_error err = MODEL_ERROR_INIT;
    struct prompt prompt = {0};
    const uint32_t cancelled = MODEL_DEADLINE;
    const struct modelhost_prompt given = {sizeof given, "hello", 5, NULL, 0};
    assert_int_equal(prompt_take(&prompt, &given, true, &err), MODEL_OK);
    assert_int_equal(prompt_encode(&prompt, tokenizer, -1, &cancelled, &err), MODEL_DEADLINE);
    prompt_finish(&prompt);
    tokenizer_destroy(tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_is_copied_and_tokenized_later),
        cmocka_unit_test(ids_are_taken_as_they_are),
        cmocka_unit_test(an_empty_prompt_is_the_id_that_begins_every_text),
        cmocka_unit_test(a_text_without_a_tokenizer_is_refused_at_once),
        cmocka_unit_test(neither_text_nor_ids_is_refused),
        cmocka_unit_test(a_text_of_a_length_that_cannot_be_is_refused_before_it_is_copied),
        cmocka_unit_test(a_cancelled_request_is_not_tokenized),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
