/* Generating text: a fixture that says what config.json tells it to, byte by byte, with the byte-level
 * tokenizer of examples/demo, whose ids are the bytes. Covers host/generation/generation_sequence.c and
 * asynchronous answers of host/api_generate.c and host/generation/generation.c. */
#include "api_request.h"
#include "echo_package.h"
#include "errors.h"
#include "generation.h"
#include "json_view.h"
#include "loaded_model.h"
#include "text_pipeline.h"
#include "utf8.h"

#include <stdatomic.h>
#include <uv.h>

#define TOKENIZER "examples/demo/hub/modelhost/tales-char-lstm/tokenizer.json"
#define MORE      ", \"vocab_size\": 257, \"positions\": 5000"

struct saying {
    struct modelhost *host;
    struct modelhost_model *model;
    char *dir;
    struct model_error err;
};

static struct saying open_saying(const char *config)
{
    struct saying s = {.dir = make_package("counter", config), .err.struct_size = sizeof s.err};
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    char *link_path = path_join(s.dir, "tokenizer.json");
    char *target = realpath(TOKENIZER, NULL);
    assert_non_null(target);
    assert_int_equal(symlink(target, link_path), 0);
    free(target);
    free(link_path);
    options.store_dir = options.plugin_path = s.dir;
    options.lanes = options.threads = 1;
    if (modelhost_create(&options, &s.host, &s.err) != MODEL_OK ||
        modelhost_load(s.host, s.dir, &s.model, &s.err) != MODEL_OK)
        fail_msg("%s", s.err.message);
    return s;
}

static struct saying open_text(const char *text)
{
    char *config = text_format("{\"model_type\": \"counter\", \"says\": \"%s\"" MORE "}", text);
    struct saying s = open_saying(config);
    free(config);
    return s;
}

static void close_saying(struct saying *s)
{
    modelhost_release(s->model);
    modelhost_destroy(s->host);
    remove_package(s->dir);
}

static struct modelhost_prompt prompt_of(const char *text, size_t text_bytes)
{
    return (struct modelhost_prompt){
        .struct_size = sizeof(struct modelhost_prompt), .text = text, .text_bytes = text_bytes};
}

static struct modelhost_generation greedy(int64_t max_new_tokens)
{
    struct modelhost_generation generation = MODELHOST_GENERATION_INIT;
    generation.do_sample = 0;
    generation.max_new_tokens = max_new_tokens;
    return generation;
}

/* Pieces with '|' behind each, and behind the last the reason. */
static void note_piece(void *context, const struct modelhost_token *token)
{
    struct buffer *told = context;
    assert_int_equal(utf8_valid_prefix(token->text, token->text_bytes), token->text_bytes);
    assert_int_equal(buffer_append(told, token->text, token->text_bytes), MODEL_OK);
    (void)buffer_printf(told, "|%s", token->finish_reason != NULL ? token->finish_reason : "");
}

/* Generates behind a prompt of one byte, and compares what is told and what the answer says. */
static void expect(struct saying *s, struct modelhost_generation *generation, const char *told,
                   const char *text)
{
    struct buffer noted = BUFFER_INIT(1 << 16);
    struct modelhost_result *result = NULL;
    json_node *answer = NULL;
    const struct modelhost_prompt prompt = prompt_of("x", 1);
    generation->on_token = note_piece;
    generation->context = &noted;
    if (modelhost_generate(s->model, &prompt, 1, generation, NULL, &result, &s->err) != MODEL_OK)
        fail_msg("%s", s->err.message);
    assert_string_equal(noted.data, told);
    const char *json = modelhost_result_json(result);
    assert_int_equal(json_parse(json, strlen(json), "the answer", &answer, NULL), MODEL_OK);
    assert_string_equal(json_string_or(json_path(answer, "[0].generated_text"), "?"), text);
    assert_string_equal(json_string_or(json_path(answer, "[0].text"), "?"), "x");
    json_free(answer);
    modelhost_result_destroy(result);
    buffer_finish(&noted);
}

