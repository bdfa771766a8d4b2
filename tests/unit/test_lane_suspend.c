/* A long prompt, or a long text behind one, lets others have their turn: host/lanes/lane_suspend.c, with the fixture plugin_reader, whose calls the
 * test holds and lets go by pipes. */
#include "reader_package.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>

enum { PIECE = 10, LONG = 40 };

struct turns {
    struct reader reader;
    char *pipes;
    int entered, release;
    int n_answered;   /* of one loop's thread */
    char tokens[256]; /* whose each token is, in the order in which the lane made them */
    atomic_size_t n_tokens;
};

/* One asynchronous prompt and its answer. */
struct prompt_call {
    struct turns *turns;
    struct modelhost_request *request;
    uv_sem_t answered;
    model_status status;
    int place;
    int64_t ids[LONG];
    size_t n_ids, n_new;
    char letter;
    int64_t cached;
    char *answer; /* JSON */
};

static int make_pipe(const char *folder, const char *name)
{
    char *path = path_join(folder, name);
    assert_int_equal(mkfifo(path, 0600), 0);
    const int pipe = open(path, O_RDWR | O_CLOEXEC);
    assert_true(pipe >= 0);
    free(path);
    return pipe;
}

static void wait_entered(const struct turns *turns)
{
    char byte;
    assert_int_equal(read(turns->entered, &byte, 1), 1);
}

static void let_go(const struct turns *turns, int n)
{
    for (int i = 0; i < n; i++)
        assert_int_equal(write(turns->release, "", 1), 1);
}

static void open_turns_with(struct turns *turns, int32_t prefix_cache)
{
    struct modelhost_load_options load = MODELHOST_LOAD_OPTIONS_INIT;
    *turns = (struct turns){.pipes = scratch_dir()};
    turns->entered = make_pipe(turns->pipes, "entered");
    turns->release = make_pipe(turns->pipes, "release");
    char *config = text_format("{\"model_type\": \"reader\", \"entered_path\": \"%s/entered\", "
                               "\"release_path\": \"%s/release\"}",
                               turns->pipes, turns->pipes);
    load.prefill_chunk = PIECE;
    load.speculation = MODELHOST_SPECULATION_OFF;
    load.prefix_cache = prefix_cache;
    reader_open(&turns->reader, config, &load);
    free(config);
}

static void open_turns(struct turns *turns)
{
    open_turns_with(turns, 0);
}

static void close_turns(struct turns *turns)
{
    reader_close(&turns->reader);
    (void)close(turns->entered);
    (void)close(turns->release);
    remove_package(turns->pipes);
}

static void on_answer(void *user, model_status status, struct modelhost_result *result,
                      const struct model_error *err)
{
    struct prompt_call *call = user;
    (void)err;
    call->status = status;
    call->place = call->turns->n_answered++;
    if (status == MODEL_OK) {
        call->answer = strdup(modelhost_result_json(result));
        call->cached = modelhost_result_timing(result).cached_tokens;
    }
    modelhost_result_destroy(result);
    uv_sem_post(&call->answered);
}

/* [lane-thread] */
static void on_token(void *user, const struct modelhost_token *token)
{
    struct prompt_call *call = user;
    struct turns *turns = call->turns;
    if (token->token_id < 0)
        return;
    const size_t at = atomic_fetch_add(&turns->n_tokens, 1);
    if (at < sizeof turns->tokens)
        turns->tokens[at] = call->letter;
}

/* n_ids of a text of its own, and n_new tokens behind it: a call for each piece, and for each token but the first. */
static void start_text(struct modelhost_model *model, struct turns *turns, struct prompt_call *call,
                       size_t n_ids, size_t n_new, uint64_t seed, int32_t priority)
{
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    *call = (struct prompt_call){
        .turns = turns, .n_ids = n_ids, .n_new = n_new, .letter = (char)('a' + seed % 26)};
    assert_int_equal(uv_sem_init(&call->answered, 0), 0);
    reader_text(call->ids, n_ids, seed);
    call->ids[0] = (int64_t)seed; /* no two begin alike */
    const struct modelhost_prompt prompt = reader_prompt(call->ids, n_ids);
    struct modelhost_generation generation = reader_greedy((int64_t)n_new);
    generation.on_token = on_token;
    generation.context = call;
    options.priority = priority;
    if (modelhost_generate_async(model, &prompt, 1, &generation, &options, on_answer, call,
                                 &call->request, &turns->reader.err) != MODEL_OK)
        fail_msg("%s", turns->reader.err.message);
}

