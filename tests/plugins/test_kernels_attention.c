/* test_kernels_attention.c - attention (attention.c, attention_panels.c) and packed rows against naive loops in
 * double. */
#include "plugin_harness.h"

#include "attention_bound.h"
#include "kernel_random.h"
#include "kernels.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define F32_BOUND 3e-6

/* The exact context, and how far one in bf16 may be from it. */
static double *reference(const struct attention *a, size_t rows, double *ret_bounds)
{
    size_t width = a->num_heads * a->head_size;
    double *context = calloc(rows * width, sizeof *context), scores[512], sizes[512];
    for (size_t s = 0; s < a->n_sequences; s++) {
        const struct attention_sequence *q = &a->sequences[s];
        for (size_t r = q->first_row; r < q->first_row + q->n_rows; r++) {
            const size_t unseen = a->causal ? q->first_row + q->n_rows - 1 - r : 0;
            const size_t n_keys = q->n_keys - unseen;
            for (size_t c = 0; c < width; c += a->head_size) {
                double sum = 0, max = -INFINITY;
                for (size_t k = 0; k < n_keys; k++) {
                    scores[k] = sizes[k] = 0;
                    for (size_t d = 0; d < a->head_size; d++) {
                        const double product =
                            (double)a->query[r * a->stride + c + d] *
                            (double)a->key[(q->first_key + k) * a->stride + c + d];
                        scores[k] += product;
                        sizes[k] += fabs(product) * (double)a->scale;
                    }
                    max = fmax(max, scores[k] * (double)a->scale);
                }
                for (size_t k = 0; k < n_keys; k++)
                    sum += scores[k] = exp(scores[k] * (double)a->scale - max);
                for (size_t k = 0; k < n_keys; k++)
                    scores[k] /= sum;
                for (size_t d = 0; d < a->head_size; d++) {
                    const float *value = a->value + q->first_key * a->stride + c + d;
                    double *out = &context[r * width + c + d];
                    for (size_t k = 0; k < n_keys; k++)
                        *out += scores[k] * (double)value[k * a->stride];
                    ret_bounds[r * width + c + d] =
                        attention_bf16_bound(scores, sizes, value, a->stride, n_keys, *out);
                }
            }
        }
    }
    return context;
}

static void check_dtype(const char *dtype, size_t num_heads, size_t head_size,
                        const struct attention_sequence *sequences, size_t n_sequences,
                        uint32_t threads, bool causal)
{
    struct harness *h = harness_create(NULL, "{}", threads);
    struct kernels *kernels = NULL;
    h->args.compute_dtype = dtype;
    assert_int_equal(kernels_create(&h->services, &h->args, &kernels, &h->err), MODEL_OK);
    size_t width = num_heads * head_size, rows = 0, keys = 0;
    for (size_t i = 0; i < n_sequences; i++) {
        size_t end = sequences[i].first_row + sequences[i].n_rows;
        rows = end > rows ? end : rows;
        keys = sequences[i].n_keys > keys ? sequences[i].n_keys : keys;
    }
    float *qkv = random_floats(rows * 3 * width, 2),
          *context = random_floats((rows + 1) * width, 2);
    float guard = context[rows * width];
    size_t bytes = attention_workspace_bytes(kernels, head_size, keys);
    struct attention a = {.query = qkv,
                          .key = qkv + width,
                          .value = qkv + 2 * width,
                          .stride = 3 * width,
                          .context = context,
                          .context_stride = width,
                          .num_heads = num_heads,
                          .head_size = head_size,
                          .scale = 1 / sqrtf((float)head_size),
                          .causal = causal,
                          .sequences = sequences,
                          .n_sequences = n_sequences,
                          .workspace = aligned_alloc(64, (bytes + 63) / 64 * 64)};
    attention_run(kernels, &a);
    double *bounds = calloc(rows * width, sizeof *bounds), *want = reference(&a, rows, bounds);
    for (size_t i = 0; i < rows * width; i++)
        if (!(fabs((double)context[i] - want[i]) <= F32_BOUND + (dtype != NULL ? bounds[i] : 0)))
            fail_msg("heads %zu x %zu: [%zu] is %g, want %g", num_heads, head_size, i,
                     (double)context[i], want[i]);
    assert_true(context[rows * width] == guard);
    free(bounds);
    free(want);
    free(a.workspace);
    free(context);
    free(qkv);
    kernels_destroy(kernels);
    assert_int_equal(harness_destroy(h), 0);
}

static void check(size_t num_heads, size_t head_size, const struct attention_sequence *sequences,
                  size_t n_sequences, uint32_t threads)
{
    check_dtype(NULL, num_heads, head_size, sequences, n_sequences, threads, false);
    check_dtype("int8", num_heads, head_size, sequences, n_sequences, threads, false);
}

static void every_head_size_agrees(void **state)
{
    (void)state;
    static const struct attention_sequence sequences[] = {
        {0, 7, 0, 7}, {7, 1, 7, 1}, {8, 20, 8, 20}};
    for (size_t head = 1; head <= 130; head += head < 20 ? 1 : 11)
        check(head % 3 + 1, head, sequences, 3, (uint32_t)(1 + head % 3));
}

