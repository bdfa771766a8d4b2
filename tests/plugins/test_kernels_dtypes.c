/* test_kernels_dtypes.c - linears with weights in bf16, int8 and int4 (compact_weights.c, compact_rows.c): against
 * products in double of weights that are rounded here by the formats' definition, within what rounding x may cost. */
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

#define FEW_ROWS 6 /* up to so many, x has at least 15 bits */

enum { BF16, INT8, INT4, N_DTYPES };
static const char *const names[N_DTYPES] = {"bf16", "int8", "int4"};

/* Seven bits behind the leading one, ties to even. */
static double to_bf16(double w)
{
    int exponent;
    const double fraction = frexp(w, &exponent);
    return ldexp(nearbyint(ldexp(fraction, 8)), exponent - 8);
}

static double largest(const float *x, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs((double)x[i]));
    return most;
}

/* One output feature, in place: what the format keeps of it. */
static void round_weights(int dtype, const float *w, size_t n, double *ret)
{
    for (size_t k = 0; k < n; k++) {
        const size_t group = k / 32 * 32, left = n - group < 32 ? n - group : 32;
        const double scale8 = (double)((float)largest(w, n) / 127.0f);
        if (dtype == BF16)
            ret[k] = to_bf16((double)w[k]);
        else if (dtype == INT8)
            ret[k] = scale8 * (double)nearbyintf(w[k] * (1.0f / (float)scale8));
        else /* within half a step of at most a seventh of the largest */
            ret[k] = (double)w[k];
        if (dtype == INT4)
            assert_true(largest(w + group, left) > 0);
    }
}

/* By how much y may be wrong: x's rounding through the weights, that of int4's weights through x, and sums. */
static double allowed(int dtype, size_t n_rows, const float *x, const double *w, size_t n)
{
    double sum = 1e-5 * sqrt((double)n) + 1e-6;
    const double most = largest(x, n);
    for (size_t k = 0; k < n; k++) {
        const double coarse = dtype == BF16 ? fabs((double)x[k]) * 0x1p-8 : most / 127 * 0.51;
        const bool is_coarse = n_rows > FEW_ROWS;
        const double fine = dtype == BF16 ? 0 : most / 16383 * 0.51;
        sum += fabs(w[k]) * (is_coarse ? coarse : fine);
    }
    if (dtype != INT4)
        return sum;
    double column = 0; /* unpacked to 8 bits for many rows */
    for (size_t k = 0; k < n; k++)
        column = fmax(column, fabs(w[k]));
    for (size_t k = 0; k < n && n_rows > FEW_ROWS; k++)
        sum += fabs((double)x[k]) * column / 127 * 0.52;
    for (size_t k = 0; k < n; k++) { /* -8 takes the largest; its opposite loses a whole step */
        double group = 0;
        for (size_t i = k / 32 * 32; i < n && i < k / 32 * 32 + 32; i++)
            group = fmax(group, fabs(w[i]));
        sum += fabs((double)x[k]) * group / 8 * 1.01;
    }
    return sum;
}

/* What int8 weights half way between two steps may add: whether a product is rounded before it becomes an integer is
 * the compiler's choice. */
static double allowed_for_ties(int dtype, const float *x, const float *w, size_t n)
{
    double sum = 0;
    const double scale = largest(w, n) / 127;
    for (size_t k = 0; k < n && dtype == INT8; k++) {
        const double q = fabs((double)w[k]) / scale;
        sum += fabs(q - floor(q) - 0.5) < 1e-5 ? fabs((double)x[k]) * scale : 0;
    }
    return sum;
}

struct fixture {
    struct harness *h;
    struct kernels *kernels;
    struct loader loader;
    struct linear_runner *runner;
};

static struct fixture begin(const char *dtype, uint32_t threads)
{
    struct fixture f = {.h = harness_create(NULL, "{}", threads)};
    f.h->args.compute_dtype = dtype;
    assert_int_equal(kernels_create(&f.h->services, &f.h->args, &f.kernels, &f.h->err), MODEL_OK);
    f.loader = (struct loader){f.kernels, &f.h->err, MODEL_OK};
    return f;
}

static void end(struct fixture *f)
{
    linear_runner_destroy(f->runner);
    kernels_destroy(f->kernels);
    assert_int_equal(harness_destroy(f->h), 0);
}

struct sizes {
    size_t out, in;
};

