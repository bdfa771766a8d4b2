/* test_lstm_slots.c - the lstm plugin's memory: pieces equal one call, batches equal singles, forks,
 * rewinds and clearings, and runs that fail leave a slot as it was. Covers recurrent_batch.c and
 * recurrent_slots.c of plugins/kernels. */
#include "lstm_harness.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ABS 1e-6
#define MAX_RMS 1e-6

enum { LENGTH = 30, VOCAB = 11 };

static int64_t text[LENGTH];
static struct lstm_cases cases;

static int setup(void **state)
{
    (void)state;
    for (int i = 0; i < LENGTH; i++)
        text[i] = (i * 7 + i / 3) % VOCAB;
    cases = lstm_cases_open();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lstm_cases_close(&cases);
    return 0;
}

/* Reads ids[first, first + n) on a slot (-1: none); output `name`, to be freed. */
static float *read_ids(struct harness *h, int slot, const int64_t *ids, int64_t n, const char *name)
{
    const char *const names[] = {name, NULL};
    const int64_t shape[] = {1, n};
    const uint32_t slots[] = {(uint32_t)slot};
    struct lstm_call call = {.slots = slot < 0 ? NULL : slots, .n_slots = slot < 0 ? 0 : 1};
    struct harness_outputs outputs;
    lstm_input(&call, "input_ids", MODEL_I64, 2, shape, ids);
    if (lstm_run_call(h, &call, names, &outputs) != MODEL_OK)
        fail_msg("%s", h->err.message);
    float *found = outputs.tensors[0].data;
    outputs.tensors[0].data = NULL;
    harness_outputs_free(&outputs);
    return found;
}

static int64_t keep(struct harness *h, uint32_t to, uint32_t from, int64_t n)
{
    int64_t kept = -1;
    if (h->instance->keep(h->instance, to, from, n, &kept, &h->err) != MODEL_OK)
        fail_msg("%s", h->err.message);
    return kept;
}

/* What reading ids[first, first + n) after ids[0, first) gives. */
static void assert_continues(struct harness *h, int slot, int64_t first, int64_t n)
{
    float *want = read_ids(h, -1, text, first + n, "logits");
    float *found = read_ids(h, slot, text + first, n, "logits");
    lstm_assert_close("continued", found, want + first * VOCAB, (size_t)(n * VOCAB), MAX_ABS,
                      MAX_RMS);
    free(want);
    free(found);
}

static void reading_in_pieces_equals_reading_at_once(void **state)
{
    (void)state;
    static const int64_t sizes[] = {1, 3, 7, 29, 30};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct harness *h = lstm_case_load(&cases, "lstm_embedding", (uint32_t)(1 + i % 2));
        for (int64_t at = 0; at < LENGTH; at += sizes[i])
            assert_continues(h, (int)i, at, LENGTH - at < sizes[i] ? LENGTH - at : sizes[i]);
        assert_int_equal(harness_destroy(h), 0);
    }
}

/* gru_bf16 has a GRU, 11 ids and 12 labels; its state goes the same ways. */
static void a_gru_goes_on_too(void **state)
{
    (void)state;
    struct harness *h = lstm_case_load(&cases, "gru_bf16", 1);
    float *want = read_ids(h, -1, text, LENGTH, "output");
    for (int64_t at = 0; at < LENGTH; at += 6) {
        float *found = read_ids(h, 3, text + at, 6, "output");
        lstm_assert_close("gru", found, want + at * 9, 6 * 9, MAX_ABS, MAX_RMS);
        free(found);
    }
    free(want);
    assert_int_equal(harness_destroy(h), 0);
}

static void next_token_logits_are_those_of_the_last_visible_position(void **state)
{
    (void)state;
    static const char *const names[] = {"logits", "next_token_logits", NULL};
    const int64_t shape[] = {3, 6};
    const int64_t mask[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0};
    static const size_t last[] = {5, 2, 4};
    struct harness *h = lstm_case_load(&cases, "lstm_embedding", 1);
    struct lstm_call call = {.n_inputs = 0};
    struct harness_outputs outputs;
    lstm_input(&call, "input_ids", MODEL_I64, 2, shape, text);
    lstm_input(&call, "attention_mask", MODEL_I64, 2, shape, mask);
    assert_int_equal(lstm_run_call(h, &call, names, &outputs), MODEL_OK);
    for (size_t item = 0; item < 3; item++)
        lstm_assert_close("next", lstm_output(&outputs, "next_token_logits") + item * VOCAB,
                          lstm_output(&outputs, "logits") + (item * 6 + last[item]) * VOCAB, VOCAB,
                          MAX_ABS, MAX_RMS);
    harness_outputs_free(&outputs);
    assert_int_equal(harness_destroy(h), 0);
}

