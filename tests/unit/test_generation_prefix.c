/* What slots keep of earlier prompts, and prompts that are read in pieces, with the fixture plugin_reader:
 * host/generation/generation_reading.c, host/generation/generation_run.c, host/hosted_instance.c. */
#include "reader_package.h"

#include <signal.h>

enum { LONG = 100 };

/* Generates 3 tokens behind a prompt, which must be right; returns how many tokens of it were read before. */
static int64_t cached_of(struct reader *r, const int64_t *ids, size_t n_ids)
{
    const struct modelhost_prompt prompt = reader_prompt(ids, n_ids);
    const struct modelhost_generation generation = reader_greedy(3);
    if (reader_generate(r, &prompt, 1, &generation) != MODEL_OK)
        fail_msg("%s", r->err.message);
    reader_expect(r, 0, &prompt, 3);
    return reader_cached(r);
}

/* The answer's tokens behind the prompt, of which the last one was not read. */
static size_t go_on(const struct reader *r, int64_t *ids, size_t n_ids)
{
    const json_node *id = json_first(json_path(r->answer, "[0].token_ids"));
    for (; id != NULL; id = json_next(id))
        ids[n_ids++] = (int64_t)json_number_or(id, -1);
    return n_ids;
}

static void conversations_that_take_turns_are_each_read_once(void **state)
{
    (void)state;
    enum { N = 4 };
    int64_t ids[N][200];
    size_t n_ids[N];
    struct reader r;
    reader_open(&r, "{\"model_type\": \"reader\"}", NULL);
    for (size_t i = 0; i < N; i++) {
        reader_text(ids[i], n_ids[i] = 30, i);
        assert_int_equal(cached_of(&r, ids[i], n_ids[i]), 0);
        n_ids[i] = go_on(&r, ids[i], n_ids[i]);
    }
    for (int turn = 0; turn < 5; turn++)
        for (size_t i = 0; i < N; i++) {
            const size_t n_before = n_ids[i];
            reader_text(ids[i] + n_ids[i], 10, i + (uint64_t)turn * 17); /* what is asked next */
            n_ids[i] += 10;
            assert_int_equal(cached_of(&r, ids[i], n_ids[i]), (int64_t)n_before - 1);
            n_ids[i] = go_on(&r, ids[i], n_ids[i]);
        }
    reader_close(&r);
}

static void a_shared_beginning_stays_for_the_next(void **state)
{
    (void)state;
    struct reader r;
    int64_t ids[LONG + 60];
    reader_open(&r, "{\"model_type\": \"reader\"}", NULL);
    reader_text(ids, LONG, 1);
    reader_text(ids + LONG, 60, 100);
    assert_int_equal(cached_of(&r, ids, LONG + 60), 0);
    for (uint64_t user = 2; user < 12; user++) {
        reader_text(ids + LONG, 60, user);
        ids[LONG] = (int64_t)user; /* no two begin alike behind it */
        assert_int_equal(cached_of(&r, ids, LONG + 60), LONG);
    }
    reader_close(&r);
}

static void a_short_beginning_is_copied_and_a_long_text_stays(void **state)
{
    (void)state;
    struct reader r;
    int64_t first[LONG], other[LONG];
    reader_open(&r, "{\"model_type\": \"reader\"}", NULL);
    reader_text(first, LONG, 1);
    reader_text(other, LONG, 2);
    other[0] = first[0];
    other[1] = first[1];
    other[2] = (first[2] + 1) % READER_VOCABULARY;
    assert_int_equal(cached_of(&r, first, LONG), 0);
    assert_int_equal(cached_of(&r, other, LONG), 2);
    assert_int_equal(cached_of(&r, first, LONG), LONG - 1);
    reader_close(&r);
}

static void the_least_recently_used_text_goes(void **state)
{
    (void)state;
    struct modelhost_load_options load = MODELHOST_LOAD_OPTIONS_INIT;
    int64_t ids[4][40];
    struct reader r;
    load.prefix_cache = 2;
    reader_open(&r, "{\"model_type\": \"reader\"}", &load);
    for (size_t i = 0; i < 4; i++) {
        reader_text(ids[i], 40, i);
        ids[i][0] = (int64_t)i;
    }
    assert_int_equal(cached_of(&r, ids[0], 40), 0);
    assert_int_equal(cached_of(&r, ids[1], 40), 0);
    assert_int_equal(cached_of(&r, ids[0], 40), 39);
    assert_int_equal(cached_of(&r, ids[2], 40), 0); /* 1 goes */
    assert_int_equal(cached_of(&r, ids[0], 40), 39);
    assert_int_equal(cached_of(&r, ids[1], 40), 0);
    reader_close(&r);
}

