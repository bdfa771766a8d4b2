/* test_gpt2_slots.c - the gpt2 plugin's memory: reading in pieces equals reading at once, batches equal
 * singles, rewinding, forking and clearing, and runs that fail leave a slot as it was. */
#include "gpt2_reference_harness.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH = 140, VOCAB = 50 }; /* three pages of positions */

static int64_t text[4][LENGTH];

static int make_texts(void **state)
{
    (void)state;
    for (int i = 0; i < 4 * LENGTH; i++)
        text[i / LENGTH][i % LENGTH] = (i * 29 + i / 7 + i / LENGTH) % VOCAB;
    return 0;
}

/* What the reference says about ids[0, n): (n, vocab). */
static double *want_logits(const struct harness *h, const struct gpt *gpt, const int64_t *ids,
                           int64_t n)
{
    struct harness_inputs inputs = {1, n, ids, NULL, NULL, NULL};
    double *hidden = gpt_hidden(h, gpt, &inputs);
    double *logits = gpt_head(h, gpt_head_name(gpt), hidden, (size_t)n);
    free(hidden);
    return logits;
}

/* Reads ids[first, first + n) on a slot; their logits must be those of the whole text. */
static void read_and_check(struct harness *h, const struct gpt *gpt, int slot, const int64_t *ids,
                           int64_t first, int64_t n)
{
    float *found = gpt_read(h, slot, ids + first, n, "logits", MODEL_OK);
    double *want = want_logits(h, gpt, ids, first + n);
    gpt_assert_close("continued", found, want + first * VOCAB, (size_t)(n * VOCAB));
    free(want);
    free(found);
}

static void reading_in_pieces_equals_reading_at_once(void **state)
{
    (void)state;
    static const int64_t steps[] = {1, 3, 7, 16, 63, 64, 65, 139, 140};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct gpt gpt = gpt_default;
        gpt.threads = (uint32_t)(1 + i % 2);
        gpt.by_layer = i % 3 == 0;
        struct harness *h = gpt_loaded(&gpt);
        double *want = want_logits(h, &gpt, text[0], LENGTH);
        for (int64_t at = 0; at < LENGTH; at += steps[i]) {
            int64_t n = LENGTH - at < steps[i] ? LENGTH - at : steps[i];
            float *found = gpt_read(h, (int)i, text[0] + at, n, "logits", MODEL_OK);
            gpt_assert_close("pieces", found, want + at * VOCAB, (size_t)(n * VOCAB));
            free(found);
        }
        free(want);
        assert_int_equal(harness_destroy(h), 0);
    }
}

static void prefill_of_more_than_a_group_sees_its_own_beginning(void **state)
{
    (void)state;
    enum { LONG = 1100 };
    static int64_t ids[2 * LONG];
    struct gpt gpt = gpt_default;
    gpt.hidden = 8;
    gpt.heads = 2;
    gpt.layers = 2;
    gpt.positions = LONG;
    for (int i = 0; i < 2 * LONG; i++)
        ids[i] = (i * 31 + i / 9) % VOCAB;
    struct harness *h = gpt_loaded(&gpt);
    static const char *const names[] = {"last_hidden_state", "next_token_logits", NULL};
    struct harness_inputs inputs = {2, LONG, ids, NULL, NULL, NULL};
    struct harness_outputs outputs;
    static const uint32_t slots[] = {5, 3};
    h->slots = slots;
    assert_int_equal(harness_run(h, &inputs, names, &outputs), MODEL_OK);
    double *hidden = gpt_hidden(h, &gpt, &inputs);
    double *logits = gpt_head(h, gpt_head_name(&gpt), hidden, 2 * LONG);
    gpt_assert_rows("chunks", &outputs.tensors[0], hidden, 8, NULL);
    for (size_t b = 0; b < 2; b++)
        gpt_assert_close("next", (const float *)outputs.tensors[1].data + b * VOCAB,
                         logits + ((b + 1) * LONG - 1) * VOCAB, VOCAB);
    free(logits);
    free(hidden);
    harness_outputs_free(&outputs);
    assert_int_equal(harness_destroy(h), 0);
}

