/* test_example_textgenrnn.c - examples/textgenrnn against the original: logits, and the texts that it
 * writes when it always takes the likeliest character. */
#include "dtype.h"
#include "example_harness.h"
#include "testing.h"
#include "files.h"

#define WINDOW     40
#define MAX_LENGTH 128
#define START      464 /* "<s>", with which every text begins */

static struct example open_model(json_node **ret_vocab, json_node **ret_greedy)
{
    static const char *const files[] = {"textgenrnn_vocab.json", "greedy.json"};
    char *folder = example_model("real/textgenrnn-base");
    if (folder == NULL)
        SKIP_BECAUSE("needs real/textgenrnn-base of SHARED");
    struct example example = example_open("textgenrnn", folder);
    for (size_t i = 0; i < 2; i++) {
        char *path = path_join(folder, files[i]);
        assert_int_equal(
            json_parse_file(path, 1 << 20, i == 0 ? ret_vocab : ret_greedy, &example.err),
            MODEL_OK);
        free(path);
    }
    free(folder);
    return example;
}

static void close_model(struct example *example, json_node *vocab, json_node *greedy)
{
    json_free(vocab);
    json_free(greedy);
    example_close(example);
}

static struct modelhost_result *predict(struct example *example, const int64_t *ids,
                                        const int64_t *mask, int64_t batch, int64_t n)
{
    struct model_tensor input, visible;
    const int64_t shape[] = {batch, n};
    tensor_init(&input, "input_ids", MODEL_I64, 2, shape, (void *)(uintptr_t)ids);
    tensor_init(&visible, "attention_mask", MODEL_I64, 2, shape, (void *)(uintptr_t)mask);
    return example_run(example, &input, mask != NULL ? &visible : NULL, "next_token_logits", NULL);
}

static void logits_are_those_of_the_original(void **state)
{
    (void)state;
    json_node *vocab, *greedy;
    struct example example = open_model(&vocab, &greedy);
    const struct model_tensor *ids = harness_tensor(example.reference, "input_ids");
    const struct model_tensor *logits = harness_tensor(example.reference, "logits");
    struct modelhost_result *result = predict(&example, ids->data, NULL, ids->shape[0], WINDOW);
    example_assert_close(modelhost_result_at(result, 0), logits, 1e-4);
    modelhost_result_destroy(result);
    close_model(&example, vocab, greedy);
}

/* Zeros on the left, positions that are hidden, and more text than it reads make no difference. */
static void a_text_may_have_any_length(void **state)
{
    (void)state;
    json_node *vocab, *greedy;
    struct example example = open_model(&vocab, &greedy);
    const struct model_tensor *all = harness_tensor(example.reference, "input_ids");
    const struct model_tensor *logits = harness_tensor(example.reference, "logits");
    for (int64_t i = 0; i < all->shape[0]; i++) {
        const int64_t *ids = (const int64_t *)all->data + i * WINDOW;
        const struct model_tensor want = example_slice(logits, "any length", i, 1);
        int64_t longer[3 * WINDOW], mask[3 * WINDOW], n_zeros = 0;
        while (n_zeros < WINDOW && ids[n_zeros] == 0)
            n_zeros++;
        struct modelhost_result *result =
            predict(&example, ids + n_zeros, NULL, 1, WINDOW - n_zeros);
        example_assert_close(modelhost_result_at(result, 0), &want, 1e-4);
        modelhost_result_destroy(result);
        for (int64_t k = 0; k < 3 * WINDOW; k++) {
            longer[k] = k < WINDOW ? 7 : k % 2 == 0 ? ids[(k - WINDOW) / 2] : 9;
            mask[k] = k < WINDOW || k % 2 == 0;
        }
        result = predict(&example, longer, mask, 1, 3 * WINDOW);
        example_assert_close(modelhost_result_at(result, 0), &want, 1e-4);
        modelhost_result_destroy(result);
    }
    close_model(&example, vocab, greedy);
}

