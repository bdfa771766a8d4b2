/* test_kernels_conv_dtypes.c - convolutions in bf16, int8 and int4 against naive loops in double, within what rounding
 * weights and maps may cost. Covers conv_coarse_onednn.c, conv_layout_onednn.c and, for its dtypes, conv_pack_onednn.c.
 * Plain C has f32 only and says so. */
#include "plugin_harness.h"
#include "testing.h"

#include "kernel_random.h"
#include "kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
    struct harness *h;
    struct kernels *kernels;
    struct linear_runner *runner;
    const struct conv *conv;
};

/* A convolution and the maps that go through it. */
struct toy {
    int64_t in, out, kernel, stride, padding, groups;
    struct map_shape map; /* channels: in */
    bool is_signed, accumulate, transposed;
    enum activation activation;
};

static void add_random(struct harness *h, const char *name, uint32_t rank, const int64_t *shape,
                       float scale)
{
    size_t n = 1;
    for (uint32_t i = 0; i < rank; i++)
        n *= (size_t)shape[i];
    float *data = malloc(n * sizeof *data);
    for (size_t i = 0; i < n; i++)
        data[i] = random_float() * scale;
    harness_add(h, name, MODEL_F32, rank, shape, data);
    free(data);
}

static model_status make_conv(struct fixture *f, const struct toy *t)
{
    const struct conv_spec spec = {.weight = "w",
                                   .bias = "b",
                                   .stride_y = t->stride,
                                   .stride_x = t->stride,
                                   .padding_y = t->padding,
                                   .padding_x = t->padding,
                                   .groups = t->groups,
                                   .transposed = t->transposed,
                                   .accumulate = t->accumulate,
                                   .activation = t->activation};
    return conv_create(f->kernels, &spec, &f->conv, &f->h->err);
}

static struct fixture begin(const char *dtype, const struct toy *t, uint32_t threads)
{
    struct fixture f = {.h = harness_create(NULL, "{}", threads)};
    const int64_t groups = t->groups > 0 ? t->groups : 1;
    const int64_t shape[] = {t->transposed ? t->in : t->out,
                             (t->transposed ? t->out : t->in) / groups, t->kernel, t->kernel};
    f.h->args.compute_dtype = dtype;
    assert_int_equal(kernels_create(&f.h->services, &f.h->args, &f.kernels, &f.h->err), MODEL_OK);
    add_random(f.h, "w", 4, shape, 1 / sqrtf((float)(t->in / groups * t->kernel * t->kernel)));
    add_random(f.h, "b", 1, &t->out, 0.5f);
    if (make_conv(&f, t) != MODEL_OK)
        fail_msg("%s", f.h->err.message);
    assert_int_equal(linear_runner_create(f.kernels, &f.runner, &f.h->err), MODEL_OK);
    return f;
}

static void end(struct fixture *f)
{
    linear_runner_destroy(f->runner);
    kernels_destroy(f->kernels);
    assert_int_equal(harness_destroy(f->h), 0);
}

static void run(struct fixture *f, const float *x, struct map_shape shape, float *y)
{
    linear_runner_begin(f->runner, NULL, &f->h->err);
    conv_run(f->runner, f->conv, x, shape, y);
    if (linear_runner_status(f->runner) != MODEL_OK)
        fail_msg("%s", f->h->err.message);
}

static float *make_map(const struct toy *t, struct map_shape shape)
{
    float *x = malloc(map_size(shape) * sizeof *x);
    for (size_t i = 0; i < map_size(shape); i++) {
        x[i] = 3 * random_float();
        if (!t->is_signed && x[i] < 0)
            x[i] = 0;
    }
    return x;
}

/* The number of channel o at (row, column) of an item; not for transposed ones. */
static double naive(const struct fixture *f, const struct toy *t, const float *item, int64_t row,
                    int64_t column, int64_t o, float before)
{
    const float *w = harness_tensor(f->h, "w")->data;
    const int64_t groups = t->groups > 0 ? t->groups : 1, in = t->in / groups;
    const int64_t first = o / (t->out / groups) * in;
    double sum = (double)((const float *)harness_tensor(f->h, "b")->data)[o];
    for (int64_t i = 0; i < t->kernel; i++)
        for (int64_t j = 0; j < t->kernel; j++) {
            const int64_t y = row * t->stride - t->padding + i;
            const int64_t x = column * t->stride - t->padding + j;
            if (y < 0 || y >= t->map.height || x < 0 || x >= t->map.width)
                continue;
            for (int64_t c = 0; c < in; c++)
                sum += (double)item[(y * t->map.width + x) * t->in + first + c] *
                       (double)w[((o * in + c) * t->kernel + i) * t->kernel + j];
        }
    if (t->accumulate)
        sum += (double)before;
    return t->activation == ACTIVATION_RELU && sum < 0 ? 0
           : t->activation == ACTIVATION_SILU          ? sum / (1 + exp(-sum))
                                                       : sum;
}