/* Prefill of four texts of different lengths, padded on either side, or on the right without position_ids, then ten
 * steps together. */
static void batches_of_different_lengths_equal_singles(void **state)
{
    (void)state;
    enum { N = 4, WIDTH = 70, STEPS = 10 };
    static const int64_t lengths[N] = {70, 1, 33, 64};
    static const uint32_t slots[N] = {7, 0, 63, 2};
    static const char *const names[] = {"next_token_logits", NULL};
    for (int way = 0; way < 3; way++) {
        const bool left = way == 1;
        struct harness *h = gpt_loaded(&gpt_default);
        int64_t ids[N * WIDTH] = {0}, mask[N * WIDTH] = {0}, positions[N * WIDTH] = {0};
        struct harness_inputs inputs = {N, WIDTH, ids, mask, NULL, way < 2 ? positions : NULL};
        struct harness_outputs outputs;
        for (int b = 0; b < N; b++)
            for (int64_t i = 0; i < lengths[b]; i++) {
                int64_t at = b * WIDTH + (left ? WIDTH - lengths[b] : 0) + i;
                ids[at] = text[b][i];
                mask[at] = 1;
                positions[at] = i;
            }
        double *want[N];
        for (int b = 0; b < N; b++)
            want[b] = want_logits(h, &gpt_default, text[b], lengths[b] + STEPS);
        h->slots = slots;
        for (int64_t step = 0; step <= STEPS; step++) {
            assert_int_equal(harness_run(h, &inputs, names, &outputs), MODEL_OK);
            for (int b = 0; b < N; b++) {
                gpt_assert_close("batch", (const float *)outputs.tensors[0].data + b * VOCAB,
                                 want[b] + (lengths[b] + step - 1) * VOCAB, VOCAB);
                ids[b] = text[b][(lengths[b] + step) % LENGTH];
            }
            harness_outputs_free(&outputs);
            inputs = (struct harness_inputs){N, 1, ids, NULL, NULL, NULL};
        }
        for (int b = 0; b < N; b++)
            free(want[b]);
        assert_int_equal(harness_destroy(h), 0);
    }
}

static void hidden_positions_do_not_enter_a_slot(void **state)
{
    (void)state;
    static const char *const names[] = {"logits", NULL};
    struct harness *h = gpt_loaded(&gpt_default);
    const int64_t ids[] = {text[0][0], 9, text[0][1], text[0][2], 9};
    const int64_t mask[] = {1, 0, 1, 1, 0}, positions[] = {0, 0, 1, 2, 0};
    const uint32_t slot = 1;
    struct harness_inputs inputs = {1, 5, ids, mask, NULL, positions};
    struct harness_outputs outputs;
    h->slots = &slot;
    assert_int_equal(harness_run(h, &inputs, names, &outputs), MODEL_OK);
    double *want = want_logits(h, &gpt_default, text[0], 3);
    for (int i = 0, seen = 0; i < 5; i++) {
        const float *row = (const float *)outputs.tensors[0].data + i * VOCAB;
        if (mask[i] != 0)
            gpt_assert_close("visible", row, want + seen++ * VOCAB, VOCAB);
        else
            assert_true(row[0] == 0 && row[VOCAB - 1] == 0);
    }
    free(want);
    harness_outputs_free(&outputs);
    read_and_check(h, &gpt_default, 1, text[0], 3, 20);
    assert_int_equal(harness_destroy(h), 0);
}

/* Without position_ids columns count, hidden ones before visible ones too, as in the reference: reading on
 * after a text that was padded on the left must equal one call with all of it. */
