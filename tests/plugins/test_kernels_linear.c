/* test_kernels_linear.c - linears of many shapes and row counts against naive loops in double. */
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

static void add_weight(struct harness *h, const char *name, int64_t out, int64_t in)
{
    char full[64];
    float *data = random_floats((size_t)(out * in), 1);
    (void)snprintf(full, sizeof full, "%s.weight", name);
    harness_add(h, full, MODEL_F32, 2, (int64_t[]){out, in}, data);
    (void)snprintf(full, sizeof full, "%s.bias", name);
    harness_add(h, full, MODEL_F32, 1, &out, data);
    free(data);
}

struct fixture {
    struct harness *h;
    struct kernels *kernels;
    struct loader loader;
    struct linear_runner *runner;
};

static struct fixture begin(uint32_t threads)
{
    struct fixture f = {.h = harness_create(NULL, "{}", threads)};
    assert_int_equal(kernels_create(&f.h->services, &f.h->args, &f.kernels, &f.h->err), MODEL_OK);
    f.loader = (struct loader){f.kernels, &f.h->err, MODEL_OK};
    return f;
}

static void make_runner(struct fixture *f)
{
    if (f->loader.status != MODEL_OK)
        fail_msg("%s", f->h->err.message);
    assert_int_equal(linear_runner_create(f->kernels, &f->runner, &f->h->err), MODEL_OK);
    linear_runner_begin(f->runner, NULL, &f->h->err);
}

static void end(struct fixture *f)
{
    linear_runner_destroy(f->runner);
    kernels_destroy(f->kernels);
    assert_int_equal(harness_destroy(f->h), 0);
}

/* One run with `capacity` rows of room, compared where n_rows are; the row behind must stay. */
static void check_run(struct fixture *f, const struct linear *linear, const float *w,
                      const float *bias, size_t n_rows, size_t capacity, bool accumulate)
{
    size_t in = (size_t)linear_in_features(linear), out = (size_t)linear_out_features(linear);
    float *x = random_floats(capacity * in, 1), *y = random_floats((capacity + 1) * out, 1);
    float *before = malloc((capacity + 1) * out * sizeof *y);
    memcpy(before, y, (capacity + 1) * out * sizeof *y);
    linear_run(f->runner, linear, x, n_rows, capacity, y);
    assert_int_equal(linear_runner_status(f->runner), MODEL_OK);
    for (size_t r = 0; r<n_rows; r += n_rows> 64 ? 7 : 1) {
        for (size_t o = 0; o<out; o += out> 64 ? 5 : 1) {
            double want = accumulate ? (double)before[r * out + o] : 0;
            want += bias == NULL ? 0 : (double)bias[o];
            for (size_t i = 0; i < in; i++)
                want += (double)x[r * in + i] * (double)w[o * in + i];
            if (!(fabs((double)y[r * out + o] - want) <= 2e-6 * sqrt((double)in) + 2e-6))
                fail_msg("[%zu, %zu] of %zu x %zu x %zu: %g, want %g", r, o, n_rows, in, out,
                         (double)y[r * out + o], want);
        }
    }
    assert_memory_equal(y + capacity * out, before + capacity * out, out * sizeof *y);
    free(before);
    free(x);
    free(y);
}

static void products_agree_for_odd_shapes(void **state)
{
    (void)state;
    static const int64_t shapes[][2] = {{1, 1},    {2, 5},     {17, 3},   {64, 64},  {65, 63},
                                        {70, 257}, {129, 300}, {3, 1000}, {200, 513}};
    static const size_t rows[] = {0, 1, 2, 5, 6, 7, 16, 17, 25, 32, 33, 61, 100};
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        struct fixture f = begin(1 + s % 2);
        add_weight(f.h, "a", shapes[s][0], shapes[s][1]);
        const struct linear *plain = load_linear(
            &f.loader, (struct linear_shape){shapes[s][0], shapes[s][1], .accumulate = false}, "a");
        const struct linear *sum = load_linear(
            &f.loader, (struct linear_shape){shapes[s][0], shapes[s][1], .accumulate = true}, "a");
        const struct linear *view = load_linear(
            &f.loader, (struct linear_shape){shapes[s][0], shapes[s][1], .keep_view = true}, "a");
        make_runner(&f);
        const float *w = harness_tensor(f.h, "a.weight")->data;
        const float *bias = harness_tensor(f.h, "a.bias")->data;
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            check_run(&f, plain, w, bias, rows[i], rows[i], false);
            check_run(&f, plain, w, bias, rows[i], linear_row_capacity(rows[i]), false);
            check_run(&f, sum, w, bias, rows[i], rows[i], true);
            check_run(&f, sum, w, bias, rows[i], linear_row_capacity(rows[i]) + 1, true);
            check_run(&f, view, w, bias, rows[i], rows[i], false);
        }
        end(&f);
    }
}