static void characters_come_whole(void **state)
{
    (void)state;
    struct saying s = open_text("a\u00e9\u20ac\U0001F600z");
    struct modelhost_generation generation = greedy(11);
    expect(&s, &generation, "a||\u00e9|||\u20ac||||\U0001F600|z|length",
           "a\u00e9\u20ac\U0001F600z");
    close_saying(&s);
}

static void half_a_character_at_the_end_is_replaced(void **state)
{
    (void)state;
    struct saying s = open_text("a\u20ac");
    struct modelhost_generation generation = greedy(3);
    expect(&s, &generation, "a||\uFFFD|length", "a\uFFFD");
    close_saying(&s);
}

static void a_stop_string_is_never_shown(void **state)
{
    (void)state;
    struct saying s = open_text("one \u20ac two");
    struct modelhost_generation generation = greedy(100);
    const char *stops[] = {"\u20ac t", "never"};
    generation.stop_strings = stops;
    generation.n_stop_strings = 2;
    /* "ne" may be the start of "never" until the blank comes. */
    expect(&s, &generation, "o|||ne ||||||stop", "one ");
    close_saying(&s);
}

static void the_packages_stop_strings_hold_until_the_caller_has_some(void **state)
{
    (void)state;
    struct saying s = open_saying("{\"model_type\": \"counter\", \"says\": \"one two\","
                                  " \"stop_strings\": [\"tw\"]" MORE "}");
    struct modelhost_generation generation = greedy(100);
    expect(&s, &generation, "o|n|e| |||stop", "one ");
    const char *stops[] = {"e"};
    generation.stop_strings = stops;
    generation.n_stop_strings = 1;
    expect(&s, &generation, "o|n||stop", "on");
    close_saying(&s);
}

static void a_stop_string_that_is_longer_than_the_text_hides_nothing(void **state)
{
    (void)state;
    struct saying s = open_text("abcdefgh");
    struct modelhost_generation generation = greedy(5);
    const char *stops[] = {"cdefghij and more"};
    generation.stop_strings = stops;
    generation.n_stop_strings = 1;
    expect(&s, &generation, "a|b|||cde|length", "abcde");
    close_saying(&s);
}

static void the_text_of_what_ends_it_is_not_shown(void **state)
{
    (void)state;
    struct saying s = open_text("hello");
    struct modelhost_generation generation = greedy(50);
    const int64_t ends[] = {'l'};
    generation.stop_token_ids = ends;
    generation.n_stop_token_ids = 1;
    expect(&s, &generation, "h|e||stop", "he");
    close_saying(&s);
}

static void a_full_context_shows_what_was_held_back(void **state)
{
    (void)state;
    struct saying s = open_saying("{\"model_type\": \"counter\", \"says\": \"abcdef\", "
                                  "\"vocab_size\": 257, \"positions\": 3}");
    struct modelhost_generation generation = greedy(50);
    const char *stops[] = {"bcX"};
    generation.stop_strings = stops;
    generation.n_stop_strings = 1;
    expect(&s, &generation, "a|||bc|context", "abc");
    close_saying(&s);
}

static void a_zero_byte_is_a_replacement_character(void **state)
{
    (void)state;
    struct saying s = open_saying("{\"model_type\": \"counter\"" MORE "}");
    static char zeros[257]; /* 257 tokens: what follows is 257 modulo 257, the byte 0, then 1 */
    memset(zeros, 'x', sizeof zeros);
    const struct modelhost_prompt prompt = prompt_of(zeros, sizeof zeros);
    struct modelhost_generation generation = greedy(2);
    struct buffer noted = BUFFER_INIT(1 << 16);
    struct modelhost_result *result = NULL;
    generation.on_token = note_piece;
    generation.context = &noted;
    assert_int_equal(modelhost_generate(s.model, &prompt, 1, &generation, NULL, &result, &s.err),
                     MODEL_OK);
    assert_string_equal(noted.data, "\uFFFD|\x01|length");
    modelhost_result_destroy(result);
    buffer_finish(&noted);
    close_saying(&s);
}

