/* The command line of `modelhost run`; what it prints is compared by tests/system. */
#include "cmd_run.h"
#include "testing.h"

#include <fcntl.h>
#include <getopt.h>
#include <unistd.h>

static char *words[40];
static struct run_command run;

/* Reads "run PKG ..." with the words behind it, NULL at the end; standard error is not looked at. */
static bool reads(const char *const *more)
{
    int n = 0;
    words[n++] = (char *)(uintptr_t) "run";
    for (size_t i = 0; more[i] != NULL; i++)
        words[n++] = (char *)(uintptr_t)more[i];
    words[n] = NULL;
    run = (struct run_command){.package = NULL};
    optind = 0;
    (void)fflush(stderr);
    const int kept = dup(2), null = open("/dev/null", O_WRONLY);
    assert_true(kept >= 0 && null >= 0 && dup2(null, 2) == 2);
    const bool read = run_options_read(&run, n, words);
    (void)dup2(kept, 2);
    (void)close(kept);
    (void)close(null);
    return read;
}
#define READS(...) reads((const char *const[]){__VA_ARGS__, NULL})

static void accept_and_finish(bool accepted)
{
    run_options_finish(&run);
    assert_true(accepted);
}

static void refuse_and_finish(bool accepted)
{
    run_options_finish(&run);
    assert_false(accepted);
}

static void what_is_not_given_is_as_configured(void **state)
{
    (void)state;
    assert_true(READS("pkg", "--text", "a"));
    const struct modelhost_generation *g = &run.generation;
    assert_string_equal(run.package, "pkg");
    assert_int_equal(run.texts.n_values, 1);
    assert_int_equal(g->struct_size, sizeof *g);
    assert_int_equal(g->max_new_tokens, -1);
    assert_int_equal(g->top_k, -1);
    assert_int_equal(g->do_sample, -1);
    assert_true(g->temperature == MODELHOST_AS_CONFIGURED && g->top_p == MODELHOST_AS_CONFIGURED &&
                g->min_p == MODELHOST_AS_CONFIGURED &&
                g->repetition_penalty == MODELHOST_AS_CONFIGURED &&
                g->presence_penalty == MODELHOST_AS_CONFIGURED &&
                g->frequency_penalty == MODELHOST_AS_CONFIGURED);
    assert_int_equal(g->n_stop_strings + g->n_stop_token_ids + g->seed + g->logprobs, 0);
    assert_null(run.generation_option);
    assert_null(run.reading_option);
    assert_null(run.input_ids);
    accept_and_finish(true);
}

static void numbers_of_generating_are_taken(void **state)
{
    (void)state;
    assert_true(READS("--max-new-tokens", "0", "--temperature", "0.5", "--top-k", "0", "--top-p",
                      "1", "--min-p", "0.25", "--repetition-penalty", "1.5", "--presence-penalty",
                      "-1", "--frequency-penalty", "2", "--seed", "9223372036854775807", "pkg",
                      "--num-sequences", "64", "--logprobs", "3", "--json", "--ignore-eos",
                      "--sliding-window"));
    const struct modelhost_generation *g = &run.generation;
    assert_int_equal(g->max_new_tokens, 0);
    assert_int_equal(g->top_k, 0);
    assert_true(g->temperature == 0.5 && g->top_p == 1 && g->min_p == 0.25 &&
                g->repetition_penalty == 1.5 && g->presence_penalty == -1 &&
                g->frequency_penalty == 2);
    assert_int_equal(g->seed, INT64_MAX);
    assert_int_equal(g->num_sequences, 64);
    assert_int_equal(g->logprobs, 3);
    assert_int_equal(g->ignore_eos + g->sliding_window, 2);
    assert_string_equal(run.generation_option, "max-new-tokens");
    accept_and_finish(true);
}

static void ids_and_stops_are_taken(void **state)
{
    (void)state;
    assert_true(READS("pkg", "--input-ids", "15496,11", "--stop-ids", "0,9223372036854775807",
                      "--stop", "a", "--stop", "b", "--greedy"));
    const struct modelhost_generation *g = &run.generation;
    assert_int_equal(run.n_input_ids, 2);
    assert_int_equal(run.input_ids[0], 15496);
    assert_int_equal(run.input_ids[1], 11);
    assert_int_equal(g->n_stop_token_ids, 2);
    assert_int_equal(g->stop_token_ids[1], INT64_MAX);
    assert_int_equal(g->n_stop_strings, 2);
    assert_string_equal(g->stop_strings[1], "b");
    assert_int_equal(g->do_sample, 0);
    accept_and_finish(true);
    assert_true(READS("pkg", "--input-ids", ""));
    assert_non_null(run.input_ids);
    assert_int_equal(run.n_input_ids, 0);
    accept_and_finish(true);
}