static void a_batch_on_slots_equals_its_items_alone(void **state)
{
    (void)state;
    static const char *const names[] = {"next_token_logits", "h_n", "c_n", NULL};
    enum { N = 40 }; /* more than a group */
    static int64_t ids[N * 5];
    uint32_t slots[N];
    struct harness *h = lstm_case_load(&cases, "lstm_embedding", 1);
    struct lstm_call call = {.slots = slots, .n_slots = N};
    const int64_t shape[] = {N, 5};
    for (int i = 0; i < N * 5; i++)
        ids[i] = (i * 5 + i / 4) % VOCAB;
    for (uint32_t i = 0; i < N; i++)
        slots[i] = (i * 7) % N;
    lstm_input(&call, "input_ids", MODEL_I64, 2, shape, ids);
    struct harness_outputs first, second;
    assert_int_equal(lstm_run_call(h, &call, names, &first), MODEL_OK);
    assert_int_equal(lstm_run_call(h, &call, names, &second), MODEL_OK);
    for (size_t i = 0; i < N; i++) {
        int64_t twice[10];
        memcpy(twice, ids + i * 5, 5 * sizeof *ids);
        memcpy(twice + 5, ids + i * 5, 5 * sizeof *ids);
        float *want = read_ids(h, -1, twice, 10, "next_token_logits");
        lstm_assert_close("item", lstm_output(&second, "next_token_logits") + i * VOCAB, want,
                          VOCAB, MAX_ABS, MAX_RMS);
        free(want);
    }
    harness_outputs_free(&first);
    harness_outputs_free(&second);
    assert_int_equal(harness_destroy(h), 0);
}

static void hidden_positions_are_not_read_into_a_slot(void **state)
{
    (void)state;
    static const char *const names[] = {"output", NULL};
    struct harness *h = lstm_case_load(&cases, "lstm_embedding", 1);
    const int64_t shape[] = {2, 5};
    const int64_t ids[] = {0, 0, text[0], text[1], text[2], text[0], text[1], text[2], 0, 0};
    const int64_t mask[] = {0, 0, 1, 1, 1, 1, 1, 1, 0, 0}; /* padded on the left and on the right */
    const uint32_t slots[] = {4, 9};
    struct lstm_call call = {.slots = slots, .n_slots = 2};
    struct harness_outputs outputs;
    lstm_input(&call, "input_ids", MODEL_I64, 2, shape, ids);
    lstm_input(&call, "attention_mask", MODEL_I64, 2, shape, mask);
    assert_int_equal(lstm_run_call(h, &call, names, &outputs), MODEL_OK);
    harness_outputs_free(&outputs);
    assert_int_equal(keep(h, 4, 4, 3), 3);
    assert_continues(h, 4, 3, 6);
    assert_continues(h, 9, 3, 6);
    assert_int_equal(keep(h, 4, 4, 9), 9);
    assert_int_equal(harness_destroy(h), 0);
}

static void keep_forks_clears_and_rewinds_to_nothing(void **state)
{
    (void)state;
    struct harness *h = lstm_case_load(&cases, "lstm_embedding", 1);
    int64_t kept = -1;
    free(read_ids(h, 0, text, 10, "logits"));
    assert_int_equal(keep(h, 1, 0, 10), 10); /* a fork: both go on by themselves */
    assert_continues(h, 0, 10, 5);
    assert_continues(h, 1, 10, 9);
    assert_int_equal(keep(h, 1, 1, 0), 0);
    assert_continues(h, 1, 0, 4);
    assert_int_equal(keep(h, 0, 0, 15), 15);
    assert_int_equal(keep(h, 0, 0, 7), 0); /* only the end is known */
    assert_continues(h, 0, 0, 7);
    assert_int_equal(keep(h, 5, 0, 3), 0);
    assert_continues(h, 0, 7, 3);
    assert_continues(h, 5, 0, 3);
    assert_int_equal(keep(h, 6, 7, 0), 0);
    assert_int_equal(h->instance->keep(h->instance, 0, 0, 11, &kept, &h->err),
                     MODEL_INVALID_ARGUMENT);
    assert_string_equal(h->err.message, "11 positions of slot 0 into slot 0: want slots below 64, "
                                        "and no more positions than were read");
    assert_int_equal(h->instance->keep(h->instance, 64, 0, 1, &kept, &h->err),
                     MODEL_INVALID_ARGUMENT);
    assert_int_equal(kept, -1);
    assert_continues(h, 0, 10, 3);
    assert_int_equal(harness_destroy(h), 0);
}