static void stop_strings_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    struct saying s = open_text("a");
    struct modelhost_result *result = NULL;
    const struct modelhost_prompt prompt = prompt_of("x", 1);
    static const struct {
        const char *stop, *want;
    } cases[] = {{"", "stop string 1 is empty or longer than 4096 bytes"},
                 {NULL, "stop string 1 is empty or longer than 4096 bytes"},
                 {"\xa9", "stop string 1 is not UTF-8"}};
    for (size_t i = 0; i < 3; i++) {
        struct modelhost_generation generation = greedy(1);
        generation.stop_strings = &cases[i].stop;
        generation.n_stop_strings = 1;
        assert_int_equal(
            modelhost_generate(s.model, &prompt, 1, &generation, NULL, &result, &s.err),
            MODEL_INVALID_ARGUMENT);
        assert_string_equal(s.err.message, cases[i].want);
    }
    close_saying(&s);
}

/* ---- without waiting */

struct waiting {
    uv_sem_t told, answered;
    int n_told;   /* of the lane; read after the answer, without a lock */
    int is_ended; /* of the callback */
    model_status status;
};

static void count_token(void *context, const struct modelhost_token *token)
{
    struct waiting *waiting = context;
    (void)token;
    assert_int_equal(waiting->is_ended, 0);
    if (waiting->n_told++ == 0)
        uv_sem_post(&waiting->told);
}

static void on_answer(void *user, model_status status, struct modelhost_result *result,
                      const struct model_error *err)
{
    struct waiting *waiting = user;
    (void)err;
    assert_int_equal(waiting->is_ended, 0);
    waiting->is_ended = 1;
    waiting->n_told++; /* as the application's own memory may be gone by now */
    waiting->status = status;
    modelhost_result_destroy(result);
    uv_sem_post(&waiting->answered);
}

/* Cancels, or lets the deadline pass, after the first token of a text without end. */
static void interrupt_once(struct saying *s, bool cancels, int64_t timeout_ms)
{
    struct waiting waiting = {.n_told = 0};
    struct modelhost_generation generation = greedy(1 << 24);
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct modelhost_request *request = NULL;
    const struct modelhost_prompt prompt = prompt_of("x", 1);
    assert_int_equal(uv_sem_init(&waiting.told, 0), 0);
    assert_int_equal(uv_sem_init(&waiting.answered, 0), 0);
    generation.sliding_window = 1;
    generation.on_token = count_token;
    generation.context = &waiting;
    options.timeout_ms = timeout_ms;
    if (modelhost_generate_async(s->model, &prompt, 1, &generation, &options, on_answer, &waiting,
                                 &request, &s->err) != MODEL_OK)
        fail_msg("%s", s->err.message);
    if (cancels) {
        uv_sem_wait(&waiting.told);
        modelhost_cancel(request);
    }
    uv_sem_wait(&waiting.answered);
    assert_int_equal(waiting.status, cancels ? MODEL_CANCELLED : MODEL_DEADLINE);
    modelhost_request_release(request);
    uv_sem_destroy(&waiting.told);
    uv_sem_destroy(&waiting.answered);
}

static void nothing_is_told_after_the_answer(void **state)
{
    (void)state;
    struct saying s = open_text("abc");
    for (int i = 0; i < 40; i++)
        interrupt_once(&s, true, 0);
    for (int i = 0; i < 10; i++)
        interrupt_once(&s, false, 1 + i);
    close_saying(&s);
}