static void transposed_weights_give_the_same_products(void **state)
{
    (void)state;
    static const int64_t shapes[][2] = {{1, 1}, {5, 3}, {64, 64}, {130, 17}, {192, 64}, {53, 300}};
    static const int32_t dtypes[] = {MODEL_F32, MODEL_F64};
    for (size_t s = 0; s < 2 * sizeof shapes / sizeof shapes[0]; s++) {
        const int64_t out = shapes[s / 2][0], in = shapes[s / 2][1];
        const size_t n = (size_t)(out * in);
        struct fixture f = begin((uint32_t)(1 + s % 2));
        float *w = random_floats(n, 1), *turned = malloc(n * sizeof *turned);
        double *wide = malloc(n * sizeof *wide);
        for (size_t i = 0; i < n; i++)
            turned[i % (size_t)in * (size_t)out + i / (size_t)in] = w[i];
        for (size_t i = 0; i < n; i++)
            wide[i] = (double)turned[i];
        harness_add(f.h, "a.weight", dtypes[s % 2], 2, (int64_t[]){in, out},
                    s % 2 == 0 ? (void *)turned : (void *)wide);
        const struct linear *linear = load_linear_named(
            &f.loader, (struct linear_shape){out, in, .transposed = true}, "a.weight", NULL);
        make_runner(&f);
        for (size_t rows = 1; rows < 20; rows += 3)
            check_run(&f, linear, w, NULL, rows, rows, false);
        free(wide);
        free(turned);
        free(w);
        end(&f);
    }
}

static void views_may_be_halves(void **state)
{
    (void)state;
    enum { OUT = 70, IN = 333 };
    static uint16_t halves[OUT * IN];
    static float w[OUT * IN];
    struct fixture f = begin(2);
    for (size_t i = 0; i < OUT * IN; i++) {
        uint32_t bits = (uint32_t)(0x3F00 + i % 256 + (i % 3 == 0 ? 0x8000 : 0)) << 16;
        halves[i] = (uint16_t)(bits >> 16);
        memcpy(&w[i], &bits, sizeof bits);
    }
    harness_add(f.h, "a.weight", MODEL_BF16, 2, (int64_t[]){OUT, IN}, halves);
    const struct linear *linear = load_linear_named(
        &f.loader, (struct linear_shape){OUT, IN, .keep_view = true}, "a.weight", NULL);
    make_runner(&f);
    assert_int_equal(f.h->n_blobs, 0);
    static const size_t rows[] = {1, 2, 6, 7, 12, 13, 64};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        check_run(&f, linear, w, NULL, rows[i], linear_row_capacity(rows[i]), false);
    end(&f);
}

static void more_rows_than_one_piece_agree(void **state)
{
    (void)state;
    static const size_t rows[] = {512, 513, 1030, 1700};
    struct fixture f = begin(2);
    add_weight(f.h, "a", 33, 20);
    const struct linear *sum =
        load_linear(&f.loader, (struct linear_shape){33, 20, .accumulate = true}, "a");
    make_runner(&f);
    for (size_t i = 0; i < 4; i++) {
        const float *w = harness_tensor(f.h, "a.weight")->data;
        const float *bias = harness_tensor(f.h, "a.bias")->data;
        check_run(&f, sum, w, bias, rows[i], rows[i], true);
        check_run(&f, sum, w, bias, rows[i], linear_row_capacity(rows[i]), true);
    }
    end(&f);
}

static void capacity_is_at_most_a_sixteenth_more(void **state)
{
    (void)state;
    assert_int_equal(linear_row_capacity(0), 0);
    for (size_t n = 1; n < 3000; n++) {
        size_t capacity = linear_row_capacity(n);
        assert_true(capacity >= n && capacity <= n + n / 16);
    }
}