static void reading_on_after_padding_equals_one_call(void **state)
{
    (void)state;
    static const char *const names[] = {"logits", NULL};
    struct harness *h = gpt_loaded(&gpt_default);
    const int64_t ids[] = {9, 9, text[0][0], 9, text[0][1], text[0][2], text[0][3]};
    const int64_t mask[] = {0, 0, 1, 0, 1, 1, 1};
    const uint32_t slot = 2;
    struct harness_inputs whole = {1, 7, ids, mask, NULL, NULL};
    struct harness_inputs first = {1, 5, ids, mask, NULL, NULL};
    struct harness_outputs want, found;
    h->slots = NULL;
    assert_int_equal(harness_run(h, &whole, names, &want), MODEL_OK);
    h->slots = &slot;
    assert_int_equal(harness_run(h, &first, names, &found), MODEL_OK);
    harness_outputs_free(&found);
    for (int round = 0; round < 2; round++) { /* also after a rewind into the padded part */
        float *rest = gpt_read(h, 2, ids + 5, 2, "logits", MODEL_OK);
        for (int i = 0; i < 2 * VOCAB; i++)
            assert_true(fabsf(rest[i] - ((const float *)want.tensors[0].data)[5 * VOCAB + i]) <
                        1e-5f);
        free(rest);
        gpt_keep(h, 2, 2, 2);
    }
    harness_outputs_free(&want);
    assert_int_equal(harness_destroy(h), 0);
}

static void calls_without_slots_leave_them_alone(void **state)
{
    (void)state;
    struct harness *h = gpt_loaded(&gpt_default);
    read_and_check(h, &gpt_default, 0, text[0], 0, 30);
    read_and_check(h, &gpt_default, -1, text[1], 0, 90);
    read_and_check(h, &gpt_default, 1, text[2], 0, 70);
    read_and_check(h, &gpt_default, 0, text[0], 30, 40);
    read_and_check(h, &gpt_default, 1, text[2], 70, 2);
    assert_int_equal(harness_destroy(h), 0);
}

static void rewinding_and_going_on_equals_a_fresh_run(void **state)
{
    (void)state;
    static const int64_t kept[] = {139, 128, 65, 64, 63, 20, 1, 0};
    struct harness *h = gpt_loaded(&gpt_default);
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        int64_t other[LENGTH];
        memcpy(other, text[0], sizeof other);
        memcpy(other + kept[i], text[1], (size_t)(LENGTH - kept[i]) * sizeof *other);
        gpt_keep(h, 0, 0, 0);
        free(gpt_read(h, 0, text[0], LENGTH, "next_token_logits", MODEL_OK));
        gpt_keep(h, 0, 0, kept[i]);
        read_and_check(h, &gpt_default, 0, other, kept[i], LENGTH - kept[i]);
    }
    assert_int_equal(harness_destroy(h), 0);
}

static void a_fork_is_a_copy_that_goes_its_own_way(void **state)
{
    (void)state;
    struct harness *h = gpt_loaded(&gpt_default);
    int64_t other[LENGTH];
    memcpy(other, text[0], sizeof other);
    memcpy(other + 70, text[1], 70 * sizeof *other);
    free(gpt_read(h, 9, text[2], 5, "next_token_logits", MODEL_OK)); /* what the fork replaces */
    free(gpt_read(h, 4, text[0], 100, "next_token_logits", MODEL_OK));
    gpt_keep(h, 9, 4, 70);
    read_and_check(h, &gpt_default, 9, other, 70, 60);
    read_and_check(h, &gpt_default, 4, text[0], 100, 30);
    gpt_keep(h, 4, 4, 0);
    read_and_check(h, &gpt_default, 9, other, 130, 10);
    assert_int_equal(harness_destroy(h), 0);
}

static void clearing_gives_the_memory_back(void **state)
{
    (void)state;
    struct harness *h = gpt_loaded(&gpt_default);
    free(gpt_read(h, -1, text[0], LENGTH, "next_token_logits", MODEL_OK));
    const size_t before = h->held;
    for (int i = 0; i < 64; i++)
        free(gpt_read(h, i, text[0], LENGTH, "next_token_logits", MODEL_OK));
    assert_int_equal(h->held, before + 64 * 4); /* three pages and their list */
    for (uint32_t i = 0; i < 64; i++)
        gpt_keep(h, i, i, i % 2 == 0 ? 0 : 64);
    assert_int_equal(h->held, before + 32 * 2);
    for (uint32_t i = 0; i < 64; i++)
        gpt_keep(h, i, 0, 0);
    assert_int_equal(h->held, before);
    assert_int_equal(harness_destroy(h), 0);
}