static void what_was_asked_for_is_copied(void **state)
{
    (void)state;
    struct saying s = open_text("abc");
    struct waiting waiting = {.n_told = 0};
    char *text = text_format("x"), *stop = text_format("c");
    int64_t *ids = calloc(1, sizeof *ids);
    struct modelhost_generation generation = greedy(50);
    struct modelhost_prompt prompts[] = {prompt_of(text, 1), prompt_of(NULL, 0)};
    assert_int_equal(uv_sem_init(&waiting.told, 0), 0);
    assert_int_equal(uv_sem_init(&waiting.answered, 0), 0);
    prompts[1].token_ids = ids;
    prompts[1].n_token_ids = 1;
    generation.stop_strings = (const char *const *)&stop;
    generation.n_stop_strings = 1;
    generation.on_token = count_token;
    generation.context = &waiting;
    assert_int_equal(modelhost_generate_async(s.model, prompts, 2, &generation, NULL, on_answer,
                                              &waiting, NULL, &s.err),
                     MODEL_OK);
    free(text);
    free(stop);
    free(ids);
    uv_sem_wait(&waiting.answered);
    assert_int_equal(waiting.status, MODEL_OK);
    assert_int_equal(waiting.n_told, 2 * 3 + 1);
    uv_sem_destroy(&waiting.told);
    uv_sem_destroy(&waiting.answered);
    close_saying(&s);
}

/* The text that the prompt in this place of the answer got. */
static char *text_at(struct saying *s, const struct modelhost_prompt *prompts, uint32_t n_prompts,
                     uint32_t first_prompt, int place)
{
    struct modelhost_generation generation = MODELHOST_GENERATION_INIT;
    struct modelhost_result *result = NULL;
    json_node *answer = NULL;
    generation.max_new_tokens = 30;
    generation.temperature = 100; /* nearly all the same */
    generation.top_k = 0;
    generation.seed = 7;
    generation.ignore_eos = 1;
    generation.first_prompt = first_prompt;
    if (modelhost_generate(s->model, prompts, n_prompts, &generation, NULL, &result, &s->err) !=
        MODEL_OK)
        fail_msg("%s", s->err.message);
    const char *json = modelhost_result_json(result);
    assert_int_equal(json_parse(json, strlen(json), "the answer", &answer, NULL), MODEL_OK);
    const json_node *item = json_first(answer);
    while (place-- > 0)
        item = json_next(item);
    char *text = text_format("%s", json_string_or(json_member(item, "generated_text"), NULL));
    json_free(answer);
    modelhost_result_destroy(result);
    return text;
}

/* Ids in, ids out: such a package has neither a tokenizer nor a generation_config.json. */
static void an_answer_leaves_no_sentence_of_files_that_need_not_be_there(void **state)
{
    (void)state;
    const int64_t id = 'x';
    const struct modelhost_prompt prompt = {
        .struct_size = sizeof prompt, .token_ids = &id, .n_token_ids = 1};
    const struct modelhost_generation generation = greedy(2);
    struct modelhost_result *result = NULL;
    struct saying s = open_text("ab");
    char *tokenizer = path_join(s.dir, "tokenizer.json");
    assert_int_equal(unlink(tokenizer), 0);
    s.err = (struct model_error)MODEL_ERROR_INIT;
    assert_int_equal(modelhost_generate(s.model, &prompt, 1, &generation, NULL, &result, &s.err),
                     MODEL_OK);
    assert_string_equal(s.err.message, "");
    modelhost_result_destroy(result);
    free(tokenizer);
    close_saying(&s);
}

static int64_t new_tokens(struct saying *s)
{
    struct modelhost_generation generation = MODELHOST_GENERATION_INIT;
    const struct modelhost_prompt prompt = prompt_of("x", 1);
    struct modelhost_result *result = NULL;
    if (modelhost_generate(s->model, &prompt, 1, &generation, NULL, &result, &s->err) != MODEL_OK)
        fail_msg("%s", s->err.message);
    const int64_t n = modelhost_result_timing(result).new_tokens;
    modelhost_result_destroy(result);
    return n;
}