static void every_length_agrees(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 300; n += n < 40 ? 1 : 37) {
        struct attention_sequence sequence = {0, n, 0, n};
        check(2, 16, &sequence, 1, (uint32_t)(1 + n % 2));
    }
}

static void keys_may_be_fewer_than_queries_or_none(void **state)
{
    (void)state;
    static const struct attention_sequence sequences[] = {
        {0, 5, 1, 4}, {5, 3, 5, 0}, {8, 2, 9, 1}, {10, 1, 10, 0}};
    check(3, 9, sequences, 4, 2);
}

static void a_causal_query_sees_the_keys_up_to_its_own(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 150; n += n < 40 ? 1 : 37) {
        const struct attention_sequence sequences[] = {{0, n, 0, n}, {n, 3, n - n / 2, 3 + n / 2}};
        check_dtype(NULL, 2, 16, sequences, 2, (uint32_t)(1 + n % 2), true);
        check_dtype("int8", 2, 16, sequences, 2, (uint32_t)(1 + n % 2), true);
    }
}

static void hidden_positions_take_no_rows(void **state)
{
    (void)state;
    static const int64_t mask[] = {1, 1, 1, 0, /**/ 0, 1, 0, 1, /**/ 0, 0, 0, 0, /**/ 1, 1, 1, 1};
    int64_t source[16];
    struct attention_sequence sequences[4];
    struct packed_rows rows = {.source = source, .sequences = sequences};
    assert_int_equal(packed_rows_largest(mask, 4, 4, 100), 3 + 3 + 1 + 4);
    assert_int_equal(packed_rows_largest(mask, 4, 4, 6), 6);
    assert_int_equal(packed_rows_largest(NULL, 4, 4, 1), 4);
    assert_int_equal(packed_rows_fill(&rows, mask, 4, 4, 0, 6), 2);
    assert_int_equal(rows.n_rows, 6);
    static const int64_t want[] = {0, 1, 2, 4, 5, 7};
    assert_memory_equal(source, want, sizeof want);
    static const struct attention_sequence both[] = {{0, 3, 0, 3}, {3, 3, 4, 2}};
    assert_memory_equal(sequences, both, sizeof both);
    assert_int_equal(packed_rows_fill(&rows, mask, 4, 4, 2, 6), 4);
    assert_int_equal(rows.n_rows, 5);
    float x[] = {1, 2, 3, 4, 5}, y[16];
    for (int i = 0; i < 16; i++)
        y[i] = -1;
    packed_rows_scatter(&rows, x, 1, y);
    static const float spread[] = {-1, -1, -1, -1, -1, -1, -1, -1, 1, 0, 0, 0, 2, 3, 4, 5};
    assert_memory_equal(y, spread, sizeof spread);
}

static void softmax_and_layer_norm_take_many_rows(void **state)
{
    (void)state;
    enum { ROWS = 100, WIDTH = 19 };
    struct harness *h = harness_create(NULL, "{}", 2);
    struct kernels *kernels = NULL;
    assert_int_equal(kernels_create(&h->services, &h->args, &kernels, &h->err), MODEL_OK);
    float *x = random_floats(ROWS * WIDTH, 2), *y = random_floats(ROWS * WIDTH, 2);
    float gamma[WIDTH], beta[WIDTH];
    for (int i = 0; i < WIDTH; i++) {
        gamma[i] = (float)i;
        beta[i] = 1;
    }
    struct layer_norm norm = {gamma, beta, WIDTH, 1e-5f};
    softmax_rows(kernels, x, y, ROWS, WIDTH);
    for (int r = 0; r < ROWS; r++) {
        double sum = 0;
        for (int i = 0; i < WIDTH; i++)
            sum += exp((double)x[r * WIDTH + i]);
        for (int i = 0; i < WIDTH; i++)
            assert_true(fabs((double)y[r * WIDTH + i] - exp((double)x[r * WIDTH + i]) / sum) <
                        1e-6);
    }
    layer_norm_rows(kernels, &norm, x, y, ROWS);
    layer_norm_rows(kernels, &norm, x, x, ROWS);
    assert_memory_equal(x, y, ROWS * WIDTH * sizeof *x);
    for (int r = 0; r < ROWS; r++)
        assert_true(fabsf(y[r * WIDTH] - 1) < 1e-6f); /* gamma 0: beta alone */
    free(x);
    free(y);
    kernels_destroy(kernels);
    assert_int_equal(harness_destroy(h), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_head_size_agrees),
        cmocka_unit_test(every_length_agrees),
        cmocka_unit_test(keys_may_be_fewer_than_queries_or_none),
        cmocka_unit_test(a_causal_query_sees_the_keys_up_to_its_own),
        cmocka_unit_test(hidden_positions_take_no_rows),
        cmocka_unit_test(softmax_and_layer_norm_take_many_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
