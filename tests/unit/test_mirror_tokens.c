/* test_mirror_tokens.c - who a mirror's tokens are, and what they open. */
#include "errors.h"
#include "mirror_tokens.h"
#include "testing.h"

static struct mirror_tokens *parse(const char *text)
{
    struct mirror_tokens *tokens = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(mirror_tokens_create(&tokens, &err), MODEL_OK);
    if (mirror_tokens_parse(tokens, text, strlen(text), "file", &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return tokens;
}

static const struct mirror_token *known(const struct mirror_tokens *tokens, const char *text,
                                        const char *name)
{
    const struct mirror_token *token = mirror_tokens_find(tokens, text);
    assert_non_null(token);
    assert_string_equal(mirror_token_name(token), name);
    return token;
}

static void tokens_have_names_and_open_what_their_line_says(void **state)
{
    (void)state;
    struct mirror_tokens *tokens =
        parse("# people\n\nann hf_1 *\r\n  bob\thf_2   a/x b/y # both\ncarl hf_3");
    assert_int_equal(mirror_tokens_count(tokens), 3);
    assert_true(mirror_token_opens(known(tokens, "hf_1", "ann"), "any/thing"));
    const struct mirror_token *bob = known(tokens, "hf_2", "bob");
    assert_true(mirror_token_opens(bob, "a/x"));
    assert_true(mirror_token_opens(bob, "B/Y"));
    assert_false(mirror_token_opens(bob, "a/xy"));
    assert_false(mirror_token_opens(known(tokens, "hf_3", "carl"), "a/x"));
    mirror_tokens_destroy(tokens);
}

static void other_tokens_are_unknown(void **state)
{
    (void)state;
    struct mirror_tokens *tokens = parse("ann hf_1 *\n");
    const char *const others[] = {"", "hf_", "hf_11", "HF_1", "ann", "*"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_null(mirror_tokens_find(tokens, others[i]));
    assert_null(mirror_tokens_find(NULL, "hf_1"));
    mirror_tokens_destroy(tokens);
}

static void a_single_token_opens_everything(void **state)
{
    (void)state;
    struct mirror_tokens *tokens = NULL;
    assert_int_equal(mirror_tokens_create(&tokens, NULL), MODEL_OK);
    assert_int_equal(mirror_tokens_count(tokens), 0);
    assert_int_equal(mirror_tokens_add(tokens, "token", "secret", NULL), MODEL_OK);
    assert_true(mirror_token_opens(known(tokens, "secret", "token"), "a/x"));
    mirror_tokens_destroy(tokens);
}

static void check_refused(const char *text, size_t size_bytes, const char *why)
{
    struct mirror_tokens *tokens = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(mirror_tokens_create(&tokens, NULL), MODEL_OK);
    assert_int_equal(mirror_tokens_parse(tokens, text, size_bytes, "file", &err),
                     MODEL_INVALID_ARGUMENT);
    if (strstr(err.message, why) == NULL)
        fail_msg("'%s' is not in: %s", why, err.message);
    assert_null(strstr(err.message, "hf_"));
    mirror_tokens_destroy(tokens);
}

static void broken_lines_are_refused_without_showing_a_token(void **state)
{
    (void)state;
    check_refused("ann hf_1\nbob\n", 13, "file, line 2: want NAME TOKEN [ID]...");
    check_refused("a\"n hf_1\n", 9, "file, line 1: a token's name is up to 64 letters");
    check_refused("ann hf_\x01\n", 9, "the token of 'ann' is not up to 512 printable");
    check_refused("ann hf_1\nbob hf_1\n", 18, "the token of 'bob' is the one of 'ann', too");
    check_refused("ann hf_1\0x", 10, "a zero byte");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_have_names_and_open_what_their_line_says),
        cmocka_unit_test(other_tokens_are_unknown),
        cmocka_unit_test(a_single_token_opens_everything),
        cmocka_unit_test(broken_lines_are_refused_without_showing_a_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
