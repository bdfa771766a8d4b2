/* test_kernels_recurrent.c - recurrent layers of many shapes against naive loops in double, by one thread
 * and by several. Covers plugins/kernels/recurrent.c, recurrent_steps.c and recurrent_panels.c. */
#include "plugin_harness.h"

#include "kernel_random.h"
#include "kernels.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct shape {
    enum recurrent_kind kind;
    size_t input, hidden, proj, layers;
    bool bidirectional, holes; /* holes: some positions are hidden */
    size_t items, steps;
    uint32_t threads;
};

/* NULL: the harness's own. */
static void (*parallel_for)(void *, size_t, void (*)(void *, size_t), void *);

/* parallel_for() promises no two threads at a time: one after the other must do. */
static void serial_for(void *context, size_t n_items, void (*body)(void *, size_t), void *argument)
{
    (void)context;
    for (size_t i = n_items; i-- > 0;)
        body(argument, i);
}

static void add(struct harness *h, const char *kind, size_t layer, size_t direction, size_t rows,
                size_t columns)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s_l%zu%s", kind, layer, direction > 0 ? "_reverse" : "");
    float *data = random_floats(rows * (columns > 0 ? columns : 1),
                                columns > 0 ? 2.0f / sqrtf((float)columns) : 0.5f);
    harness_add(h, name, MODEL_F32, columns > 0 ? 2 : 1,
                (int64_t[]){(int64_t)rows, (int64_t)columns}, data);
    free(data);
}

static const float *weight(const struct harness *h, const char *kind, size_t layer,
                           size_t direction)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s_l%zu%s", kind, layer, direction > 0 ? "_reverse" : "");
    return harness_tensor(h, name)->data;
}

static size_t h_width(const struct shape *s)
{
    return s->proj > 0 ? s->proj : s->hidden;
}

static void add_weights(struct harness *h, const struct shape *s)
{
    const size_t gates = (s->kind == RECURRENT_LSTM ? 4 : 3) * s->hidden,
                 n = s->bidirectional ? 2 : 1;
    for (size_t layer = 0; layer < s->layers; layer++) {
        for (size_t direction = 0; direction < n; direction++) {
            add(h, "weight_ih", layer, direction, gates, layer == 0 ? s->input : n * h_width(s));
            add(h, "weight_hh", layer, direction, gates, h_width(s));
            add(h, "bias_ih", layer, direction, gates, 0);
            add(h, "bias_hh", layer, direction, gates, 0);
            if (s->proj > 0)
                add(h, "weight_hr", layer, direction, s->proj, s->hidden);
        }
    }
}

/* ---- the reference */

static double row_times(const float *w, size_t row, const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)w[row * n + i] * x[i];
    return sum;
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

struct cell {
    const float *w_ih, *w_hh, *b_ih, *b_hh, *w_hr;
    size_t in;
};

/* One step of one item: h(h_width) and c(hidden) become those after it. */
static void step(const struct shape *s, const struct cell *cell, const double *x, double *h,
                 double *c)
{
    double *fresh = malloc(s->hidden * sizeof *fresh);
    for (size_t u = 0; u < s->hidden; u++) {
        double a[4], b[4];
        for (size_t g = 0; g < (s->kind == RECURRENT_LSTM ? 4u : 3u); g++) {
            size_t row = g * s->hidden + u;
            a[g] = row_times(cell->w_ih, row, x, cell->in) + (double)cell->b_ih[row];
            b[g] = row_times(cell->w_hh, row, h, h_width(s)) + (double)cell->b_hh[row];
        }
        if (s->kind == RECURRENT_LSTM) {
            c[u] = sigmoid(a[1] + b[1]) * c[u] + sigmoid(a[0] + b[0]) * tanh(a[2] + b[2]);
            fresh[u] = sigmoid(a[3] + b[3]) * tanh(c[u]);
        } else {
            double r = sigmoid(a[0] + b[0]), z = sigmoid(a[1] + b[1]);
            fresh[u] = (1 - z) * tanh(a[2] + r * b[2]) + z * h[u];
        }
    }
    for (size_t u = 0; u < h_width(s); u++)
        h[u] = s->proj > 0 ? row_times(cell->w_hr, u, fresh, s->hidden) : fresh[u];
    free(fresh);
}