/* The error's root mean square is at most `most` of the result's. */
static void check(const char *dtype, const struct toy *t, double most, uint32_t threads)
{
    struct fixture f = begin(dtype, t, threads);
    struct map_shape to;
    assert_true(conv_shape(f.conv, t->map, &to));
    const size_t n = map_size(to), item = map_size(t->map) / (size_t)t->map.batch;
    float *x = make_map(t, t->map), *y = make_map(t, to), *before = malloc((n + 16) * sizeof *y);
    memcpy(before, y, n * sizeof *y);
    y = realloc(y, (n + 16) * sizeof *y);
    memset(y + n, 0x55, 16 * sizeof *y);
    memcpy(before + n, y + n, 16 * sizeof *y);
    run(&f, x, t->map, y);
    double error = 0, size = 0;
    for (size_t i = 0;
         i<n; i += n> 4000 ? 1 + (size_t)(fabsf(random_float()) * (float)n / 1000) : 1) {
        const size_t place = i / (size_t)to.channels,
                     of_item = place % (size_t)(to.height * to.width);
        const double want = naive(&f, t, x + place / (size_t)(to.height * to.width) * item,
                                  (int64_t)of_item / to.width, (int64_t)of_item % to.width,
                                  (int64_t)(i % (size_t)to.channels), before[i]);
        error += ((double)y[i] - want) * ((double)y[i] - want);
        size += want * want;
    }
    if (!(sqrt(error / size) <= most))
        fail_msg("%s, %lld -> %lld, kernel %lld / %lld, map %lld x %lld x %lld: error %g, want %g",
                 dtype, (long long)t->in, (long long)t->out, (long long)t->kernel,
                 (long long)t->stride, (long long)t->map.batch, (long long)t->map.height,
                 (long long)t->map.width, sqrt(error / size), most);
    assert_memory_equal(y + n, before + n, 16 * sizeof *y);
    const size_t n_allocated = f.h->n_allocated;
    run(&f, x, t->map, y);
    assert_int_equal(f.h->n_allocated, n_allocated);
    free(before);
    free(x);
    free(y);
    end(&f);
}

static const struct toy toys[] = {
    {64, 64, 1, 1, 0, 1, {1, 14, 14, 64}, false, false, false, ACTIVATION_RELU},
    {64, 96, 1, 1, 0, 1, {2, 7, 7, 64}, false, true, false, ACTIVATION_RELU},
    {64, 128, 1, 2, 0, 1, {2, 15, 13, 64}, false, false, false, ACTIVATION_NONE},
    {64, 128, 1, 3, 0, 1, {1, 9, 9, 64}, true, true, false, ACTIVATION_NONE},
    {32, 48, 3, 1, 1, 1, {2, 10, 12, 32}, false, false, false, ACTIVATION_RELU},
    {32, 48, 3, 1, 1, 1, {2, 10, 12, 32}, true, true, false, ACTIVATION_RELU},
    {128, 128, 3, 2, 1, 1, {1, 13, 13, 128}, true, false, false, ACTIVATION_SILU},
    {33, 17, 2, 1, 1, 1, {3, 5, 1, 33}, true, false, false, ACTIVATION_NONE},
    {40, 40, 5, 1, 2, 1, {1, 2, 1, 40}, true, true, false, ACTIVATION_RELU},
    {256, 64, 1, 1, 0, 1, {1, 1, 1, 256}, true, false, false, ACTIVATION_NONE},
    {64, 64, 1, 1, 1, 1, {1, 3, 3, 64}, true, false, false, ACTIVATION_NONE},
    {3, 32, 7, 2, 3, 1, {1, 30, 30, 3}, true, false, false, ACTIVATION_RELU},
};

static void they_agree(const char *dtype, double most)
{
    for (size_t i = 0; i < sizeof toys / sizeof *toys; i++)
        check(dtype, &toys[i], most, 1 + (uint32_t)(i % 2));
}

static void bf16_agrees_to_its_eight_bits(void **state)
{
    (void)state;
    they_agree("bf16", 0.004);
}

static void int8_agrees_to_its_seven_bits(void **state)
{
    (void)state;
    they_agree("int8", 0.012);
}