static void start_prompt(struct turns *turns, struct prompt_call *call, size_t n_ids, uint64_t seed,
                         int32_t priority)
{
    start_text(turns->reader.model, turns, call, n_ids, 2, seed, priority);
}

static void end_prompt(struct prompt_call *call, model_status status)
{
    uv_sem_wait(&call->answered);
    assert_int_equal(call->status, status);
    if (status == MODEL_OK) {
        struct reader *reader = &call->turns->reader;
        const struct modelhost_prompt prompt = reader_prompt(call->ids, call->n_ids);
        reader_clear(reader);
        assert_int_equal(
            json_parse(call->answer, strlen(call->answer), "the answer", &reader->answer, NULL),
            MODEL_OK);
        reader_expect(reader, 0, &prompt, call->n_new);
    }
    modelhost_request_release(call->request);
    uv_sem_destroy(&call->answered);
    free(call->answer);
}

static void a_short_prompt_waits_for_one_piece_of_a_long_one(void **state)
{
    (void)state;
    struct turns turns;
    struct prompt_call slow, quick;
    open_turns(&turns);
    start_prompt(&turns, &slow, LONG, 1, 0);
    wait_entered(&turns);
    start_prompt(&turns, &quick, 5, 2, 0);
    let_go(&turns, 1 + 2); /* the piece, then all of the short one */
    end_prompt(&quick, MODEL_OK);
    assert_int_equal(quick.place, 0);
    let_go(&turns, 4);
    end_prompt(&slow, MODEL_OK);
    assert_int_equal(turns.reader.n_instances, 2);
    assert_int_equal(turns.reader.n_rows, LONG + 1 + 5 + 1); /* nothing was read twice */
    close_turns(&turns);
}

static void alone_it_is_not_interrupted(void **state)
{
    (void)state;
    struct turns turns;
    struct prompt_call first, second;
    open_turns(&turns);
    start_prompt(&turns, &first, LONG, 1, 0);
    let_go(&turns, 5);
    end_prompt(&first, MODEL_OK);
    start_prompt(&turns, &second, LONG, 2, 0);
    let_go(&turns, 5);
    end_prompt(&second, MODEL_OK);
    assert_int_equal(turns.reader.n_instances, 1);
    close_turns(&turns);
}

static void one_of_lower_priority_does_not_interrupt(void **state)
{
    (void)state;
    struct turns turns;
    struct prompt_call slow, quick;
    open_turns(&turns);
    start_prompt(&turns, &slow, LONG, 1, 1);
    wait_entered(&turns);
    start_prompt(&turns, &quick, 5, 2, 0);
    let_go(&turns, 5 + 2);
    end_prompt(&slow, MODEL_OK);
    end_prompt(&quick, MODEL_OK);
    assert_int_equal(slow.place, 0);
    assert_int_equal(turns.reader.n_instances, 1);
    close_turns(&turns);
}

/* One long prompt is given up while another has its turn, and comes again; returns what was known of it then. */
static int64_t cached_of_one_given_up(int32_t prefix_cache)
{
    struct turns turns;
    struct prompt_call slow, quick, next, again;
    open_turns_with(&turns, prefix_cache);
    start_prompt(&turns, &slow, LONG, 1, 0);
    wait_entered(&turns);
    start_prompt(&turns, &quick, 5, 2, 0);
    let_go(&turns, 1);
    wait_entered(&turns); /* the short one is in the plugin */
    modelhost_cancel(slow.request);
    end_prompt(&slow, MODEL_CANCELLED);
    assert_int_equal(slow.place, 0);
    start_prompt(&turns, &next, 5, 3,
                 0); /* answered by the same thread, which is done with `slow` then */
    modelhost_cancel(next.request);
    end_prompt(&next, MODEL_CANCELLED);
    let_go(&turns, 2);
    end_prompt(&quick, MODEL_OK);
    start_prompt(&turns, &again, LONG, 1, 0);
    let_go(&turns, prefix_cache < 0 ? 5 : 4);
    end_prompt(&again, MODEL_OK);
    close_turns(&turns);
    return again.cached;
}

static void a_waiting_one_that_is_cancelled_is_answered_at_once_and_leaves_its_memory(void **state)
{
    (void)state;
    assert_int_equal(cached_of_one_given_up(0), PIECE); /* of the piece that had been read */
}

static void a_waiting_one_that_is_cancelled_leaves_nothing_where_nothing_is_to_be_cached(
    void **state)
{
    (void)state;
    assert_int_equal(cached_of_one_given_up(-1), 0);
}

