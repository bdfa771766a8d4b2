/* test_gpt2_prefill.c - prompts of one call, which a GPT-2 reads together (host/generation/generation_prefill.c): in
 * every dtype they say what each says by itself, here and in a worker. */
#include "gpt2_text_harness.h"

/* What all of a call, whose prompts are read together, say first, and what each says by itself. */
static void compare_with_alone(struct modelhost_model *model, const struct ids *ids, uint32_t n)
{
    struct modelhost_prompt prompts[32];
    assert_true(n <= 32);
    for (uint32_t i = 0; i < n; i++)
        prompts[i] = prompt_of(&ids[i]);
    json_node *answer = generate_all(model, prompts, n, MODELHOST_SPECULATION_OFF, 1, NULL);
    const json_node *text = json_first(answer);
    for (uint32_t i = 0; i < n; i++, text = json_next(text)) {
        const double found = json_number_or(json_member(text, "cumulative_logprob"), NAN);
        assert_true(fabs(found - first_logprob(model, &ids[i])) < 1e-4);
    }
    json_free(answer);
}

/* Many of all lengths; and two of which the plugin's groups would cut the second so that few of its tokens are left. */
static void prompts_of_a_call_say_what_each_says_alone(void **state)
{
    (void)state;
    enum { N = 24 };
    static const struct {
        int32_t isolation, prefix_cache;
    } kinds[] = {{MODELHOST_INPROC, -1}, {MODELHOST_WORKER, -1}, {MODELHOST_INPROC, 0}};
    static struct ids many[N], two[2];
    char *dir = make_random(100); /* in few bits the head is, too */
    struct modelhost *host = open_host(dir);
    for (uint64_t i = 0; i < N; i++)
        many[i] = make_prompt(i * 3 + 1);
    for (size_t i = 0; i < 2; i++)
        for (two[i].n_ids = 0; two[i].n_ids < (i == 0 ? 505 : 12); two[i].n_ids++)
            two[i].ids[two[i].n_ids] =
                (int64_t)(two[i].n_ids * (two[i].n_ids + i + 1) % VOCABULARY);
    for (int32_t dtype = MODELHOST_F32; dtype <= MODELHOST_INT4; dtype++)
        for (size_t k = 0; k < 3; k++) {
            struct modelhost_load_options options = MODELHOST_LOAD_OPTIONS_INIT;
            options.dtype = dtype;
            options.prefix_cache = kinds[k].prefix_cache;
            options.prefill_chunk = 600;
            options.isolation = kinds[k].isolation;
            struct modelhost_model *model = load(host, dir, &options);
            compare_with_alone(model, many, N);
            compare_with_alone(model, two, 2);
            compare_with_alone(model, many, N);
            modelhost_release(model);
        }
    modelhost_destroy(host);
    remove_folder(dir);
}

/* ../shared/models: greedy text of five prompts, each by itself. */
static void texts_of_a_call_are_those_of_transformers(void **state)
{
    (void)state;
    enum { N = 5 };
    static struct ids ids[N];
    struct modelhost_prompt prompts[N];
    char *path = harness_shared_file("real/capp-gpt2", "reference.safetensors");
    if (path == NULL)
        skip();
    struct harness *reference = harness_create("gpt2", "{}", 1);
    harness_open(reference, path);
    free(path);
    char *dir = make_folder();
    struct modelhost *host = open_host(dir);
    struct modelhost_model *model = load(host, dir, NULL);
    for (int i = 0; i < N; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "input_ids_%d", i);
        const struct model_tensor *text = harness_tensor(reference, name);
        ids[i].n_ids = (size_t)text->shape[1];
        memcpy(ids[i].ids, text->data, text->size_bytes);
        prompts[i] = prompt_of(&ids[i]);
    }
    json_node *answer = generate_all(model, prompts, N, 0, 12, NULL);
    const json_node *text = json_first(answer);
    for (int i = 0; i < N; i++, text = json_next(text)) {
        int64_t greedy[64];
        char name[32];
        (void)snprintf(name, sizeof name, "greedy_%d", i);
        const struct model_tensor *want = harness_tensor(reference, name);
        memcpy(greedy, want->data, want->size_bytes);
        const json_node *id = json_first(json_member(text, "token_ids"));
        for (size_t k = ids[i].n_ids; k < (size_t)want->shape[1]; k++, id = json_next(id))
            assert_true(json_number_or(id, -1) == (double)greedy[k]);
    }
    json_free(answer);
    modelhost_release(model);
    modelhost_destroy(host);
    remove_folder(dir);
    (void)harness_destroy(reference);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prompts_of_a_call_say_what_each_says_alone),
        cmocka_unit_test(texts_of_a_call_are_those_of_transformers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