static void stacked_weights_come_one_below_the_other(void **state)
{
    (void)state;
    static const char *const parts[] = {"query", "key", "value", NULL};
    struct fixture f = begin(1);
    float w[3 * 10 * 7], bias[3 * 10];
    for (size_t i = 0; i < 3; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "x.%s", parts[i]);
        add_weight(f.h, name, 10, 7);
        memcpy(w + i * 70, f.h->tensors[2 * i].data, 70 * sizeof *w);
        memcpy(bias + i * 10, f.h->tensors[2 * i + 1].data, 10 * sizeof *w);
    }
    const struct linear *linear = load_stacked(
        &f.loader, (struct linear_shape){30, 7, .accumulate = false}, parts, "%s", "x");
    make_runner(&f);
    check_run(&f, linear, w, bias, 5, 5, false);
    assert_int_equal(f.h->n_discarded, 3);
    end(&f);
}

static void without_a_bias_nothing_is_added(void **state)
{
    (void)state;
    struct fixture f = begin(1);
    add_weight(f.h, "a", 9, 8);
    const struct linear *linear = load_linear_named(
        &f.loader, (struct linear_shape){0, 8, .accumulate = false}, "a.weight", NULL);
    make_runner(&f);
    assert_int_equal(linear_out_features(linear), 9);
    check_run(&f, linear, harness_tensor(f.h, "a.weight")->data, NULL, 4, 4, false);
    end(&f);
}

static void a_raised_token_keeps_linears_from_running(void **state)
{
    (void)state;
    uint32_t cancelled = MODEL_DEADLINE;
    struct model_cancel cancel = {sizeof cancel, &cancelled, INT64_MAX};
    struct fixture f = begin(1);
    float x[8] = {0}, y[9] = {7};
    add_weight(f.h, "a", 9, 8);
    const struct linear *linear =
        load_linear(&f.loader, (struct linear_shape){9, 8, .accumulate = false}, "a");
    make_runner(&f);
    linear_runner_begin(f.runner, &cancel, &f.h->err);
    linear_run(f.runner, linear, x, 1, 1, y);
    assert_int_equal(linear_runner_status(f.runner), MODEL_DEADLINE);
    assert_true(y[0] == 7);
    linear_runner_begin(f.runner, NULL, &f.h->err);
    linear_run(f.runner, linear, x, 1, 1, y);
    assert_int_equal(linear_runner_status(f.runner), MODEL_OK);
    assert_true(y[0] != 7);
    end(&f);
}

static void a_model_may_have_linears_of_a_hundred_shapes(void **state)
{
    (void)state;
    enum { N_SHAPES = 100, IN = 8 };
    const struct linear *linears[N_SHAPES];
    char name[16];
    struct fixture f = begin(1);
    for (int64_t i = 0; i < N_SHAPES; i++) {
        (void)snprintf(name, sizeof name, "of%d", (int)i);
        add_weight(f.h, name, i + 1, IN);
        linears[i] = load_linear(&f.loader, (struct linear_shape){i + 1, IN, .accumulate = false},
                                 "%s", name);
    }
    make_runner(&f);
    for (int i = 0; i < N_SHAPES; i++) {
        (void)snprintf(name, sizeof name, "of%d.weight", i);
        const float *w = harness_tensor(f.h, name)->data;
        (void)snprintf(name, sizeof name, "of%d.bias", i);
        check_run(&f, linears[i], w, harness_tensor(f.h, name)->data, 3, 3, false);
    }
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_agree_for_odd_shapes),
        cmocka_unit_test(transposed_weights_give_the_same_products),
        cmocka_unit_test(views_may_be_halves),
        cmocka_unit_test(more_rows_than_one_piece_agree),
        cmocka_unit_test(capacity_is_at_most_a_sixteenth_more),
        cmocka_unit_test(stacked_weights_come_one_below_the_other),
        cmocka_unit_test(without_a_bias_nothing_is_added),
        cmocka_unit_test(a_raised_token_keeps_linears_from_running),
        cmocka_unit_test(a_model_may_have_linears_of_a_hundred_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