static void of_two_that_are_cancelled_one_memory_stays(void **state)
{
    (void)state;
    struct turns turns;
    struct prompt_call slow[2], quick;
    open_turns(&turns);
    start_prompt(&turns, &slow[0], LONG, 1, 0);
    wait_entered(&turns);
    start_prompt(&turns, &slow[1], LONG, 2, 0);
    start_prompt(&turns, &quick, 5, 3, 0);
    for (int i = 0; i < 2; i++) {
        let_go(&turns, 1);
        wait_entered(&turns);
    }
    for (int i = 0; i < 2; i++) {
        modelhost_cancel(slow[i].request);
        end_prompt(&slow[i], MODEL_CANCELLED);
    }
    let_go(&turns, 2);
    end_prompt(&quick, MODEL_OK);
    assert_int_equal(turns.reader.n_instances, 3);
    close_turns(&turns);
}

static void many_long_prompts_take_turns(void **state)
{
    (void)state;
    enum { N = 9 };
    struct turns turns;
    struct prompt_call calls[N];
    open_turns(&turns);
    for (uint64_t i = 0; i < N; i++)
        start_prompt(&turns, &calls[i], LONG, i, 0);
    let_go(&turns, N * 5);
    for (int i = 0; i < N; i++)
        end_prompt(&calls[i], MODEL_OK);
    assert_in_range(turns.reader.n_instances, 1, 5); /* four that wait, and one that runs */
    assert_int_equal(turns.reader.n_rows, N * (LONG + 1));
    close_turns(&turns);
}

/* Not held: lanes take turns as they come, and some prompts are given up wherever they are. */
static void crowd(uint32_t lanes, int32_t isolation)
{
    enum { N = 40 };
    struct modelhost_load_options load = MODELHOST_LOAD_OPTIONS_INIT;
    struct turns turns = {.n_answered = 0};
    static struct prompt_call calls[N];
    load.prefill_chunk = 3;
    load.isolation = isolation;
    load.kill_grace_ms = 600000;
    reader_open_on(lanes, &turns.reader, "{\"model_type\": \"reader\"}", &load);
    for (uint64_t i = 0; i < N; i++)
        start_prompt(&turns, &calls[i], i % 3 == 0 ? 5 : LONG, i, 0);
    for (int i = 0; i < N; i += 5)
        modelhost_cancel(calls[i].request);
    for (int i = 0; i < N; i++) {
        uv_sem_wait(&calls[i].answered);
        uv_sem_post(&calls[i].answered);
        const model_status status = calls[i].status;
        assert_true(status == MODEL_OK || (status == MODEL_CANCELLED && i % 5 == 0));
        end_prompt(&calls[i], status);
    }
    reader_close(&turns.reader);
}

static void a_crowd_takes_turns_on_any_number_of_lanes(void **state)
{
    (void)state;
    crowd(1, MODELHOST_INPROC);
    crowd(2, MODELHOST_INPROC);
}

static void a_crowd_takes_turns_in_a_worker(void **state)
{
    (void)state;
    crowd(1, MODELHOST_WORKER);
    crowd(2, MODELHOST_WORKER);
}

static void the_hosts_end_answers_those_that_wait(void **state)
{
    (void)state;
    struct turns turns;
    struct prompt_call slow, quick;
    open_turns(&turns);
    start_prompt(&turns, &slow, LONG, 1, 0);
    wait_entered(&turns);
    start_prompt(&turns, &quick, 5, 2, 0);
    let_go(&turns, 1);
    wait_entered(&turns);
    let_go(&turns, 10); /* either may be through before the host ends */
    modelhost_release(turns.reader.model);
    modelhost_destroy(turns.reader.host);
    uv_sem_wait(&slow.answered);
    uv_sem_wait(&quick.answered);
    assert_true(slow.status == MODEL_OK || slow.status == MODEL_CANCELLED);
    assert_true(quick.status == MODEL_OK || quick.status == MODEL_CANCELLED);
    modelhost_request_release(slow.request);
    modelhost_request_release(quick.request);
    uv_sem_destroy(&slow.answered);
    uv_sem_destroy(&quick.answered);
    free(slow.answer);
    free(quick.answer);
    turns.reader.model = NULL;
    turns.reader.host = NULL;
    close_turns(&turns);
}

/* ---- behind prompts */

static void a_short_prompt_waits_for_one_token_of_a_long_text(void **state)
{
    (void)state;
    struct turns turns;
    struct prompt_call slow, quick;
    open_turns(&turns);
    start_text(turns.reader.model, &turns, &slow, 5, 30, 1, 0);
    for (int i = 0; i < 3; i++) {
        wait_entered(&turns);
        if (i < 2)
            let_go(&turns, 1);
    }
    start_prompt(&turns, &quick, 5, 2, 0); /* in the middle of its third token */
    let_go(&turns, 1 + 2);
    end_prompt(&quick, MODEL_OK);
    assert_int_equal(quick.place, 0);
    let_go(&turns, 30 - 3);
    end_prompt(&slow, MODEL_OK);
    assert_memory_equal(turns.tokens, "bbbccb", 6);
    close_turns(&turns);
}

