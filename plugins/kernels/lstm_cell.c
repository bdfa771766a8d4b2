/* lstm_cell.c - see lstm_cell.h. */
#include "kernels.h"

#include <string.h>

static const struct linear *load_product(struct loader *loader, struct linear_shape shape,
                                         const char *prefix, const char *part, const char *suffix)
{
    char weight[WEIGHT_NAME_BYTES], bias[WEIGHT_NAME_BYTES];
    weight_name(weight, "%sweight_%s%s", prefix, part, suffix);
    weight_name(bias, "%sbias_%s%s", prefix, part, suffix);
    return load_linear_named(loader, shape, weight, bias);
}

struct lstm_cell load_lstm_cell(struct loader *loader, int64_t input_size, int64_t hidden_size,
                                const char *prefix, const char *suffix)
{
    const struct linear_shape input = {.out_features = 4 * hidden_size, .in_features = input_size};
    const struct linear_shape hidden = {
        .out_features = 4 * hidden_size, .in_features = hidden_size, .accumulate = true};
    return (struct lstm_cell){.input = load_product(loader, input, prefix, "ih", suffix),
                              .hidden = load_product(loader, hidden, prefix, "hh", suffix),
                              .hidden_size = (size_t)hidden_size};
}

void lstm_cell_read(struct linear_runner *runner, const struct lstm_cell *cell, const float *x,
                    size_t n_rows, float *gates)
{
    linear_run(runner, cell->input, x, n_rows, n_rows, gates);
}

/* c = f c + i g, h = o tanh(c); gates (4 n) of one row. */
static void finish_row(const struct kernels *kernels, float *gates, size_t n, float *c, float *h)
{
    const float *i = gates, *f = gates + n, *g = gates + 2 * n, *o = gates + 3 * n;
    activation_rows(kernels, ACTIVATION_SIGMOID, gates, 1, 2 * n);
    activation_rows(kernels, ACTIVATION_TANH, gates + 2 * n, 1, n);
    activation_rows(kernels, ACTIVATION_SIGMOID, gates + 3 * n, 1, n);
    for (size_t k = 0; k < n; k++)
        c[k] = f[k] * c[k] + i[k] * g[k];
    memcpy(h, c, n * sizeof *h);
    activation_rows(kernels, ACTIVATION_TANH, h, 1, n);
    for (size_t k = 0; k < n; k++)
        h[k] *= o[k];
}

void lstm_cell_step(const struct kernels *kernels, struct linear_runner *runner,
                    const struct lstm_cell *cell, float *gates, size_t n, float *c, float *h)
{
    const size_t width = cell->hidden_size;
    linear_run(runner, cell->hidden, h, n, n, gates);
    for (size_t row = 0; row < n && linear_runner_status(runner) == MODEL_OK; row++)
        finish_row(kernels, gates + row * 4 * width, width, c + row * width, h + row * width);
}