static void what_cannot_be_kept_is_refused_in_words(void **state)
{
    (void)state;
    struct harness *h = gpt_loaded(&gpt_default);
    int64_t kept = -1;
    free(gpt_read(h, 2, text[0], 8, "next_token_logits", MODEL_OK));
    assert_int_equal(h->instance->keep(h->instance, 3, 2, 9, &kept, &h->err),
                     MODEL_INVALID_ARGUMENT);
    assert_string_equal(h->err.message, "slot 2 holds 8 positions, 9 of them cannot be kept");
    assert_int_equal(h->instance->keep(h->instance, 2, 64, 0, &kept, &h->err),
                     MODEL_INVALID_ARGUMENT);
    assert_string_equal(h->err.message, "slot 64, want 0 to 63 (max_slots)");
    h->fail_at = h->n_allocated + 2; /* the first page of the fork */
    assert_int_equal(h->instance->keep(h->instance, 3, 2, 8, &kept, &h->err), MODEL_OUT_OF_MEMORY);
    h->fail_at = 0;
    assert_int_equal(kept, -1);
    read_and_check(h, &gpt_default, 3, text[1], 0, 4);
    read_and_check(h, &gpt_default, 2, text[0], 8, 4);
    assert_int_equal(harness_destroy(h), 0);
}

/* ---- runs that fail */

static void the_end_of_the_context_is_an_error_that_leaves_the_slot(void **state)
{
    (void)state;
    struct harness *h = gpt_loaded(&gpt_default); /* 150 positions */
    free(gpt_read(h, 0, text[0], LENGTH, "next_token_logits", MODEL_OK));
    (void)gpt_read(h, 0, text[1], 11, "next_token_logits", MODEL_INVALID_ARGUMENT);
    assert_string_equal(h->err.message,
                        "the slot holds 140 of 150 positions (n_positions), 11 more "
                        "do not fit: rewind or clear it, or read less");
    free(gpt_read(h, 0, text[1], 10, "next_token_logits", MODEL_OK));
    (void)gpt_read(h, 0, text[1], 1, "next_token_logits", MODEL_INVALID_ARGUMENT);
    gpt_keep(h, 0, 0, 100);
    read_and_check(h, &gpt_default, 0, text[0], 100, 40);
    assert_int_equal(harness_destroy(h), 0);
}

static void a_run_that_finds_no_memory_leaves_the_slot(void **state)
{
    (void)state;
    struct harness *h = gpt_loaded(&gpt_default);
    free(gpt_read(h, 0, text[0], 60, "next_token_logits", MODEL_OK));
    h->fail_at = h->n_allocated + 1; /* the second page */
    (void)gpt_read(h, 0, text[1], 20, "next_token_logits", MODEL_OUT_OF_MEMORY);
    assert_string_equal(h->err.message,
                        "no memory for the keys and values of 80 positions in slot 0 "
                        "(111104 bytes)");
    h->fail_at = h->n_allocated + 2; /* the scratch, after it */
    (void)gpt_read(h, 0, text[1], 20, "next_token_logits", MODEL_OUT_OF_MEMORY);
    assert_string_equal(h->err.message, "no memory for the activations of a run");
    h->fail_at = 0;
    read_and_check(h, &gpt_default, 0, text[0], 60, 20);
    assert_int_equal(harness_destroy(h), 0);
}

static size_t calls_until_cancel;

static void cancel_after(void *context, size_t n_items, void (*body)(void *, size_t),
                         void *argument)
{
    struct harness *h = context;
    for (size_t i = 0; i < n_items; i++)
        body(argument, i);
    if (calls_until_cancel-- == 0)
        __atomic_store_n(&h->cancelled, MODEL_DEADLINE, __ATOMIC_RELAXED);
}