static void a_request_that_needs_the_slots_takes_them(void **state)
{
    (void)state;
    struct reader r;
    int64_t ids[3][40];
    struct modelhost_prompt prompts[3];
    reader_open(&r, "{\"model_type\": \"reader\", \"slots\": 2}", NULL);
    for (size_t i = 0; i < 3; i++) {
        reader_text(ids[i], 40, i);
        ids[i][0] = (int64_t)i;
        prompts[i] = reader_prompt(ids[i], 40);
        assert_int_equal(cached_of(&r, ids[i], 40), 0);
    }
    const struct modelhost_generation generation = reader_greedy(4);
    assert_int_equal(reader_generate(&r, prompts, 3, &generation), MODEL_OK);
    for (uint32_t i = 0; i < 3; i++)
        reader_expect(&r, i, &prompts[i], 4);
    reader_close(&r);
}

static void a_cache_of_none_remembers_nothing(void **state)
{
    (void)state;
    struct modelhost_load_options load = MODELHOST_LOAD_OPTIONS_INIT;
    int64_t ids[LONG];
    struct reader r;
    load.prefix_cache = -1;
    reader_open(&r, "{\"model_type\": \"reader\"}", &load);
    reader_text(ids, LONG, 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(cached_of(&r, ids, LONG), 0);
    reader_close(&r);
}

/* The first text was read whole when the second one failed. */
static void a_cache_of_none_remembers_nothing_of_a_failure(void **state)
{
    (void)state;
    struct modelhost_load_options load = MODELHOST_LOAD_OPTIONS_INIT;
    int64_t ids[LONG], other[LONG];
    struct reader r;
    reader_text(ids, LONG, 1);
    reader_text(other, LONG, 2);
    for (int i = 0; i < 2; i++) {
        load.prefix_cache = i == 0 ? -1 : 0;
        reader_open(&r, "{\"model_type\": \"reader\", \"fails_at\": 90}", &load);
        const struct modelhost_prompt prompts[] = {reader_prompt(ids, 40),
                                                   reader_prompt(other, LONG)};
        const struct modelhost_generation generation = reader_greedy(3);
        assert_int_equal(reader_generate(&r, prompts, 2, &generation), MODEL_INTERNAL);
        assert_int_equal(cached_of(&r, ids, 40), i == 0 ? 0 : 39);
        reader_close(&r);
    }
}

static void what_a_failed_call_left_is_not_used(void **state)
{
    (void)state;
    struct reader r;
    int64_t ids[LONG];
    reader_open(&r, "{\"model_type\": \"reader\", \"fails_at\": 90}", NULL);
    reader_text(ids, LONG, 1);
    assert_int_equal(cached_of(&r, ids, 40), 0);
    const struct modelhost_prompt prompt = reader_prompt(ids, LONG);
    const struct modelhost_generation generation = reader_greedy(3);
    assert_int_equal(reader_generate(&r, &prompt, 1, &generation), MODEL_INTERNAL);
    assert_int_equal(cached_of(&r, ids, LONG), 0); /* not 40: the plugin may have spoilt it */
    assert_int_equal(cached_of(&r, ids, LONG), LONG - 1);
    reader_close(&r);
}

static void a_memory_that_cannot_rewind_goes_on_where_it_ended(void **state)
{
    (void)state;
    struct reader r;
    int64_t ids[LONG];
    reader_open(&r, "{\"model_type\": \"reader\", \"rewinds\": 0}", NULL);
    reader_text(ids, LONG, 1);
    size_t n_ids = 30;
    assert_int_equal(cached_of(&r, ids, n_ids), 0);
    for (int turn = 0; turn < 4; turn++) {
        const size_t n_before = n_ids = go_on(&r, ids, n_ids);
        reader_text(ids + n_ids, 5, (uint64_t)turn + 9);
        n_ids += 5;
        assert_int_equal(cached_of(&r, ids, n_ids), (int64_t)n_before - 1);
    }
    assert_int_equal(cached_of(&r, ids, 20), 0);
    reader_close(&r);
}

static void a_worker_remembers_as_well_and_forgets_when_it_ends(void **state)
{
    (void)state;
    struct modelhost_load_options load = MODELHOST_LOAD_OPTIONS_INIT;
    int64_t ids[LONG];
    struct reader r;
    load.isolation = MODELHOST_WORKER;
    load.kill_grace_ms = 600000;
    reader_open(&r, "{\"model_type\": \"reader\"}", &load);
    reader_text(ids, LONG, 1);
    assert_int_equal(cached_of(&r, ids, 60), 0);
    assert_int_equal(cached_of(&r, ids, LONG), 60);
    assert_int_equal(cached_of(&r, ids, 80), 79);
    json_node *info = NULL;
    const char *text = modelhost_describe(r.model);
    assert_int_equal(json_parse(text, strlen(text), "the model", &info, NULL), MODEL_OK);
    const int64_t pid = (int64_t)json_number_or(json_first(json_member(info, "worker_pids")), 0);
    json_free(info);
    assert_true(pid > 1);
    assert_int_equal(kill((pid_t)pid, SIGKILL), 0);
    const struct modelhost_prompt prompt = reader_prompt(ids, LONG);
    const struct modelhost_generation generation = reader_greedy(3);
    model_status status = reader_generate(&r, &prompt, 1, &generation);
    assert_true(status == MODEL_OK || status == MODELHOST_CRASHED); /* whoever saw it first */
    if (status == MODEL_OK)
        reader_expect(&r, 0, &prompt, 3);
    (void)cached_of(&r, ids, LONG);
    assert_int_equal(cached_of(&r, ids, LONG), LONG - 1);
    reader_close(&r);
}

static void pieces_of_any_size_give_the_same_text(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {1, 2, 7, 99, 100, 101};
    int64_t ids[LONG], other[LONG];
    reader_text(ids, LONG, 1);
    reader_text(other, LONG, 2);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct modelhost_load_options load = MODELHOST_LOAD_OPTIONS_INIT;
        struct reader r;
        load.prefill_chunk = sizes[i];
        reader_open(&r, "{\"model_type\": \"reader\", \"near\": 0}", &load);
        const struct modelhost_prompt prompts[] = {reader_prompt(ids, LONG),
                                                   reader_prompt(other, LONG / 2)};
        struct modelhost_generation generation = reader_greedy(1);
        assert_int_equal(reader_generate(&r, prompts, 2, &generation), MODEL_OK);
        assert_int_equal(r.n_rows, LONG + LONG / 2);
        assert_int_equal(r.n_runs,
                         (LONG + sizes[i] - 1) / sizes[i] + (LONG / 2 + sizes[i] - 1) / sizes[i]);
        reader_expect(&r, 0, &prompts[0], 1);
        reader_expect(&r, 1, &prompts[1], 1);
        generation = reader_greedy(20);
        generation.do_sample = 1; /* three of one prompt */
        generation.num_sequences = 3;
        generation.top_k = 1;
        assert_int_equal(reader_generate(&r, prompts, 2, &generation), MODEL_OK);
        for (uint32_t k = 0; k < 6; k++)
            reader_expect(&r, k, &prompts[k / 3], 20);
        reader_close(&r);
    }
}