static void check_run(struct fixture *f, int dtype, const struct linear *linear, const float *w,
                      const float *bias, struct sizes sizes, size_t n_rows, bool accumulate)
{
    const size_t in = sizes.in, out = sizes.out, capacity = linear_row_capacity(n_rows);
    float *x = random_floats(capacity * in, 1), *y = random_floats((capacity + 1) * out, 1);
    float *before = malloc((capacity + 1) * out * sizeof *y);
    double *rounded = malloc(in * sizeof *rounded);
    memcpy(before, y, (capacity + 1) * out * sizeof *y);
    linear_run(f->runner, linear, x, n_rows, capacity, y);
    assert_int_equal(linear_runner_status(f->runner), MODEL_OK);
    for (size_t o = 0; o<out; o += out> 80 ? 7 : 1) {
        round_weights(dtype, w + o * in, in, rounded);
        for (size_t r = 0; r<n_rows; r += n_rows> 8 ? 5 : 1) {
            double want = (double)bias[o] + (accumulate ? (double)before[r * out + o] : 0);
            for (size_t k = 0; k < in; k++)
                want += (double)x[r * in + k] * rounded[k];
            const double bound = allowed(dtype, n_rows, x + r * in, rounded, in) +
                                 allowed_for_ties(dtype, x + r * in, w + o * in, in);
            if (!(fabs((double)y[r * out + o] - want) <= bound))
                fail_msg("%s [%zu, %zu] of %zu x %zu x %zu: %g, want %g within %g", names[dtype], r,
                         o, n_rows, in, out, (double)y[r * out + o], want, bound);
        }
    }
    assert_memory_equal(y + capacity * out, before + capacity * out, out * sizeof *y);
    free(rounded);
    free(before);
    free(x);
    free(y);
}

static const struct linear *add_linear(struct fixture *f, struct sizes sizes, bool accumulate)
{
    float *data = random_floats(sizes.out * sizes.in + sizes.out, 1);
    const int64_t out = (int64_t)sizes.out, in = (int64_t)sizes.in;
    harness_add(f->h, "a.weight", MODEL_F32, 2, (int64_t[]){out, in}, data);
    harness_add(f->h, "a.bias", MODEL_F32, 1, &out, data);
    free(data);
    return load_linear(&f->loader, (struct linear_shape){out, in, .accumulate = accumulate}, "a");
}

static void products_agree_for_odd_shapes_and_all_row_counts(void **state)
{
    (void)state;
    static const struct sizes shapes[] = {{64, 32},  {65, 33},   {70, 257}, {129, 300},
                                          {200, 64}, {1000, 96}, {64, 1},   {192, 513}};
    static const size_t rows[] = {1, 2, 6, 7, 16, 61, 130};
    for (int dtype = 0; dtype < N_DTYPES; dtype++)
        for (size_t s = 0; s < 2 * sizeof shapes / sizeof *shapes; s++) {
            struct fixture f = begin(names[dtype], (uint32_t)(1 + s % 2));
            const struct linear *linear = add_linear(&f, shapes[s / 2], s % 2 == 1);
            assert_non_null(linear);
            assert_int_equal(linear_runner_create(f.kernels, &f.runner, &f.h->err), MODEL_OK);
            linear_runner_begin(f.runner, NULL, &f.h->err);
            for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
                check_run(&f, dtype, linear, harness_tensor(f.h, "a.weight")->data,
                          harness_tensor(f.h, "a.bias")->data, shapes[s / 2], rows[i], s % 2 == 1);
            end(&f);
        }
}

/* Rows of x with what is not finite in the first and the last: they answer NaN, the others as without. */
static void check_bad_rows(struct fixture *f, const struct linear *linear, struct sizes sizes,
                           size_t n_rows, float bad, size_t n_bad)
{
    const size_t in = sizes.in, out = sizes.out, capacity = linear_row_capacity(n_rows);
    float *x = random_floats(capacity * in, 1), *y = random_floats(capacity * out, 1);
    float *good = random_floats(capacity * out, 1);
    linear_run(f->runner, linear, x, n_rows, capacity, good);
    for (size_t k = 0; k < n_bad; k++)
        x[in - 1 - k] = x[(n_rows - 1) * in + k] = bad;
    linear_run(f->runner, linear, x, n_rows, capacity, y);
    assert_int_equal(linear_runner_status(f->runner), MODEL_OK);
    for (size_t i = 0; i < n_rows * out; i++) {
        const bool is_bad = i / out == 0 || i / out == n_rows - 1;
        if (is_bad ? isfinite(y[i]) : y[i] != good[i])
            fail_msg("%zu rows, [%zu, %zu]: %g", n_rows, i / out, i % out, (double)y[i]);
    }
    free(good);
    free(y);
    free(x);
}