/* x(steps, items, in) -> y(steps, items, directions * h_width); h and c as torch has them. */
static double *reference(const struct harness *harness, const struct shape *s, const float *input,
                         const uint8_t *visible, double *h, double *c)
{
    const size_t n = s->bidirectional ? 2 : 1, rows = s->steps * s->items;
    size_t in = s->input;
    double *x = malloc(rows * in * sizeof *x);
    for (size_t i = 0; i < rows * in; i++)
        x[i] = (double)input[i];
    for (size_t layer = 0; layer < s->layers; layer++) {
        double *y = calloc(rows * n * h_width(s), sizeof *y);
        for (size_t d = 0; d < n; d++) {
            const struct cell cell = {weight(harness, "weight_ih", layer, d),
                                      weight(harness, "weight_hh", layer, d),
                                      weight(harness, "bias_ih", layer, d),
                                      weight(harness, "bias_hh", layer, d),
                                      s->proj > 0 ? weight(harness, "weight_hr", layer, d) : NULL,
                                      in};
            for (size_t i = 0; i < rows; i++) {
                size_t at = d > 0 ? rows - 1 - i : i, item = at % s->items;
                double *own = h + ((layer * n + d) * s->items + item) * h_width(s);
                if (visible[at] == 0)
                    continue;
                step(s, &cell, x + at * in, own,
                     c + ((layer * n + d) * s->items + item) * s->hidden);
                memcpy(y + (at * n + d) * h_width(s), own, h_width(s) * sizeof *y);
            }
        }
        free(x);
        x = y;
        in = n * h_width(s);
    }
    return x;
}

/* ---- the comparison */

static void assert_near(const struct shape *s, const char *what, const float *found,
                        const double *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)found[i] - want[i]) <= 1e-5))
            fail_msg("%s %zu of %zu x %zu, proj %zu, %zu items, %zu steps, %u threads: %g, want %g",
                     what, i, s->input, s->hidden, s->proj, s->items, s->steps, s->threads,
                     (double)found[i], want[i]);
}

static double *doubles(const float *x, size_t n)
{
    double *y = malloc((n > 0 ? n : 1) * sizeof *y);
    for (size_t i = 0; i < n; i++)
        y[i] = (double)x[i];
    return y;
}

/* All segments, with the states going through. */
static void run_segments(const struct shape *s, const struct recurrent *recurrent,
                         struct recurrent_run *run, const float *input, const uint8_t *visible,
                         const double *want)
{
    const size_t width = recurrent_output_width(recurrent);
    for (size_t first = 0; first < s->steps; first += run->n_steps) {
        const size_t left = s->steps - first, row = first * s->items;
        run->n_steps = left < run->max_steps ? left : run->max_steps;
        run->all_visible = !s->holes;
        memcpy(run->input, input + row * s->input,
               run->n_steps * s->items * s->input * sizeof *input);
        memcpy(run->visible, visible + row, run->n_steps * s->items);
        const float *y = recurrent_forward(recurrent, run);
        assert_int_equal(linear_runner_status(run->runner), MODEL_OK);
        assert_near(s, "output", y, want + row * width, run->n_steps * s->items * width);
    }
}

static void check(const struct shape *s)
{
    struct harness *h = harness_create(NULL, "{}", s->threads);
    struct kernels *kernels = NULL;
    add_weights(h, s);
    if (parallel_for != NULL)
        h->services.parallel_for = parallel_for;
    assert_int_equal(kernels_create(&h->services, &h->args, &kernels, &h->err), MODEL_OK);
    struct loader loader = {kernels, &h->err, MODEL_OK};
    const struct recurrent_config config = {.kind = s->kind,
                                            .prefix = "",
                                            .input_size = (int64_t)s->input,
                                            .hidden_size = (int64_t)s->hidden,
                                            .num_layers = (int64_t)s->layers,
                                            .proj_size = (int64_t)s->proj,
                                            .bias = true,
                                            .bidirectional = s->bidirectional};
    const struct recurrent *recurrent = load_recurrent(&loader, &config);
    if (recurrent == NULL)
        fail_msg("%s", h->err.message);
    struct recurrent_run run = {.runner = NULL};
    struct scratch scratch = {NULL, 0};
    assert_int_equal(linear_runner_create(kernels, &run.runner, &h->err), MODEL_OK);
    linear_runner_begin(run.runner, NULL, &h->err);
    recurrent_layout(recurrent, s->items, s->steps, &scratch, &run);
    scratch = (struct scratch){h->services.scratch(h, scratch.used), 0};
    recurrent_layout(recurrent, s->items, s->steps, &scratch, &run);

    const size_t rows = s->steps * s->items, n_states = recurrent_n_states(recurrent) * s->items;
    const size_t n_h = n_states * h_width(s), n_c = n_states * recurrent_c_width(recurrent);
    float *input = random_floats(rows * s->input, 1), *h0 = random_floats(n_h, 1);
    float *c0 = random_floats(n_states * s->hidden, 1);
    uint8_t *visible = malloc(rows);
    for (size_t i = 0; i < rows; i++)
        visible[i] = !s->holes || random_float() > -0.3f;
    double *want_h = doubles(h0, n_h), *want_c = doubles(c0, n_states * s->hidden);
    double *want = reference(h, s, input, visible, want_h, want_c);
    memcpy(run.h, h0, n_h * sizeof *h0);
    memcpy(run.c, c0, n_c * sizeof *c0);
    run_segments(s, recurrent, &run, input, visible, want);
    assert_near(s, "h", run.h, want_h, n_h);
    assert_near(s, "c", run.c, want_c, n_c);
    free(want);
    free(want_c);
    free(want_h);
    free(visible);
    free(c0);
    free(h0);
    free(input);
    linear_runner_destroy(run.runner);
    kernels_destroy(kernels);
    assert_int_equal(harness_destroy(h), 0);
}