static void a_package_is_asked_once_how_it_generates(void **state)
{
    (void)state;
    struct saying s = open_text("aaaaaaaa");
    char *path = path_join(s.dir, "generation_config.json");
    write_file(path, "{\"max_new_tokens\": 3}", 21);
    assert_int_equal(new_tokens(&s), 3);
    write_file(path, "{\"max_new_tokens\": 5}", 21);
    assert_int_equal(new_tokens(&s), 3);
    free(path);
    close_saying(&s);
}

static void prompts_one_by_one_draw_what_they_would_together(void **state)
{
    (void)state;
    struct saying s = open_text("a");
    const struct modelhost_prompt prompts[] = {prompt_of("x", 1), prompt_of("x", 1)};
    char *together = text_at(&s, prompts, 2, 0, 1);
    char *first = text_at(&s, prompts, 1, 0, 0), *second = text_at(&s, prompts, 1, 1, 0);
    assert_string_equal(second, together);
    assert_string_not_equal(first, together);
    free(together);
    free(first);
    free(second);
    close_saying(&s);
}

/* As when a backend stands in that was not open when the call was made: the one it was made for may go. */
static void a_job_is_done_by_the_model_that_it_is_bound_to_last(void **state)
{
    (void)state;
    struct saying asked = open_saying("{\"model_type\": \"counter\", \"slots\": false" MORE "}");
    struct saying serving = open_text("right");
    struct text_pipeline *pipeline = NULL;
    struct generation_config config = {0};
    struct model_error err = MODEL_ERROR_INIT;
    struct request_job *job = NULL;
    struct modelhost_request *request = NULL;
    struct modelhost_result *result = NULL;
    const struct modelhost_generation generation = greedy(4);
    const struct modelhost_prompt prompt = prompt_of("t", 1);
    assert_int_equal(loaded_model_pipeline(asked.model, &pipeline, &err), MODEL_OK);
    assert_int_equal(generation_config_read(NULL, asked.model->package.dir,
                                            asked.model->package.backend_dir, asked.model->config,
                                            &config, &err),
                     MODEL_OK);
    assert_int_equal(generation_job_create(modelhost_description(asked.model),
                                           text_pipeline_tokenizer(pipeline), &config, &prompt, 1,
                                           &generation, &job, &err),
                     MODEL_OK);
    assert_int_equal(job->rebind(job, serving.model, &err), MODEL_OK);
    close_saying(&asked);
    assert_int_equal(request_create(serving.model, NULL, 0, 0, NULL, &request, &err), MODEL_OK);
    request_adopt_job(request, job, 0);
    if (api_run_and_wait(request, &result, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    if (strstr(modelhost_result_json(result), "\"righ\"") == NULL)
        fail_msg("%s", modelhost_result_json(result));
    modelhost_result_destroy(result);
    close_saying(&serving);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_come_whole),
        cmocka_unit_test(an_answer_leaves_no_sentence_of_files_that_need_not_be_there),
        cmocka_unit_test(a_package_is_asked_once_how_it_generates),
        cmocka_unit_test(prompts_one_by_one_draw_what_they_would_together),
        cmocka_unit_test(half_a_character_at_the_end_is_replaced),
        cmocka_unit_test(a_stop_string_is_never_shown),
        cmocka_unit_test(the_packages_stop_strings_hold_until_the_caller_has_some),
        cmocka_unit_test(a_stop_string_that_is_longer_than_the_text_hides_nothing),
        cmocka_unit_test(the_text_of_what_ends_it_is_not_shown),
        cmocka_unit_test(a_full_context_shows_what_was_held_back),
        cmocka_unit_test(a_zero_byte_is_a_replacement_character),
        cmocka_unit_test(stop_strings_that_make_no_sense_are_refused),
        cmocka_unit_test(nothing_is_told_after_the_answer),
        cmocka_unit_test(what_was_asked_for_is_copied),
        cmocka_unit_test(a_job_is_done_by_the_model_that_it_is_bound_to_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
