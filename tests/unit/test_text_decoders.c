/* Tests of decoders as steps; covers host/tokenizers/decoder_chain.c and
 * host/tokenizers/byte_level_decoder.c. Some of what is wanted is from the reference's own tests. */
#include "tokenizer_fixture.h"

#include "pipeline.h"

/* The tokens, NULL at the end, as one text; `pieces` shows with '|' what each token gave. */
static void assert_decoded(const char *json, const char *const *tokens, bool pieces,
                           const char *want)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct decoder_chain chain = {0};
    struct decoder_state states[PIPELINE_MAX_STEPS];
    struct buffer text = BUFFER_INIT(1 << 16);
    json_node *tree = NULL;
    assert_int_equal(json_parse(json, strlen(json), "test", &tree, &err), MODEL_OK);
    struct json_place place = {tree, "test", "decoder"};
    if (decoder_chain_load(&place, &chain, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    for (size_t i = 0; i < PIPELINE_MAX_STEPS; i++)
        decoder_state_init(&states[i]);
    assert_int_equal(buffer_append(&text, "", 0), MODEL_OK);
    for (size_t i = 0; tokens[i] != NULL; i++) {
        assert_int_equal(decoder_chain_push(&chain, states, tokens[i], &text), MODEL_OK);
        if (pieces)
            assert_int_equal(buffer_append(&text, "|", 1), MODEL_OK);
    }
    assert_int_equal(decoder_chain_end(&chain, states, &text), MODEL_OK);
    assert_string_equal(text.data, want);
    for (size_t i = 0; i < PIPELINE_MAX_STEPS; i++)
        decoder_state_finish(&states[i]);
    buffer_finish(&text);
    decoder_chain_finish(&chain);
    json_free(tree);
}

#define TOKENS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define BYTE_LEVEL  "{\"type\":\"ByteLevel\"}"
#define FALLBACK    "{\"type\":\"ByteFallback\"}"
#define FUSE        "{\"type\":\"Fuse\"}"
#define STRIP(start, stop)                                                                         \
    "{\"type\":\"Strip\",\"content\":\"_\",\"start\":" #start ",\"stop\":" #stop "}"
#define REPLACE       "{\"type\":\"Replace\",\"pattern\":{\"String\":\"\u2581\"},\"content\":\"_\"}"
#define SEQUENCE(...) "{\"type\":\"Sequence\",\"decoders\":[" __VA_ARGS__ "]}"
#define R             "\uFFFD"

static void bytes_become_text_when_a_character_is_whole(void **state)
{
    (void)state;
    assert_decoded(BYTE_LEVEL, TOKENS("Hello", "\u0120my", "\u00e6\u0139", "\u00a5", "!"), true,
                   "Hello| my||\u65e5|!|");
    /* A token with another character stands for itself. */
    assert_decoded(BYTE_LEVEL, TOKENS("a b", "\u0120", "\u4e2d"), true, "a b| |\u4e2d|");
}

static void broken_bytes_become_replacement_characters(void **state)
{
    (void)state;
    /* E6 97 | 'a': one start of a character; F0 80: two; ED A0 80: three; the end: one. */
    assert_decoded(BYTE_LEVEL, TOKENS("\u00e6\u0139", "a"), true, "|" R "a|");
    assert_decoded(BYTE_LEVEL, TOKENS("\u00f0\u0122", "a"), true, R R "|a|");
    assert_decoded(BYTE_LEVEL, TOKENS("\u00ed\u0142\u0122"), true, R R R "|");
    assert_decoded(BYTE_LEVEL, TOKENS("\u00f0\u0141\u013a"), true, "|" R);
    assert_decoded(BYTE_LEVEL, TOKENS("\u0122\u00c0"), true, R R "|");
}

static void bytes_in_a_row_are_one_text_or_none(void **state)
{
    (void)state;
    assert_decoded(FALLBACK, TOKENS("Hey", "<0x61>", "friend!"), true, "Hey||afriend!|");
    assert_decoded(FALLBACK, TOKENS("<0xE5>"), false, R);
    assert_decoded(FALLBACK, TOKENS("<0xE5>", "<0x8f>", "<0xab>", "a"), true, "|||\u53eba|");
    assert_decoded(FALLBACK, TOKENS("<0xE5>", "<0x8f>", "a"), false, R R "a");
    assert_decoded(FALLBACK, TOKENS("<0xE5>", "<0x61>", "<0xG1>"), false, R R "<0xG1>");
}

static void strips_take_so_many_at_most(void **state)
{
    (void)state;
    assert_decoded(STRIP(1, 0), TOKENS("_a_", "b", "___"), true, "a_|b|__|");
    assert_decoded(STRIP(0, 1), TOKENS("_a__", "b"), true, "_a_|b|");
    assert_decoded(STRIP(2, 2), TOKENS("_a__", "_", "_____"), true, "a||_|");
}

static void fused_tokens_are_stripped_as_one(void **state)
{
    (void)state;
    assert_decoded(SEQUENCE(FUSE "," STRIP(1, 0)), TOKENS("_", "_a", "_b"), true, "|_a|_b|");
    assert_decoded(SEQUENCE(FUSE "," STRIP(0, 2)), TOKENS("a_", "_", "_b_", "__"), true,
                   "a||___b|_|");
    assert_decoded(SEQUENCE(REPLACE "," FALLBACK "," FUSE "," STRIP(1, 0)),
                   TOKENS("\u2581The", "\u2581", "<0x0A>", "x\u2581"), true, "The|_||\nx_|");
    /* What must be seen whole waits for it. */
    assert_decoded(SEQUENCE(FUSE "," REPLACE), TOKENS("a\u2581", "b"), true, "||a_b");
}

static void broken_settings_are_refused(void **state)
{
    (void)state;
    assert_refused(&(struct fixture){.decoder = "{\"type\":\"Strip\",\"content\":\"ab\"}"},
                   MODEL_CORRUPT, "tokenizer.json: decoder.content is 'ab', want one character");
    assert_refused(
        &(struct fixture){
            .decoder = "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"a\"},\"content\":\"\"}"},
        MODEL_UNSUPPORTED,
        "tokenizer.json: decoder of type Replace has a Regex, which is not supported in a decoder; "
        "supported: String");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_become_text_when_a_character_is_whole),
        cmocka_unit_test(broken_bytes_become_replacement_characters),
        cmocka_unit_test(bytes_in_a_row_are_one_text_or_none),
        cmocka_unit_test(strips_take_so_many_at_most),
        cmocka_unit_test(fused_tokens_are_stripped_as_one),
        cmocka_unit_test(broken_settings_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
