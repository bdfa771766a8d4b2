/* test_gpt2_few_rows.c - up to PRODUCT_ROWS tokens that the gpt2 plugin reads together have the bits of one after the
 * other, in every dtype: what speculative decoding in host/generation/speculation.c stands on. */
#include "gpt2_reference_harness.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH = 150, VOCAB = 50, MAX_ROWS = 6 }; /* three pages of positions */

static const char *const dtypes[] = {"f32", "bf16", "int8", "int4"};

static struct harness *load(struct gpt gpt, const char *dtype)
{
    struct harness *h = gpt_create(&gpt);
    h->args.compute_dtype = dtype;
    if (harness_load(h) != MODEL_OK)
        fail_msg("%s", h->err.message);
    return h;
}

/* The text in pieces of n_rows on one slot, token by token on another. */
static void compare(struct harness *h, const int64_t *ids, int64_t n_rows)
{
    for (int64_t at = 0, n; at < LENGTH; at += n) {
        n = LENGTH - at < n_rows ? LENGTH - at : n_rows;
        float *together = gpt_read(h, 0, ids + at, n, "logits", MODEL_OK);
        for (int64_t i = 0; i < n; i++) {
            float *alone = gpt_read(h, 1, ids + at + i, 1, "next_token_logits", MODEL_OK);
            assert_memory_equal(alone, together + i * VOCAB, VOCAB * sizeof *alone);
            free(alone);
        }
        free(together);
    }
    gpt_keep(h, 0, 0, 0);
    gpt_keep(h, 1, 1, 0);
}

static void few_rows_have_the_bits_of_one(void **state)
{
    (void)state;
    int64_t ids[LENGTH];
    for (int i = 0; i < LENGTH; i++)
        ids[i] = (i * 29 + i / 7) % VOCAB;
    for (size_t d = 0; d < sizeof dtypes / sizeof *dtypes; d++)
        for (uint32_t threads = 1; threads <= 2; threads++) {
            struct gpt gpt = gpt_default;
            gpt.threads = threads;
            gpt.hidden = 64;
            gpt.heads = 4;
            struct harness *h = load(gpt, dtypes[d]);
            for (int64_t n_rows = 1; n_rows <= MAX_ROWS; n_rows++)
                compare(h, ids, n_rows);
            assert_int_equal(harness_destroy(h), 0);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(few_rows_have_the_bits_of_one)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
