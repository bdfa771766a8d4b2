/* row_ops.c - see row_ops.h. Spreads blocks of rows over the threads of the run; what happens in a
 * row is in vector_kernels_body.h. */
#include "kernels_internal.h"

#include <string.h>

#define ROWS_PER_ITEM  32  /* below that a second thread does not pay */
#define EMBEDDING_PART 256 /* elements converted at a time */
#define ROUNDING_PART  512 /* numbers that are a row where rows do not matter */

static const struct {
    const char *name;
    enum activation activation;
} activation_names[] = {
    {"gelu", ACTIVATION_GELU},
    {"gelu_python", ACTIVATION_GELU},
    {"gelu_10", ACTIVATION_GELU_10},
    {"gelu_new", ACTIVATION_GELU_TANH},
    {"gelu_fast", ACTIVATION_GELU_TANH},
    {"gelu_pytorch_tanh", ACTIVATION_GELU_TANH},
    {"gelu_accurate", ACTIVATION_GELU_TANH},
    {"quick_gelu", ACTIVATION_QUICK_GELU},
    {"relu", ACTIVATION_RELU},
    {"relu2", ACTIVATION_RELU2},
    {"relu6", ACTIVATION_RELU6},
    {"leaky_relu", ACTIVATION_LEAKY_RELU},
    {"sigmoid", ACTIVATION_SIGMOID},
    {"silu", ACTIVATION_SILU},
    {"swish", ACTIVATION_SILU},
    {"mish", ACTIVATION_MISH},
    {"tanh", ACTIVATION_TANH},
    {"laplace", ACTIVATION_LAPLACE},
    {"linear", ACTIVATION_NONE},
};

model_status activation_by_name(const char *name, enum activation *ret, struct model_error *err)
{
    for (size_t i = 0; i < sizeof activation_names / sizeof activation_names[0]; i++) {
        if (strcmp(activation_names[i].name, name) == 0) {
            *ret = activation_names[i].activation;
            return MODEL_OK;
        }
    }
    return kernels_fail(err, MODEL_UNSUPPORTED,
                        "the activation '%.80s' is not computed, want gelu, gelu_new, gelu_fast, "
                        "gelu_pytorch_tanh, gelu_10, quick_gelu, relu, relu2, relu6, leaky_relu, "
                        "sigmoid, silu, mish, tanh, laplace or linear",
                        name);
}

/* One operation on all rows of a matrix. */
struct row_job {
    const struct vector_kernels *vector;
    const struct layer_norm *norm;
    enum activation activation;
    const float *x; /* (n_rows, width) */
    float *y;       /* (n_rows, width) */
    size_t n_rows, width;
};

static void run_rows(const struct kernels *kernels, struct row_job *job,
                     void (*body)(void *argument, size_t index))
{
    job->vector = kernels->vector;
    kernels_parallel(kernels, (job->n_rows + ROWS_PER_ITEM - 1) / ROWS_PER_ITEM, body, job);
}

/* The rows of item `index`: [*ret_first, end), the end is returned. */
static size_t item_rows(const struct row_job *job, size_t index, size_t *ret_first)
{
    *ret_first = index * ROWS_PER_ITEM;
    size_t end = *ret_first + ROWS_PER_ITEM;
    return end < job->n_rows ? end : job->n_rows;
}

static void layer_norm_item(void *argument, size_t index)
{
    const struct row_job *job = argument;
    size_t row, end = item_rows(job, index, &row);
    for (; row < end; row++)
        job->vector->layer_norm(job->x + row * job->width, job->norm->gamma, job->norm->beta,
                                job->norm->eps, job->width, job->y + row * job->width);
}

void layer_norm_rows(const struct kernels *kernels, const struct layer_norm *norm, const float *x,
                     float *y, size_t n_rows)
{
    struct row_job job = {.norm = norm, .x = x, .y = y, .n_rows = n_rows, .width = norm->width};
    run_rows(kernels, &job, layer_norm_item);
}

static void softmax_item(void *argument, size_t index)
{
    const struct row_job *job = argument;
    size_t row, end = item_rows(job, index, &row);
    for (; row < end; row++) {
        const float *x = job->x + row * job->width;
        float *y = job->y + row * job->width;
        float sum = job->vector->exp_row(x, job->width, 1.0f, y);
        for (size_t i = 0; i < job->width; i++)
            y[i] /= sum;
    }
}

void softmax_rows(const struct kernels *kernels, const float *x, float *y, size_t n_rows,
                  size_t width)
{
    struct row_job job = {.x = x, .y = y, .n_rows = n_rows, .width = width};
    run_rows(kernels, &job, softmax_item);
}

static void activation_item(void *argument, size_t index)
{
    const struct row_job *job = argument;
    size_t row, end = item_rows(job, index, &row);
    job->vector->activate(job->activation, job->y + row * job->width, (end - row) * job->width);
}

void activation_rows(const struct kernels *kernels, enum activation activation, float *x,
                     size_t n_rows, size_t width)
{
    struct row_job job = {.activation = activation, .y = x, .n_rows = n_rows, .width = width};
    if (activation != ACTIVATION_NONE)
        run_rows(kernels, &job, activation_item);
}

static void rounding_item(void *argument, size_t index)
{
    const struct row_job *job = argument;
    const size_t first = index * ROWS_PER_ITEM * ROUNDING_PART, left = job->width - first;
    const size_t n = left < ROWS_PER_ITEM * ROUNDING_PART ? left : ROWS_PER_ITEM * ROUNDING_PART;
    job->vector->round_f16(job->x + first, n, job->y + first);
}

void round_rows_f16(const struct kernels *kernels, const float *x, float *y, size_t n)
{
    struct row_job job = {
        .x = x, .y = y, .n_rows = filled_up(n, ROUNDING_PART) / ROUNDING_PART, .width = n};
    run_rows(kernels, &job, rounding_item);
}

model_status embedding_find(const struct kernels *kernels, const char *name, int64_t n_ids,
                            int64_t width, struct embedding *ret, struct model_error *err)
{
    struct model_tensor table;
    model_status status =
        weight_find(kernels, name, 2, (const int64_t[]){n_ids, width}, &table, err);
    if (status == MODEL_OK)
        *ret = (struct embedding){.table = table, .n_ids = (size_t)n_ids, .width = (size_t)width};
    return status;
}

void embedding_read(const struct embedding *embedding, size_t id, float *y)
{
    weight_read_f32(&embedding->table, id * embedding->width, embedding->width, y);
}

void embedding_add(const struct embedding *embedding, size_t id, float *y)
{
    float part[EMBEDDING_PART];
    for (size_t first = 0; first < embedding->width; first += EMBEDDING_PART) {
        size_t n = embedding->width - first;
        n = n < EMBEDDING_PART ? n : EMBEDDING_PART;
        weight_read_f32(&embedding->table, id * embedding->width + first, n, part);
        for (size_t i = 0; i < n; i++)
            y[first + i] += part[i];
    }
}
