/* operator_matmul.c - products of two computed matrices, one for each place of the dimensions before the last
 * two, which are broadcast as numpy does. */
#include "operators.h"

#include <string.h>

#define ROWS 16 /* of the result, that one thread makes at a time */

/* Dimension i of the batch, counted as if there were `rank` in all. */
static int64_t batch_size(const struct graph_shape *shape, uint32_t rank, uint32_t i)
{
    return i < rank - shape->rank ? 1 : shape->size[i - (rank - shape->rank)];
}

static void infer(struct operator_shapes *shapes)
{
    const struct graph_shape *x = input_shape(shapes->graph, shapes->node, 0);
    const struct graph_shape *y = input_shape(shapes->graph, shapes->node, 1);
    const uint32_t rank = x->rank > y->rank ? x->rank : y->rank;
    char first[GRAPH_SHAPE_BYTES], second[GRAPH_SHAPE_BYTES];
    bool fits = x->rank >= 2 && y->rank >= 2 && x->size[x->rank - 1] == y->size[y->rank - 2];
    shapes->ret->rank = rank;
    for (uint32_t i = 0; fits && i + 2 < rank; i++) {
        const int64_t a = batch_size(x, rank, i), b = batch_size(y, rank, i);
        fits = a == b || a == 1 || b == 1;
        shapes->ret->size[i] = a > b ? a : b;
    }
    if (!fits) {
        graph_fail(shapes->builder, MODEL_CORRUPT, "a product of values of shapes %s and %s",
                   graph_shape_text(x, first), graph_shape_text(y, second));
        return;
    }
    shapes->ret->size[rank - 2] = x->size[x->rank - 2];
    shapes->ret->size[rank - 1] = y->size[y->rank - 1];
}

struct product {
    const struct operator_call *call;
    const struct graph_shape *shape; /* of the result */
    size_t m, k, n, n_blocks;        /* blocks of rows in each matrix */
};

/* Which matrix of the input belongs to that of the result. */
static size_t matrix_of(const struct product *p, uint32_t input, size_t matrix)
{
    const struct graph_shape *x = input_shape(p->call->graph, p->call->node, input);
    size_t at = 0, step = 1;
    for (uint32_t i = p->shape->rank - 2; i-- > 0;) {
        const size_t place = matrix % (size_t)p->shape->size[i];
        const size_t size = (size_t)batch_size(x, p->shape->rank, i);
        matrix /= (size_t)p->shape->size[i];
        at += size == 1 ? 0 : place * step;
        step *= size;
    }
    return at;
}

static void multiply_rows(const struct product *p, const float *restrict x, const float *restrict y,
                          float *restrict ret, size_t n_rows)
{
    memset(ret, 0, n_rows * p->n * sizeof *ret);
    for (size_t k = 0; k < p->k; k++)
        for (size_t i = 0; i < n_rows; i++) {
            const float factor = x[i * p->k + k];
            for (size_t j = 0; j < p->n; j++)
                ret[i * p->n + j] += factor * y[k * p->n + j];
        }
}

static void multiply_block(void *argument, size_t index)
{
    const struct product *p = argument;
    const size_t matrix = index / p->n_blocks, first = index % p->n_blocks * ROWS;
    const float *x = input_data(p->call, 0) + matrix_of(p, 0, matrix) * p->m * p->k;
    const float *y = input_data(p->call, 1) + matrix_of(p, 1, matrix) * p->k * p->n;
    multiply_rows(p, x + first * p->k, y, p->call->y + (matrix * p->m + first) * p->n,
                  p->m - first < ROWS ? p->m - first : ROWS);
}

static void run(const struct operator_call *call)
{
    const struct graph_shape *x = input_shape(call->graph, call->node, 0);
    const struct graph_shape *shape = &call->graph->values[call->node->output].shape;
    struct product product = {.call = call,
                              .shape = shape,
                              .m = (size_t)shape->size[shape->rank - 2],
                              .k = (size_t)x->size[x->rank - 1],
                              .n = (size_t)shape->size[shape->rank - 1]};
    product.n_blocks = (product.m + ROWS - 1) / ROWS;
    const size_t numbers = graph_shape_size(shape);
    operator_parallel(call, numbers / (product.m * product.n) * product.n_blocks,
                      numbers > SIZE_MAX / product.k ? SIZE_MAX : numbers * product.k,
                      multiply_block, &product);
    if (call->runner != NULL)
        linear_runner_count(call->runner, numbers * product.k);
}

const struct operator_type operator_matmul = {
    .name = "a product", .min_inputs = 2, .max_inputs = 2, .infer = infer, .run = run};