static void rows_that_are_not_finite_are_seen_and_alone(void **state)
{
    (void)state;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    static const struct sizes sizes = {70, 100};
    for (int dtype = 0; dtype < N_DTYPES; dtype++) {
        struct fixture f = begin(names[dtype], 1);
        const struct linear *linear = add_linear(&f, sizes, false);
        assert_int_equal(linear_runner_create(f.kernels, &f.runner, &f.h->err), MODEL_OK);
        linear_runner_begin(f.runner, NULL, &f.h->err);
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
            for (size_t n_rows = 1; n_rows <= 20; n_rows++) {
                check_bad_rows(&f, linear, sizes, n_rows, bad[i], 1);
                check_bad_rows(&f, linear, sizes, n_rows, bad[i], sizes.in);
            }
        end(&f);
    }
}

/* Weights of (out, in) = (64, 96): y(n_rows, 64). */
static void run_weights(struct fixture *f, float *w, size_t n_rows, float x_value, float *y)
{
    static float x[16 * 96];
    for (size_t i = 0; i < 16 * 96; i++)
        x[i] = x_value;
    harness_add(f->h, "w.weight", MODEL_F32, 2, (int64_t[]){64, 96}, w);
    const struct linear *linear = load_linear_named(
        &f->loader, (struct linear_shape){.out_features = 64, .in_features = 96}, "w.weight", NULL);
    assert_non_null(linear);
    assert_int_equal(linear_runner_create(f->kernels, &f->runner, &f->h->err), MODEL_OK);
    linear_runner_begin(f->runner, NULL, &f->h->err);
    linear_run(f->runner, linear, x, n_rows, linear_row_capacity(n_rows), y);
    assert_int_equal(linear_runner_status(f->runner), MODEL_OK);
}

static void weights_that_are_not_finite_are_seen_in_their_feature_alone(void **state)
{
    (void)state;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    static const size_t rows[] = {1, 6, 7, 16};
    for (int dtype = 0; dtype < N_DTYPES; dtype++)
        for (size_t i = 0; i < 12; i++) {
            struct fixture f = begin(names[dtype], 1);
            float *w = random_floats(64 * 96, 1), y[16 * 64];
            w[5 * 96 + 40] = bad[i % 3];
            for (size_t k = 0; k < 96; k++)
                w[63 * 96 + k] = bad[i % 3];
            run_weights(&f, w, rows[i / 3], 0.5f, y);
            for (size_t k = 0; k < rows[i / 3] * 64; k++)
                if (!!isfinite(y[k]) == (k % 64 == 5 || k % 64 == 63))
                    fail_msg("%s, %zu rows: feature %zu is %g", names[dtype], rows[i / 3], k % 64,
                             (double)y[k]);
            free(w);
            end(&f);
        }
}

/* Their scales are normal as f16, subnormal, or nothing: 4 bits are wrong by 6 % as a root mean square. */
static void tiny_weights_of_int4_keep_their_bits(void **state)
{
    (void)state;
    static const struct {
        float size;
        double most;
    } tiny[] = {{0x1p-8f, 0.1}, {0x1p-12f, 0.1}, {0x1p-16f, 0.1}, {0x1p-20f, 0.1}, {0x1p-60f, 1}};
    for (size_t i = 0; i < 2 * sizeof tiny / sizeof *tiny; i++) {
        struct fixture f = begin("int4", 1);
        float *w = random_floats(64 * 96, 1), y[16 * 64];
        double error = 0, size = 0;
        for (size_t k = 0; k < 64 * 96; k++)
            w[k] *= tiny[i / 2].size;
        run_weights(&f, w, i % 2 == 0 ? 1 : 16, 1.0f, y);
        for (size_t o = 0; o < 64; o++) {
            double want = 0;
            for (size_t k = 0; k < 96; k++)
                want += (double)w[o * 96 + k];
            error += ((double)y[o] - want) * ((double)y[o] - want);
            size += want * want;
        }
        if (!(sqrt(error / size) <= tiny[i / 2].most))
            fail_msg("weights up to %g: error %g", (double)tiny[i / 2].size, sqrt(error / size));
        free(w);
        end(&f);
    }
}

static bool starving; /* while weights are packed */
static struct model_services fed;

static void *starve(void *context, size_t size_bytes)
{
    return starving ? NULL : fed.allocate(context, size_bytes);
}

static model_status pack_starving(void *context, const char *key, size_t size_bytes,
                                  model_status (*fill)(void *argument, void *destination),
                                  void *argument, const void **ret_data)
{
    starving = true;
    model_status status = fed.packed_blob(context, key, size_bytes, fill, argument, ret_data);
    starving = false;
    return status;
}

static void threads_that_have_no_memory_to_pack_say_so(void **state)
{
    (void)state;
    for (int dtype = 0; dtype < N_DTYPES; dtype++) {
        struct fixture f = begin(names[dtype], 2);
        fed = f.h->services;
        f.h->services.allocate = starve;
        f.h->services.packed_blob = pack_starving;
        assert_null(add_linear(&f, (struct sizes){1000, 64}, false));
        assert_int_equal(f.loader.status, MODEL_OUT_OF_MEMORY);
        assert_non_null(strstr(f.h->err.message, "'a.weight' cannot be packed"));
        end(&f);
    }
}