/* Fails unless the tokens were made in these turns: "a3 b2" is aaabb. */
static void expect_turns(const struct turns *turns, const char *want)
{
    size_t at = 0;
    for (const char *turn = want; *turn != '\0'; turn += strspn(turn, " ")) {
        char *end = NULL;
        const unsigned long n = strtoul(turn + 1, &end, 10);
        for (unsigned long i = 0; i < n; i++, at++)
            if (at >= turns->n_tokens || turns->tokens[at] != *turn)
                fail_msg("token %zu of %.*s, want %s", at, (int)turns->n_tokens, turns->tokens,
                         want);
        turn = end;
    }
    assert_int_equal(at, turns->n_tokens);
}

static void long_texts_take_turns_of_sixteen_tokens(void **state)
{
    (void)state;
    struct turns turns;
    struct prompt_call first, second;
    open_turns(&turns);
    start_text(turns.reader.model, &turns, &first, 5, 40, 0, 0);
    wait_entered(&turns);
    start_text(turns.reader.model, &turns, &second, 5, 40, 1, 0);
    let_go(&turns, 80);
    end_prompt(&first, MODEL_OK);
    end_prompt(&second, MODEL_OK);
    expect_turns(&turns, "a1 b16 a15 b16 a16 b8 a8");
    assert_int_equal(turns.reader.n_rows, 2 * (5 + 39)); /* nothing was read twice */
    close_turns(&turns);
}

/* Six texts of one model, five of which may be begun, and then one of another model. */
static void where_enough_have_begun_these_and_other_models_take_turns(void **state)
{
    (void)state;
    enum { N = 6, N_NEW = 20 };
    struct turns turns;
    struct prompt_call calls[N], other;
    struct modelhost_load_options load = MODELHOST_LOAD_OPTIONS_INIT;
    struct modelhost_model *model = NULL;
    open_turns(&turns);
    load.prefill_chunk = PIECE + 1; /* which makes it another model */
    load.speculation = MODELHOST_SPECULATION_OFF;
    assert_int_equal(
        modelhost_load_with(turns.reader.host, turns.reader.dir, &load, &model, &turns.reader.err),
        MODEL_OK);
    start_text(turns.reader.model, &turns, &calls[0], 5, N_NEW, 0, 0);
    wait_entered(&turns);
    for (uint64_t i = 1; i < N; i++)
        start_text(turns.reader.model, &turns, &calls[i], 5, N_NEW, i, 0);
    for (int i = 0; i < 6; i++) { /* five prompts, and the fifth's second token */
        let_go(&turns, 1);
        wait_entered(&turns);
    }
    start_text(model, &turns, &other, 5, 2, 25, 0);
    let_go(&turns, (N * N_NEW + 2) - 6);
    end_prompt(&other, MODEL_OK);
    assert_int_equal(other.place, 0);
    for (int i = 0; i < N; i++)
        end_prompt(&calls[i], MODEL_OK);
    expect_turns(&turns, "a1 b1 c1 d1 e16 a1 z2 a14 b15 c15 d15 e4 f16 a4 b4 c4 d4 f4");
    assert_int_equal(turns.reader.n_instances, 5 + 1);
    modelhost_release(model);
    close_turns(&turns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_short_prompt_waits_for_one_piece_of_a_long_one),
        cmocka_unit_test(alone_it_is_not_interrupted),
        cmocka_unit_test(one_of_lower_priority_does_not_interrupt),
        cmocka_unit_test(a_waiting_one_that_is_cancelled_is_answered_at_once_and_leaves_its_memory),
        cmocka_unit_test(
            a_waiting_one_that_is_cancelled_leaves_nothing_where_nothing_is_to_be_cached),
        cmocka_unit_test(of_two_that_are_cancelled_one_memory_stays),
        cmocka_unit_test(many_long_prompts_take_turns),
        cmocka_unit_test(a_crowd_takes_turns_on_any_number_of_lanes),
        cmocka_unit_test(a_crowd_takes_turns_in_a_worker),
        cmocka_unit_test(a_short_prompt_waits_for_one_token_of_a_long_text),
        cmocka_unit_test(long_texts_take_turns_of_sixteen_tokens),
        cmocka_unit_test(where_enough_have_begun_these_and_other_models_take_turns),
        cmocka_unit_test(the_hosts_end_answers_those_that_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