static void groups_stay_in_f32(void **state)
{
    (void)state;
    const struct toy groups = {
        64, 64, 3, 1, 1, 4, {1, 9, 9, 64}, true, false, false, ACTIVATION_NONE};
    check("int8", &groups, 1e-6, 1);
}

/* A batch of a map without negative numbers and one with, which are computed in two ways alone. */
static void an_item_is_the_same_alone_and_in_a_batch(void **state)
{
    (void)state;
    struct toy t = toys[4];
    struct fixture f = begin("int8", &t, 2);
    struct map_shape one = t.map, to;
    one.batch = 1;
    assert_true(conv_shape(f.conv, t.map, &to));
    const size_t n = map_size(one), m = map_size(to) / 2;
    float *x = make_map(&t, t.map), *y = malloc(2 * m * sizeof *y), *alone = malloc(m * sizeof *y);
    for (size_t i = 0; i < n; i++)
        x[n + i] = 40 * random_float();
    run(&f, x, t.map, y);
    for (size_t i = 0; i < 2; i++) {
        run(&f, x + i * n, one, alone);
        assert_memory_equal(y + i * m, alone, m * sizeof *y);
    }
    free(alone);
    free(y);
    free(x);
    end(&f);
}

static void a_map_of_zeros_gives_the_bias(void **state)
{
    (void)state;
    struct fixture f = begin("int8", &toys[9], 1);
    float x[256] = {0}, y[64];
    run(&f, x, toys[9].map, y);
    assert_memory_equal(y, harness_tensor(f.h, "b")->data, sizeof y);
    x[7] = 1e-38f; /* nearly so */
    run(&f, x, toys[9].map, y);
    assert_memory_equal(y, harness_tensor(f.h, "b")->data, sizeof y);
    end(&f);
}

static void what_is_not_finite_is_seen_in_its_item_alone(void **state)
{
    (void)state;
    const float bad[] = {NAN, INFINITY, -INFINITY};
    struct toy t = toys[4];
    struct fixture f = begin("int8", &t, 1);
    struct map_shape to;
    assert_true(conv_shape(f.conv, t.map, &to));
    const size_t n = map_size(t.map) / 2, m = map_size(to) / 2;
    float *x = make_map(&t, t.map), *y = malloc(2 * m * sizeof *y), *whole = malloc(m * sizeof *y);
    run(&f, x, t.map, y);
    memcpy(whole, y + m, m * sizeof *y);
    for (size_t i = 0; i < 3; i++) {
        x[n / 2 + i] = bad[i];
        run(&f, x, t.map, y);
        for (size_t k = 0; k < m; k++)
            assert_true(isnan(y[k]));
        assert_memory_equal(y + m, whole, m * sizeof *y);
        x[n / 2 + i] = 0;
    }
    free(whole);
    free(y);
    free(x);
    end(&f);
}

static void a_weight_that_is_not_finite_is_seen_in_its_channel_alone(void **state)
{
    (void)state;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    static const struct toy t = {
        64, 48, 1, 1, 0, 1, {1, 5, 7, 64}, true, false, false, ACTIVATION_NONE};
    static const struct conv_spec spec = {.weight = "w2", .bias = "b"};
    float w[48 * 64], y[5 * 7 * 48];
    for (size_t i = 0; i < 6; i++) {
        struct fixture f = begin(i % 2 == 0 ? "bf16" : "int8", &t, 1);
        float *x = make_map(&t, t.map);
        memcpy(w, harness_tensor(f.h, "w")->data, sizeof w);
        w[3 * 64 + 7] = bad[i / 2];
        for (size_t c = 0; c < 64; c++)
            w[47 * 64 + c] = bad[i / 2];
        harness_add(f.h, "w2", MODEL_F32, 4, (int64_t[]){48, 64, 1, 1}, w);
        assert_int_equal(conv_create(f.kernels, &spec, &f.conv, &f.h->err), MODEL_OK);
        run(&f, x, t.map, y);
        for (size_t k = 0; k < sizeof y / sizeof *y; k++)
            assert_int_equal(!isfinite(y[k]), k % 48 == 3 || k % 48 == 47);
        free(x);
        end(&f);
    }
}