static void weights_take_the_room_of_their_bits(void **state)
{
    (void)state;
    static const double most[N_DTYPES] = {2.0, 1.02, 0.57};
    enum { OUT = 512, IN = 768 };
    for (int dtype = 0; dtype < N_DTYPES; dtype++) {
        struct fixture f = begin(names[dtype], 1);
        const uint64_t before = kernels_memory_bytes(f.kernels);
        (void)add_linear(&f, (struct sizes){OUT, IN}, false);
        const double bytes = (double)(kernels_memory_bytes(f.kernels) - before);
        assert_true(bytes >= OUT * IN * most[dtype] * 0.9);
        assert_true(bytes <= OUT * IN * most[dtype] + 32768);
        end(&f);
    }
}

static void a_few_output_features_stay_as_they_are(void **state)
{
    (void)state;
    struct fixture f = begin("int4", 1);
    const struct linear *linear = add_linear(&f, (struct sizes){3, 300}, false);
    const float *w = harness_tensor(f.h, "a.weight")->data;
    float x[300], y[16], want[3] = {0};
    assert_int_equal(linear_runner_create(f.kernels, &f.runner, &f.h->err), MODEL_OK);
    linear_runner_begin(f.runner, NULL, &f.h->err);
    for (size_t k = 0; k < 300; k++)
        x[k] = random_float();
    linear_run(f.runner, linear, x, 1, 1, y);
    const float *bias = harness_tensor(f.h, "a.bias")->data;
    for (size_t o = 0; o < 3; o++) {
        for (size_t k = 0; k < 300; k++)
            want[o] += x[k] * w[o * 300 + k];
        assert_true(fabsf(y[o] - want[o] - bias[o]) < 1e-4f);
    }
    end(&f);
}

static void an_unknown_dtype_is_refused_by_its_name(void **state)
{
    (void)state;
    struct harness *h = harness_create(NULL, "{}", 1);
    struct kernels *kernels = NULL;
    h->args.compute_dtype = "fp8";
    assert_int_equal(kernels_create(&h->services, &h->args, &kernels, &h->err), MODEL_UNSUPPORTED);
    assert_non_null(strstr(h->err.message, "'fp8', want f32, bf16, int8 or int4"));
    assert_null(kernels);
    assert_int_equal(harness_destroy(h), 0);
}

static void a_caller_of_an_older_abi_gets_f32(void **state)
{
    (void)state;
    struct harness *h = harness_create(NULL, "{}", 1);
    struct kernels *kernels = NULL;
    h->args.compute_dtype = "int8"; /* behind the end of the struct that it says it has */
    h->args.device = "npu";
    h->args.struct_size = offsetof(struct model_create_args, compute_dtype);
    assert_int_equal(kernels_create(&h->services, &h->args, &kernels, &h->err), MODEL_OK);
    assert_string_equal(kernels_dtype_name(kernels), "f32");
    kernels_destroy(kernels);
    assert_int_equal(harness_destroy(h), 0);
}

static void the_processor_is_the_only_device(void **state)
{
    (void)state;
    struct harness *h = harness_create(NULL, "{}", 1);
    struct kernels *kernels = NULL;
    h->args.device = "cpu";
    assert_int_equal(kernels_create(&h->services, &h->args, &kernels, &h->err), MODEL_OK);
    kernels_destroy(kernels);
    h->args.device = "npu";
    assert_int_equal(kernels_create(&h->services, &h->args, &kernels, &h->err), MODEL_UNSUPPORTED);
    assert_string_equal(h->err.message, "these kernels compute on device cpu, 'npu' was asked for");
    assert_int_equal(harness_destroy(h), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_agree_for_odd_shapes_and_all_row_counts),
        cmocka_unit_test(rows_that_are_not_finite_are_seen_and_alone),
        cmocka_unit_test(weights_that_are_not_finite_are_seen_in_their_feature_alone),
        cmocka_unit_test(tiny_weights_of_int4_keep_their_bits),
        cmocka_unit_test(threads_that_have_no_memory_to_pack_say_so),
        cmocka_unit_test(weights_take_the_room_of_their_bits),
        cmocka_unit_test(a_few_output_features_stay_as_they_are),
        cmocka_unit_test(an_unknown_dtype_is_refused_by_its_name),
        cmocka_unit_test(a_caller_of_an_older_abi_gets_f32),
        cmocka_unit_test(the_processor_is_the_only_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