static void a_cancelled_run_leaves_the_slot(void **state)
{
    (void)state;
    struct gpt gpt = gpt_default;
    gpt.threads = 2;
    struct harness *h = gpt_loaded(&gpt);
    void (*parallel_for)(void *, size_t, void (*)(void *, size_t), void *) =
        h->services.parallel_for;
    free(gpt_read(h, 0, text[0], 50, "next_token_logits", MODEL_OK));
    for (size_t n = 0; n < 3; n++) { /* at least the attention of each layer is parallel */
        calls_until_cancel = n;
        h->services.parallel_for = cancel_after;
        (void)gpt_read(h, 0, text[1], 30, "next_token_logits", MODEL_DEADLINE);
        assert_string_equal(h->err.message, "the deadline passed during the run");
        h->services.parallel_for = parallel_for;
        h->cancelled = 0;
    }
    read_and_check(h, &gpt, 0, text[0], 50, 60);
    assert_int_equal(harness_destroy(h), 0);
}

static void a_warm_slot_allocates_a_page_at_a_time(void **state)
{
    (void)state;
    struct harness *h = gpt_loaded(&gpt_default);
    free(gpt_read(h, 0, text[0], 1, "next_token_logits", MODEL_OK));
    const size_t before = h->n_allocated;
    for (int i = 1; i < 64; i++)
        free(gpt_read(h, 0, text[0] + i, 1, "next_token_logits", MODEL_OK));
    assert_int_equal(h->n_allocated, before + 63); /* the requests for scratch */
    free(gpt_read(h, 0, text[0] + 64, 1, "next_token_logits", MODEL_OK));
    assert_int_equal(h->n_allocated, before + 65);
    assert_int_equal(harness_destroy(h), 0);
}

/* A thousand models and 10,000 tokens, with nothing held at the end of each. */
static void memory_is_flat(void **state)
{
    (void)state;
    struct gpt gpt = gpt_default;
    gpt.layers = 1;
    for (int i = 0; i < 1000; i++) {
        struct harness *h = gpt_loaded(&gpt);
        free(gpt_read(h, i % 64, text[0], 3, "next_token_logits", MODEL_OK));
        assert_int_equal(harness_destroy(h), 0);
    }
    struct harness *h = gpt_loaded(&gpt);
    free(gpt_read(h, 0, text[0], LENGTH, "next_token_logits", MODEL_OK));
    const size_t held = h->held;
    for (int i = 0; i < 10000; i++) {
        if (i % 10 == 0)
            gpt_keep(h, 0, 0, LENGTH);
        free(gpt_read(h, 0, text[0] + i % LENGTH, 1, "next_token_logits", MODEL_OK));
        assert_true(h->held == held);
    }
    assert_int_equal(harness_destroy(h), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_in_pieces_equals_reading_at_once),
        cmocka_unit_test(prefill_of_more_than_a_group_sees_its_own_beginning),
        cmocka_unit_test(batches_of_different_lengths_equal_singles),
        cmocka_unit_test(hidden_positions_do_not_enter_a_slot),
        cmocka_unit_test(reading_on_after_padding_equals_one_call),
        cmocka_unit_test(calls_without_slots_leave_them_alone),
        cmocka_unit_test(rewinding_and_going_on_equals_a_fresh_run),
        cmocka_unit_test(a_fork_is_a_copy_that_goes_its_own_way),
        cmocka_unit_test(clearing_gives_the_memory_back),
        cmocka_unit_test(what_cannot_be_kept_is_refused_in_words),
        cmocka_unit_test(the_end_of_the_context_is_an_error_that_leaves_the_slot),
        cmocka_unit_test(a_run_that_finds_no_memory_leaves_the_slot),
        cmocka_unit_test(a_cancelled_run_leaves_the_slot),
        cmocka_unit_test(a_warm_slot_allocates_a_page_at_a_time),
        cmocka_unit_test(memory_is_flat),
    };
    return cmocka_run_group_tests(tests, make_texts, NULL);
}