static void options_out_of_their_bounds_are_refused(void **state)
{
    (void)state;
    struct reader r;
    reader_open(&r, "{\"model_type\": \"reader\"}", NULL);
    for (int i = 0; i < 3; i++) {
        struct modelhost_load_options load = MODELHOST_LOAD_OPTIONS_INIT;
        struct modelhost_model *model = NULL;
        static const char *const sentences[] = {"speculation is 3, want 0 to 2",
                                                "prefix_cache is 1025, want 0 to 1024",
                                                "prefill_chunk is 1048577, want 0 to 1048576"};
        load.speculation = i == 0 ? 3 : 0;
        load.prefix_cache = i == 1 ? 1025 : 0;
        load.prefill_chunk = i == 2 ? 1048577 : 0;
        assert_int_equal(modelhost_load_with(r.host, r.dir, &load, &model, &r.err),
                         MODEL_INVALID_ARGUMENT);
        assert_string_equal(r.err.message, sentences[i]);
    }
    reader_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conversations_that_take_turns_are_each_read_once),
        cmocka_unit_test(a_shared_beginning_stays_for_the_next),
        cmocka_unit_test(a_short_beginning_is_copied_and_a_long_text_stays),
        cmocka_unit_test(the_least_recently_used_text_goes),
        cmocka_unit_test(a_request_that_needs_the_slots_takes_them),
        cmocka_unit_test(a_cache_of_none_remembers_nothing),
        cmocka_unit_test(a_cache_of_none_remembers_nothing_of_a_failure),
        cmocka_unit_test(what_a_failed_call_left_is_not_used),
        cmocka_unit_test(a_memory_that_cannot_rewind_goes_on_where_it_ended),
        cmocka_unit_test(a_worker_remembers_as_well_and_forgets_when_it_ends),
        cmocka_unit_test(pieces_of_any_size_give_the_same_text),
        cmocka_unit_test(options_out_of_their_bounds_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