/* The id of the character at `text`; its bytes. */
static int64_t character_id(const json_node *vocab, const char *text, size_t *ret_bytes)
{
    for (const json_node *node = json_first(vocab); node != NULL; node = json_next(node)) {
        const char *key = json_key(node);
        if (key[0] != '\0' && strncmp(text, key, strlen(key)) == 0) {
            *ret_bytes = strlen(key);
            return (int64_t)json_number_or(node, -1);
        }
    }
    fail_msg("no character for '%s'", text);
    return -1;
}

static const char *character(const json_node *vocab, size_t id)
{
    for (const json_node *node = json_first(vocab); node != NULL; node = json_next(node))
        if ((size_t)json_number_or(node, -1) == id)
            return json_key(node);
    fail_msg("no character has id %zu", id);
    return "";
}

/* What the host's own greedy generating adds to `text`, up to as long as `want`. */
static void generate(struct example *example, const json_node *vocab, const int64_t *ids, size_t n,
                     char *text, size_t text_bytes, const char *want)
{
    const struct modelhost_prompt prompt = {sizeof prompt, NULL, 0, ids, n};
    struct modelhost_generation generation = MODELHOST_GENERATION_INIT;
    struct modelhost_result *result = NULL;
    json_node *answer = NULL;
    generation.do_sample = 0;
    generation.max_new_tokens = MAX_LENGTH - (int64_t)n;
    if (modelhost_generate(example->model, &prompt, 1, &generation, NULL, &result, &example->err) !=
        MODEL_OK)
        fail_msg("%s", example->err.message);
    const char *json = modelhost_result_json(result);
    assert_int_equal(json_parse(json, strlen(json), "the answer", &answer, NULL), MODEL_OK);
    for (const json_node *id = json_first(json_path(answer, "[0].token_ids"));
         id != NULL && strlen(text) < strlen(want); id = json_next(id)) {
        const size_t length = strlen(text);
        (void)snprintf(text + length, text_bytes - length, "%s",
                       character(vocab, (size_t)json_number_or(id, -1)));
    }
    json_free(answer);
    modelhost_result_destroy(result);
}

static void it_writes_the_texts_of_the_original(void **state)
{
    (void)state;
    json_node *vocab, *greedy;
    struct example example = open_model(&vocab, &greedy);
    size_t n_texts = 0;
    for (const json_node *node = json_first(greedy); node != NULL;
         node = json_next(node), n_texts++) {
        const char *prompt = json_key(node), *want = json_string_or(node, "");
        char text[4 * MAX_LENGTH] = "";
        int64_t ids[MAX_LENGTH] = {START};
        size_t n = 1;
        for (size_t at = 0, bytes = 0; prompt[at] != '\0'; at += bytes)
            ids[n++] = character_id(vocab, prompt + at, &bytes);
        memcpy(text, prompt, strlen(prompt) + 1);
        generate(&example, vocab, ids, n, text, sizeof text, want);
        assert_string_equal(text, want);
    }
    assert_int_equal(n_texts, 5);
    close_model(&example, vocab, greedy);
}

static void an_unknown_id_is_refused(void **state)
{
    (void)state;
    json_node *vocab, *greedy;
    struct example example = open_model(&vocab, &greedy);
    const int64_t ids[] = {1, 465}, shape[] = {1, 2};
    struct model_tensor input;
    struct modelhost_result *result = NULL;
    const struct model_tensor *inputs[] = {&input};
    tensor_init(&input, "input_ids", MODEL_I64, 2, shape, (void *)(uintptr_t)ids);
    assert_int_equal(modelhost_run(example.model, inputs, 1, NULL, &result, &example.err),
                     MODEL_INVALID_ARGUMENT);
    assert_non_null(
        strstr(example.err.message, "input_ids[0, 1] is 465, want 0 to 464 (vocab_size 465)"));
    close_model(&example, vocab, greedy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_are_those_of_the_original),
        cmocka_unit_test(a_text_may_have_any_length),
        cmocka_unit_test(it_writes_the_texts_of_the_original),
        cmocka_unit_test(an_unknown_id_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
