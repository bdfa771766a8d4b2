/* test_kernels_causal_attention.c - causal attention over pages against naive loops in double: any head
 * size, page size, past and number of new rows, in f32 and in fewer bits. */
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

#define MAX_SEQUENCES 4

struct shape {
    size_t num_heads, head_size, page_positions, n_sequences;
    size_t n_past[MAX_SEQUENCES], n_rows[MAX_SEQUENCES];
    uint32_t threads;
    const char *dtype; /* NULL: f32 */
};

/* All positions of one sequence: qkv(n, 3, width) -> context of the last n_rows. */
static void check_sequence(const struct shape *shape, const float *qkv, size_t n, size_t n_rows,
                           const float *context)
{
    const size_t width = shape->num_heads * shape->head_size;
    double *scores = malloc(n * sizeof *scores), *sizes = malloc(n * sizeof *sizes);
    for (size_t row = n - n_rows; row < n; row++) {
        for (size_t c = 0; c < width; c++) {
            const size_t head = c / shape->head_size * shape->head_size;
            double sum = 0, want = 0, max = -INFINITY;
            for (size_t k = 0; k <= row; k++) {
                scores[k] = sizes[k] = 0;
                for (size_t d = head; d < head + shape->head_size; d++) {
                    const double product = (double)qkv[row * 3 * width + d] *
                                           (double)qkv[k * 3 * width + width + d] /
                                           sqrt((double)shape->head_size);
                    scores[k] += product;
                    sizes[k] += fabs(product);
                }
                max = fmax(max, scores[k]);
            }
            for (size_t k = 0; k <= row; k++)
                sum += scores[k] = exp(scores[k] - max);
            for (size_t k = 0; k <= row; k++)
                want += (scores[k] /= sum) * (double)qkv[k * 3 * width + 2 * width + c];
            double bound = 4e-6;
            if (shape->dtype != NULL)
                bound += attention_bf16_bound(scores, sizes, qkv + 2 * width + c, 3 * width,
                                              row + 1, want);
            double found = (double)context[(row - (n - n_rows)) * width + c];
            if (!(fabs(found - want) <= bound))
                fail_msg("row %zu, %zu: %g, want %g", row, c, found, want);
        }
    }
    free(scores);
    free(sizes);
}

/* Runs the past in one call of its own, then the new rows of all sequences in one. */
static void check_dtype(const struct shape *shape)
{
    struct harness *h = harness_create(NULL, "{}", shape->threads);
    struct kernels *kernels = NULL;
    h->args.compute_dtype = shape->dtype;
    assert_int_equal(kernels_create(&h->services, &h->args, &kernels, &h->err), MODEL_OK);
    const size_t width = shape->num_heads * shape->head_size, page = shape->page_positions;
    const size_t layer = past_layer_bytes(kernels, shape->num_heads, shape->head_size, page);
    char **pages[MAX_SEQUENCES];
    float *qkv[MAX_SEQUENCES], *rows = random_floats(4000 * width, 2);
    struct causal_sequence sequences[MAX_SEQUENCES];
    size_t n_rows = 0, max_keys = 0;
    for (size_t s = 0; s < shape->n_sequences; s++) {
        const size_t n = shape->n_past[s] + shape->n_rows[s];
        max_keys = n > max_keys ? n : max_keys;
        qkv[s] = random_floats(n * 3 * width, 2);
        pages[s] = calloc(n / page + 1, sizeof(char *));
        for (size_t i = 0; i <= n / page; i++) {
            pages[s][i] = aligned_alloc(64, (2 * layer + 63) / 64 * 64);
            memset(pages[s][i], 0xFF, 2 * layer); /* NaN where nothing was read */
        }
    }
    size_t bytes = causal_attention_workspace_bytes(kernels, shape->head_size, max_keys);
    float *context = random_floats(1000 * width, 2);
    struct causal_attention a = {.query_key_value = rows,
                                 .context = context,
                                 .num_heads = shape->num_heads,
                                 .head_size = shape->head_size,
                                 .scale = 1 / sqrtf((float)shape->head_size),
                                 .page_positions = page,
                                 .page_offset = layer, /* the second layer */
                                 .sequences = sequences,
                                 .workspace = aligned_alloc(64, (bytes + 63) / 64 * 64)};
    for (size_t s = 0; s < shape->n_sequences; s++) {
        sequences[s] = (struct causal_sequence){0, shape->n_past[s], 0, pages[s]};
        a.sequences = &sequences[s];
        a.n_sequences = 1;
        memcpy(rows, qkv[s], shape->n_past[s] * 3 * width * sizeof *rows);
        if (shape->n_past[s] > 0)
            causal_attention_run(kernels, &a);
        if (shape->n_past[s] > 0)
            check_sequence(shape, qkv[s], shape->n_past[s], shape->n_past[s], context);
    }
    for (size_t s = 0; s < shape->n_sequences; s++) {
        sequences[s] =
            (struct causal_sequence){n_rows, shape->n_rows[s], shape->n_past[s], pages[s]};
        memcpy(rows + n_rows * 3 * width, qkv[s] + shape->n_past[s] * 3 * width,
               shape->n_rows[s] * 3 * width * sizeof *rows);
        n_rows += shape->n_rows[s];
    }
    a.sequences = sequences;
    a.n_sequences = shape->n_sequences;
    float guard = context[n_rows * width];
    causal_attention_run(kernels, &a);
    assert_true(context[n_rows * width] == guard);
    for (size_t s = 0; s < shape->n_sequences; s++) {
        const size_t n = shape->n_past[s] + shape->n_rows[s];
        check_sequence(shape, qkv[s], n, shape->n_rows[s],
                       context + sequences[s].first_row * width);
        for (size_t i = 0; i <= n / page; i++)
            free(pages[s][i]);
        free(pages[s]);
        free(qkv[s]);
    }
    free(a.workspace);
    free(context);
    free(rows);
    kernels_destroy(kernels);
    assert_int_equal(harness_destroy(h), 0);
}

static void check(struct shape *shape)
{
    check_dtype(shape);
    shape->dtype = "int8";
    check_dtype(shape);
}

static void every_head_size_agrees(void **state)
{
    (void)state;
    for (size_t head = 1; head <= 130; head += head < 20 ? 1 : 11)
        check(&(struct shape){
            head % 3 + 1, head, 64, 3, {5, 0, 70}, {7, 1, 2}, (uint32_t)(1 + head % 3), NULL});
}

static void every_number_of_new_rows_agrees(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 150; n += n < 20 ? 1 : 13)
        check(&(struct shape){2, 16, 64, 1, {0}, {n}, (uint32_t)(1 + n % 2), NULL});
}

static void every_past_and_page_size_agrees(void **state)
{
    (void)state;
    for (size_t page = 16; page <= 64; page += 16)
        for (size_t past = 0; past <= 135; past += past < 20 ? 3 : 19)
            check(&(struct shape){2,
                                  8,
                                  page,
                                  4,
                                  {past, 0, 64, past / 2},
                                  {1, 1, 1, 9},
                                  (uint32_t)(1 + past % 2),
                                  NULL});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_head_size_agrees),
        cmocka_unit_test(every_number_of_new_rows_agrees),
        cmocka_unit_test(every_past_and_page_size_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