static void ids_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const lists[] = {",",  "1,",  ",1",  "1,,2", "-1",  "+1",
                                        " 1", "1 2", "1.5", "x",    "0x1", "9223372036854775808"};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        refuse_and_finish(READS("pkg", "--input-ids", lists[i]));
        refuse_and_finish(READS("pkg", "--text", "a", "--stop-ids", lists[i]));
    }
}

static void a_list_of_ids_has_an_end(void **state)
{
    (void)state;
    struct {
        char text[2 * 65537 + 1];
    } *ids = calloc(1, sizeof *ids);
    assert_non_null(ids);
    for (size_t i = 0; i < 65537; i++)
        memcpy(ids->text + 2 * i, "1,", 2);
    ids->text[2 * 65536 - 1] = '\0';
    assert_true(READS("pkg", "--input-ids", ids->text));
    assert_int_equal(run.n_input_ids, 65536);
    accept_and_finish(true);
    ids->text[2 * 65536 - 1] = ',';
    ids->text[2 * 65537 - 1] = '\0';
    refuse_and_finish(READS("pkg", "--input-ids", ids->text));
    free(ids);
}

static void options_that_contradict_are_refused(void **state)
{
    (void)state;
    refuse_and_finish(READS("pkg", "--text", "a", "--input-ids", "1"));
    refuse_and_finish(READS("pkg", "--text", "a", "--stream", "--json"));
    refuse_and_finish(READS("pkg", "--text", "a", "--stream", "--num-sequences", "2"));
    refuse_and_finish(READS("pkg", "--text", "a", "--logprobs", "1"));
    refuse_and_finish(READS("pkg", "--text", "a", "--greedy", "--num-sequences", "2"));
    refuse_and_finish(READS("pkg", "--text", "a", "--greedy", "--temperature", "0"));
    refuse_and_finish(READS("pkg", "--text", "a", "--greedy", "--top-k", "1"));
    refuse_and_finish(READS("pkg", "--text", "a", "--greedy", "--top-p", "1"));
    refuse_and_finish(READS("pkg", "--text", "a", "--greedy", "--min-p", "0"));
    accept_and_finish(READS("pkg", "--text", "a", "--greedy", "--repetition-penalty", "2"));
    accept_and_finish(READS("pkg", "--text", "a", "--stream", "--num-sequences", "1"));
}

static void each_form_has_its_options(void **state)
{
    (void)state;
    refuse_and_finish(READS("pkg", "--inputs", "a", "--outputs", "b", "--greedy"));
    refuse_and_finish(READS("pkg", "--inputs", "a", "--outputs", "b", "--top-k", "2"));
    refuse_and_finish(READS("pkg", "--inputs", "a", "--outputs", "b", "--image", "c"));
    refuse_and_finish(READS("pkg", "--inputs", "a"));
    refuse_and_finish(READS("pkg", "--image", "a", "--seed", "1"));
    refuse_and_finish(READS("pkg", "--text", "a", "--stateful"));
    refuse_and_finish(READS("pkg", "--text", "a", "--outputs", "-", "--inputs", "b"));
    refuse_and_finish(READS("--text", "a"));
    refuse_and_finish(READS("pkg", "other", "--text", "a"));
    accept_and_finish(READS("pkg", "--image", "a", "--top-k", "2"));
    accept_and_finish(READS("pkg", "--describe", "--greedy"));
    assert_true(READS("pkg", "--text", "a", "--truncate", "--seed", "1"));
    assert_string_equal(run.reading_option, "truncate");
    assert_string_equal(run.generation_option, "seed");
    accept_and_finish(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_given_is_as_configured),
        cmocka_unit_test(numbers_of_generating_are_taken),
        cmocka_unit_test(ids_and_stops_are_taken),
        cmocka_unit_test(ids_that_are_none_are_refused),
        cmocka_unit_test(a_list_of_ids_has_an_end),
        cmocka_unit_test(options_that_contradict_are_refused),
        cmocka_unit_test(each_form_has_its_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