static void small_layers_agree(void **state)
{
    (void)state;
    static const struct shape shapes[] = {
        {RECURRENT_LSTM, 1, 1, 0, 1, false, false, 1, 1, 1},
        {RECURRENT_LSTM, 3, 15, 0, 1, false, false, 2, 5, 1},
        {RECURRENT_LSTM, 3, 16, 0, 2, false, true, 3, 5, 1},
        {RECURRENT_LSTM, 5, 17, 0, 2, true, true, 6, 4, 1},
        {RECURRENT_LSTM, 5, 33, 7, 2, false, true, 7, 6, 1},
        {RECURRENT_LSTM, 4, 40, 33, 2, true, true, 13, 3, 1},
        {RECURRENT_LSTM, 4, 70, 65, 1, false, false, 1, 4, 1},
        {RECURRENT_GRU, 1, 1, 0, 1, false, false, 1, 1, 1},
        {RECURRENT_GRU, 3, 15, 0, 3, false, true, 2, 5, 1},
        {RECURRENT_GRU, 5, 33, 0, 2, true, true, 7, 6, 1},
        {RECURRENT_GRU, 5, 48, 0, 1, false, false, 1, 9, 1},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        check(&shapes[i]);
}

static void layers_shared_by_threads_agree(void **state)
{
    (void)state;
    static const struct shape shapes[] = {
        {RECURRENT_LSTM, 8, 190, 0, 2, false, false, 1, 20, 2},
        {RECURRENT_LSTM, 8, 190, 0, 1, true, true, 3, 20, 3},
        {RECURRENT_LSTM, 8, 260, 130, 2, false, true, 2, 15, 2},
        {RECURRENT_LSTM, 8, 200, 199, 1, true, false, 9, 10, 4},
        {RECURRENT_GRU, 8, 220, 0, 2, true, true, 2, 20, 2},
        {RECURRENT_GRU, 8, 220, 0, 1, false, false, 1, 30, 4},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        check(&shapes[i]);
}

/* More than 256 rows of the input's product, in both directions. */
static void long_sequences_go_through_in_segments(void **state)
{
    (void)state;
    static const struct shape shapes[] = {
        {RECURRENT_LSTM, 2, 3, 0, 2, false, true, 1, 700, 1},
        {RECURRENT_LSTM, 2, 3, 0, 2, true, true, 1, 700, 1},
        {RECURRENT_LSTM, 2, 5, 2, 1, true, false, 3, 257, 1},
        {RECURRENT_GRU, 2, 3, 0, 2, true, true, 5, 301, 1},
        {RECURRENT_GRU, 2, 3, 0, 2, false, false, 32, 19, 2},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        check(&shapes[i]);
}

static void threads_that_run_one_after_the_other_agree(void **state)
{
    (void)state;
    parallel_for = serial_for;
    check(&(const struct shape){RECURRENT_LSTM, 8, 260, 130, 2, false, true, 2, 15, 3});
    check(&(const struct shape){RECURRENT_GRU, 8, 220, 0, 1, true, false, 1, 30, 2});
    parallel_for = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_layers_agree),
        cmocka_unit_test(layers_shared_by_threads_agree),
        cmocka_unit_test(long_sequences_go_through_in_segments),
        cmocka_unit_test(threads_that_run_one_after_the_other_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