/* Random numbers go on from one fixture to the next, so the second gets the first one's weights. */
static void int4_computes_in_int8(void **state)
{
    (void)state;
    const struct toy *t = &toys[0];
    struct fixture in_4 = begin("int4", t, 1), in_8 = begin("int8", t, 1);
    struct map_shape to;
    assert_true(conv_shape(in_8.conv, t->map, &to));
    harness_add(in_8.h, "w2", MODEL_F32, 4, (int64_t[]){t->out, t->in, 1, 1},
                harness_tensor(in_4.h, "w")->data);
    harness_add(in_8.h, "b2", MODEL_F32, 1, &t->out, harness_tensor(in_4.h, "b")->data);
    const struct conv_spec spec = {.weight = "w2", .bias = "b2", .activation = t->activation};
    assert_int_equal(conv_create(in_8.kernels, &spec, &in_8.conv, &in_8.h->err), MODEL_OK);
    float *x = make_map(t, t->map), *y = make_map(t, to), *other = make_map(t, to);
    run(&in_4, x, t->map, y);
    run(&in_8, x, t->map, other);
    assert_memory_equal(y, other, map_size(to) * sizeof *y);
    free(other);
    free(y);
    free(x);
    end(&in_8);
    end(&in_4);
}

static void running_out_of_memory_is_survived(void **state)
{
    (void)state;
    const struct toy *t = &toys[5];
    for (size_t fail_at = 1, done = 0; !done; fail_at++) {
        struct fixture f = {.h = harness_create(NULL, "{}", 1)};
        float *x = make_map(t, t->map), *y = calloc(4 * map_size(t->map), sizeof *y);
        f.h->args.compute_dtype = "int8";
        add_random(f.h, "w", 4, (int64_t[]){t->out, t->in, t->kernel, t->kernel}, 1);
        add_random(f.h, "b", 1, &t->out, 1);
        f.h->fail_at = fail_at;
        model_status status = kernels_create(&f.h->services, &f.h->args, &f.kernels, &f.h->err);
        if (status == MODEL_OK)
            status = make_conv(&f, t);
        if (status == MODEL_OK)
            status = linear_runner_create(f.kernels, &f.runner, &f.h->err);
        if (status == MODEL_OK) {
            linear_runner_begin(f.runner, NULL, &f.h->err);
            conv_run(f.runner, f.conv, x, t->map, y);
            status = linear_runner_status(f.runner);
        }
        done = f.h->n_allocated < fail_at;
        assert_int_equal(status, done ? MODEL_OK : MODEL_OUT_OF_MEMORY);
        free(x);
        free(y);
        end(&f);
    }
}

static void plain_c_refuses(void **state)
{
    (void)state;
    struct fixture f = {.h = harness_create(NULL, "{}", 1)};
    f.h->args.compute_dtype = "int8";
    assert_int_equal(kernels_create(&f.h->services, &f.h->args, &f.kernels, &f.h->err), MODEL_OK);
    add_random(f.h, "w", 4, (int64_t[]){4, 4, 1, 1}, 1);
    add_random(f.h, "b", 1, (int64_t[]){4}, 1);
    assert_int_equal(make_conv(&f, &(struct toy){4, 4, 1, .groups = 1}), MODEL_UNSUPPORTED);
    assert_string_equal(f.h->err.message,
                        "convolutions in plain C are computed in f32 only, not in "
                        "int8; leave the dtype out");
    end(&f);
}

static bool is_plain_c(void)
{
    struct harness *h = harness_create(NULL, "{}", 1);
    struct kernels *kernels = NULL;
    assert_int_equal(kernels_create(&h->services, &h->args, &kernels, &h->err), MODEL_OK);
    const bool is_plain = strstr(kernels_build_key(kernels), "onednn") == NULL;
    kernels_destroy(kernels);
    assert_int_equal(harness_destroy(h), 0);
    return is_plain;
}

int main(void)
{
    const struct CMUnitTest plain[] = {cmocka_unit_test(plain_c_refuses)};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bf16_agrees_to_its_eight_bits),
        cmocka_unit_test(int8_agrees_to_its_seven_bits),
        cmocka_unit_test(groups_stay_in_f32),
        cmocka_unit_test(an_item_is_the_same_alone_and_in_a_batch),
        cmocka_unit_test(a_map_of_zeros_gives_the_bias),
        cmocka_unit_test(what_is_not_finite_is_seen_in_its_item_alone),
        cmocka_unit_test(a_weight_that_is_not_finite_is_seen_in_its_channel_alone),
        cmocka_unit_test(int4_computes_in_int8),
        cmocka_unit_test(running_out_of_memory_is_survived),
    };
    return is_plain_c() ? cmocka_run_group_tests(plain, NULL, NULL)
                        : cmocka_run_group_tests(tests, NULL, NULL);
}