static void a_call_without_slots_leaves_them_alone(void **state)
{
    (void)state;
    struct harness *h = lstm_case_load(&cases, "lstm_embedding", 1);
    free(read_ids(h, 0, text, 5, "logits"));
    free(read_ids(h, -1, text + 9, 8, "logits"));
    assert_continues(h, 0, 5, 5);
    assert_int_equal(harness_destroy(h), 0);
}

/* Reads text[0, n) with the state that a call without slots gave after text[0, first). */
static void an_explicit_state_replaces_that_of_the_slot(void **state)
{
    (void)state;
    static const char *const names[] = {"h_n", "c_n", NULL};
    struct harness *h = lstm_case_load(&cases, "lstm_embedding", 1);
    const int64_t shape[] = {1, 8}, state_shape[] = {2, 1, 9}, rest[] = {1, 4};
    const uint32_t slot = 2;
    struct lstm_call call = {.n_inputs = 0}, next = {.slots = &slot, .n_slots = 1};
    struct harness_outputs states, outputs;
    lstm_input(&call, "input_ids", MODEL_I64, 2, shape, text);
    assert_int_equal(lstm_run_call(h, &call, names, &states), MODEL_OK);
    free(read_ids(h, 2, text + 5, 17, "logits"));
    lstm_input(&next, "input_ids", MODEL_I64, 2, rest, text + 8);
    lstm_input(&next, "h0", MODEL_F32, 3, state_shape, lstm_output(&states, "h_n"));
    lstm_input(&next, "c0", MODEL_F32, 3, state_shape, lstm_output(&states, "c_n"));
    assert_int_equal(lstm_run_call(h, &next, names, &outputs), MODEL_OK);
    assert_continues(h, 2, 12, 6);
    assert_int_equal(keep(h, 2, 2, 10), 10); /* counted from the given state on */
    harness_outputs_free(&states);
    harness_outputs_free(&outputs);
    assert_int_equal(harness_destroy(h), 0);
}

static void a_failed_run_leaves_its_slots_as_they_were(void **state)
{
    (void)state;
    static const char *const names[] = {"logits", NULL};
    struct harness *h = lstm_case_load(&cases, "lstm_embedding", 1);
    const int64_t shape[] = {1, 4}, bad[] = {1, 2, VOCAB, 3};
    const uint32_t slot = 0;
    struct lstm_call call = {.slots = &slot, .n_slots = 1}, good = call;
    struct harness_outputs outputs;
    lstm_input(&call, "input_ids", MODEL_I64, 2, shape, bad);
    lstm_input(&good, "input_ids", MODEL_I64, 2, shape, text + 5);
    free(read_ids(h, 0, text, 5, "logits"));
    assert_int_equal(lstm_run_call(h, &call, names, &outputs), MODEL_INVALID_ARGUMENT);
    assert_string_equal(h->err.message, "input_ids[0, 2] is 11, want 0 to 10 (vocab_size 11)");
    harness_outputs_free(&outputs);
    h->cancelled = MODEL_CANCELLED;
    assert_int_equal(lstm_run_call(h, &good, names, &outputs), MODEL_CANCELLED);
    assert_string_equal(h->err.message, "the run was cancelled");
    harness_outputs_free(&outputs);
    h->cancelled = 0;
    h->fail_at = h->n_allocated + 1; /* the scratch */
    assert_int_equal(lstm_run_call(h, &good, names, &outputs), MODEL_OUT_OF_MEMORY);
    harness_outputs_free(&outputs);
    h->fail_at = 0;
    assert_continues(h, 0, 5, 5);
    assert_int_equal(harness_destroy(h), 0);
}

static void two_directions_have_no_slots(void **state)
{
    (void)state;
    struct harness *h = lstm_case_load(&cases, "lstm_bidirectional", 1);
    assert_int_equal(h->model->description->max_slots, 0);
    assert_null(h->instance->keep);
    assert_int_equal(harness_destroy(h), 0);
    h = lstm_case_load(&cases, "lstm", 1);
    assert_int_equal(h->model->description->max_slots, 64);
    assert_int_equal(harness_destroy(h), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_in_pieces_equals_reading_at_once),
        cmocka_unit_test(a_gru_goes_on_too),
        cmocka_unit_test(next_token_logits_are_those_of_the_last_visible_position),
        cmocka_unit_test(a_batch_on_slots_equals_its_items_alone),
        cmocka_unit_test(hidden_positions_are_not_read_into_a_slot),
        cmocka_unit_test(keep_forks_clears_and_rewinds_to_nothing),
        cmocka_unit_test(a_call_without_slots_leaves_them_alone),
        cmocka_unit_test(an_explicit_state_replaces_that_of_the_slot),
        cmocka_unit_test(a_failed_run_leaves_its_slots_as_they_were),
        cmocka_unit_test(two_directions_have_no_slots),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
