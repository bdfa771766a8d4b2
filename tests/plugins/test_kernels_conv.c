/* test_kernels_conv.c - convolutions of many shapes against naive loops in double: plain, in groups,
 * strided, dilated, transposed, one-dimensional; with batch norm, residual and activation. Covers
 * conv_source.c, conv_onednn.c, conv_pack_onednn.c, conv_portable.c and conv_winograd.c. */
#include "bert_reference_harness.h"
#include "plugin_harness.h"

#include "kernels.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t seed = 1;

static float *random_floats(size_t n)
{
    float *x = malloc((n > 0 ? n : 1) * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)toy_random(&seed);
    return x;
}

/* A whole number in [min, max]. */
static int64_t pick(int64_t min, int64_t max)
{
    return min + (int64_t)((toy_random(&seed) + 1) / 2 * (double)(max - min + 1) * 0.999999);
}

struct fixture {
    struct harness *h;
    struct kernels *kernels;
    struct linear_runner *runner;
};

static struct fixture begin(uint32_t threads)
{
    struct fixture f = {.h = harness_create(NULL, "{}", threads)};
    assert_int_equal(kernels_create(&f.h->services, &f.h->args, &f.kernels, &f.h->err), MODEL_OK);
    return f;
}

static void end(struct fixture *f)
{
    linear_runner_destroy(f->runner);
    kernels_destroy(f->kernels);
    assert_int_equal(harness_destroy(f->h), 0);
}

static void add_random(struct harness *h, const char *name, uint32_t rank, const int64_t *shape,
                       float scale, float shift)
{
    size_t n = 1;
    for (uint32_t i = 0; i < rank; i++)
        n *= (size_t)shape[i];
    float *data = random_floats(n);
    for (size_t i = 0; i < n; i++)
        data[i] = data[i] * scale + shift;
    harness_add(h, name, MODEL_F32, rank, shape, data);
    free(data);
}

/* What a test convolves with; the fields as torch names them. */
struct toy_conv {
    int64_t in, out, kernel_y, kernel_x, groups;
    bool line, norm;
    struct conv_spec spec;
    const char *activation;
};

static void add_weights(struct harness *h, const struct toy_conv *t)
{
    const int64_t first = t->spec.transposed ? t->in : t->out;
    const int64_t second = (t->spec.transposed ? t->out : t->in) / t->groups;
    const int64_t shape[] = {first, second, t->kernel_y, t->kernel_x};
    const int64_t line[] = {first, second, t->kernel_x};
    const float scale = 1 / sqrtf((float)(t->in / t->groups * t->kernel_y * t->kernel_x));
    add_random(h, "c.weight", t->line ? 3 : 4, t->line ? line : shape, scale, 0);
    add_random(h, "c.bias", 1, &t->out, 1, 0);
    add_random(h, "n.weight", 1, &t->out, 0.5f, 1);
    add_random(h, "n.bias", 1, &t->out, 1, 0);
    add_random(h, "n.running_mean", 1, &t->out, 1, 0);
    add_random(h, "n.running_var", 1, &t->out, 0.5f, 1);
}

static const float *tensor(const struct harness *h, const char *name)
{
    return harness_tensor(h, name)->data;
}

/* What channel o gets from the weights at one place of the result. */
static double naive_sum(const struct harness *h, const struct toy_conv *t, const float *x,
                        struct map_shape shape, int64_t y, int64_t z, int64_t o)
{
    const struct conv_spec *s = &t->spec;
    const int64_t in_group = t->in / t->groups, out_group = t->out / t->groups;
    const int64_t group = o / out_group;
    const float *w = tensor(h, "c.weight");
    double sum = 0;
    for (int64_t i = 0; i < t->kernel_y; i++)
        for (int64_t j = 0; j < t->kernel_x; j++) {
            int64_t row = y * s->stride_y - s->padding_y + i * s->dilation_y;
            int64_t column = z * s->stride_x - s->padding_x + j * s->dilation_x;
            if (s->transposed) { /* the places of x that reach here through tap (i, j) */
                row = y + s->padding_y - i;
                column = z + s->padding_x - j;
                if (row % s->stride_y != 0 || column % s->stride_x != 0)
                    continue;
                row /= s->stride_y;
                column /= s->stride_x;
            }
            if (row < 0 || row >= shape.height || column < 0 || column >= shape.width)
                continue;
            for (int64_t c = 0; c < in_group; c++) {
                const int64_t channel = group * in_group + c, tap = i * t->kernel_x + j;
                const int64_t from =
                    s->transposed ? channel * out_group + o % out_group : o * in_group + c;
                sum += (double)x[(row * shape.width + column) * t->in + channel] *
                       (double)w[from * t->kernel_y * t->kernel_x + tap];
            }
        }
    return sum;
}

static double naive(const struct harness *h, const struct toy_conv *t, const float *x,
                    struct map_shape shape, int64_t y, int64_t z, int64_t o, float before)
{
    double value = naive_sum(h, t, x, shape, y, z, o);
    if (t->spec.bias != NULL)
        value += (double)tensor(h, "c.bias")[o];
    if (t->norm)
        value = (value - (double)tensor(h, "n.running_mean")[o]) /
                    sqrt((double)tensor(h, "n.running_var")[o] + t->spec.norm_eps) *
                    (double)tensor(h, "n.weight")[o] +
                (double)tensor(h, "n.bias")[o];
    if (t->spec.accumulate)
        value += (double)before;
    return t->activation != NULL ? toy_activation(t->activation, value) : value;
}

/* Some numbers of the result, and that nothing behind it was touched. */
static void check_run(struct fixture *f, const struct conv *conv, const struct toy_conv *t,
                      struct map_shape shape)
{
    struct map_shape to;
    assert_true(conv_shape(conv, shape, &to));
    const size_t n = map_size(to), item = n / (size_t)to.batch;
    float *x = random_floats(map_size(shape)), *y = random_floats(n + 64), *before;
    before = malloc((n + 64) * sizeof *before);
    memcpy(before, y, (n + 64) * sizeof *y);
    linear_runner_begin(f->runner, NULL, &f->h->err);
    conv_run(f->runner, conv, x, shape, y);
    if (linear_runner_status(f->runner) != MODEL_OK)
        fail_msg("%s", f->h->err.message);
    for (size_t i = 0; i<n; i += n> 2000 ? (size_t)pick(1, (int64_t)(n / 500)) : 1) {
        const size_t b = i / item, place = i % item / (size_t)to.channels;
        const int64_t row = (int64_t)(place / (size_t)to.width);
        const int64_t column = (int64_t)(place % (size_t)to.width);
        const double want = naive(f->h, t, x + b * map_size(shape) / (size_t)shape.batch, shape,
                                  row, column, (int64_t)(i % (size_t)to.channels), before[i]);
        if (!(fabs((double)y[i] - want) <= 1e-5 * (1 + fabs(want))))
            fail_msg(
                "%s%lld -> %lld / %lld, kernel %lld x %lld, map %lld x %lld x %lld: number %zu "
                "is %.7g, want %.7g",
                t->spec.transposed ? "transposed " : "", (long long)t->in, (long long)t->out,
                (long long)t->groups, (long long)t->kernel_y, (long long)t->kernel_x,
                (long long)shape.batch, (long long)shape.height, (long long)shape.width, i,
                (double)y[i], want);
    }
    assert_memory_equal(y + n, before + n, 64 * sizeof *y);
    free(before);
    free(x);
    free(y);
}

static void check_conv(struct toy_conv *t, const struct map_shape *shapes, size_t n_shapes,
                       uint32_t threads)
{
    struct fixture f = begin(threads);
    const struct conv *conv = NULL;
    struct loader loader = {f.kernels, &f.h->err, MODEL_OK};
    add_weights(f.h, t);
    t->spec.weight = "c.weight";
    t->spec.groups = t->groups;
    if (t->norm)
        t->spec.norm = "n";
    if (t->activation != NULL)
        assert_int_equal(activation_by_name(t->activation, &t->spec.activation, &f.h->err),
                         MODEL_OK);
    conv = load_conv(&loader, &t->spec);
    if (loader.status != MODEL_OK)
        fail_msg("%s", f.h->err.message);
    assert_int_equal(conv_in_channels(conv), t->in);
    assert_int_equal(conv_out_channels(conv), t->out);
    assert_int_equal(linear_runner_create(f.kernels, &f.runner, &f.h->err), MODEL_OK);
    for (size_t i = 0; i < n_shapes; i++)
        check_run(&f, conv, t, shapes[i]);
    check_run(&f, conv, t, shapes[0]); /* with the plan that is there */
    end(&f);
}

static struct toy_conv random_conv(bool transposed)
{
    static const char *const activations[] = {NULL, NULL, "relu", "gelu", "relu2", "silu"};
    const int64_t groups = pick(0, 3) > 0 ? 1 : pick(1, 5);
    struct toy_conv t = {.in = groups * pick(1, 20),
                         .out = groups * pick(1, 20),
                         .kernel_y = pick(1, 4),
                         .kernel_x = pick(1, 4),
                         .groups = groups,
                         .norm = pick(0, 1) == 1,
                         .activation = activations[pick(0, 5)]};
    if (pick(0, 5) == 0) /* depthwise */
        t.in = t.out = t.groups = pick(1, 40);
    struct conv_spec *s = &t.spec;
    s->bias = pick(0, 1) == 1 ? "c.bias" : NULL;
    s->norm_eps = 1e-3;
    s->stride_y = pick(1, 3);
    s->stride_x = pick(1, 3);
    s->dilation_y = transposed ? 1 : pick(1, 2);
    s->dilation_x = transposed ? 1 : pick(1, 2);
    s->padding_y = pick(0, t.kernel_y - 1);
    s->padding_x = pick(0, t.kernel_x - 1);
    s->accumulate = pick(0, 2) == 0;
    s->transposed = transposed;
    if (transposed) {
        s->output_padding_y = pick(0, s->stride_y - 1);
        s->output_padding_x = pick(0, s->stride_x - 1);
    }
    return t;
}

static void check_random(bool transposed)
{
    for (int i = 0; i < 150; i++) {
        struct toy_conv t = random_conv(transposed);
        struct map_shape shapes[3];
        for (size_t k = 0; k < 3; k++)
            shapes[k] = (struct map_shape){pick(1, 3), pick(8, 20), pick(8, 20), t.in};
        shapes[1].height = 7;
        check_conv(&t, shapes, 3, i % 2 == 0 ? 1 : 2);
    }
}

static void convolutions_agree_for_random_shapes(void **state)
{
    (void)state;
    check_random(false);
}

static void transposed_convolutions_agree_for_random_shapes(void **state)
{
    (void)state;
    check_random(true);
}

/* As ResNet has them, and maps as small as they go. */
static void convolutions_of_residual_networks_agree(void **state)
{
    (void)state;
    static const int64_t table[][6] = {/* in, out, kernel, stride, padding, largest map */
                                       {3, 64, 7, 2, 3, 70},   {64, 64, 1, 1, 0, 20},
                                       {64, 64, 3, 1, 1, 57},  {128, 128, 3, 1, 1, 28},
                                       {32, 128, 3, 2, 1, 15}, {256, 64, 1, 2, 0, 14},
                                       {256, 256, 3, 1, 1, 7}, {3, 16, 3, 1, 1, 32}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        const int64_t *row = table[i], size = row[5];
        struct toy_conv t = {.in = row[0],
                             .out = row[1],
                             .kernel_y = row[2],
                             .kernel_x = row[2],
                             .groups = 1,
                             .norm = true,
                             .activation = "relu",
                             .spec = {.norm_eps = 1e-5,
                                      .stride_y = row[3],
                                      .stride_x = row[3],
                                      .padding_y = row[4],
                                      .padding_x = row[4],
                                      .dilation_y = 1,
                                      .dilation_x = 1,
                                      .accumulate = i % 2 == 1}};
        const struct map_shape shapes[] = {{1, size, size, t.in}, {1, 1, 1, t.in},
                                           {2, size, 5, t.in},    {1, 2, 3, t.in},
                                           {3, 1, size, t.in},    {1, 4, size - 1, t.in}};
        check_conv(&t, shapes, 6, i % 2 == 0 ? 1 : 2);
    }
}

/* Signals: a transform over long windows, narrow maps, a generator that starts from one place. */
static void one_dimensional_and_single_place_maps_agree(void **state)
{
    (void)state;
    struct toy_conv window = {
        .in = 1,
        .out = 258,
        .kernel_y = 1,
        .kernel_x = 256,
        .groups = 1,
        .line = true,
        .spec = {
            .stride_y = 1, .stride_x = 128, .dilation_y = 1, .dilation_x = 1, .kernel_width = 256}};
    struct toy_conv narrow = {.in = 129,
                              .out = 128,
                              .kernel_y = 1,
                              .kernel_x = 3,
                              .groups = 1,
                              .line = true,
                              .activation = "relu",
                              .spec = {.bias = "c.bias",
                                       .stride_y = 1,
                                       .stride_x = 2,
                                       .dilation_y = 1,
                                       .dilation_x = 1,
                                       .padding_x = 1}};
    struct toy_conv first = {.in = 100,
                             .out = 48,
                             .kernel_y = 4,
                             .kernel_x = 4,
                             .groups = 1,
                             .norm = true,
                             .activation = "relu",
                             .spec = {.stride_y = 1,
                                      .stride_x = 1,
                                      .dilation_y = 1,
                                      .dilation_x = 1,
                                      .norm_eps = 1e-5,
                                      .transposed = true}};
    struct toy_conv twice = first;
    twice.spec.stride_y = twice.spec.stride_x = 2;
    twice.spec.padding_y = twice.spec.padding_x = 1;
    check_conv(&window, (struct map_shape[]){{1, 1, 640, 1}, {2, 1, 256, 1}}, 2, 1);
    check_conv(&narrow, (struct map_shape[]){{1, 1, 4, 129}, {3, 1, 1, 129}}, 2, 2);
    check_conv(&first, (struct map_shape[]){{1, 1, 1, 100}, {5, 1, 1, 100}}, 2, 1);
    check_conv(&twice, (struct map_shape[]){{1, 4, 4, 100}, {2, 9, 8, 100}}, 2, 2);
}

static void weights_in_half_precision_and_double_are_read(void **state)
{
    (void)state;
    const int64_t shape[] = {2, 3, 1, 1}, map_channels = 3;
    const uint16_t half[] = {0x3C00, 0x4000, 0xBC00, 0x3800, 0, 0x4400}; /* 1 2 -1 0.5 0 4 */
    const uint16_t brain[] = {0x3F80, 0x4000, 0xBF80, 0x3F00, 0, 0x4080};
    const double wide[] = {1, 2, -1, 0.5, 0, 4};
    const struct {
        int32_t dtype;
        const void *data;
    } cases[] = {{MODEL_F16, half}, {MODEL_BF16, brain}, {MODEL_F64, wide}};
    for (size_t i = 0; i < 3; i++) {
        struct fixture f = begin(1);
        const struct conv *conv = NULL;
        const float x[] = {1, 10, 100};
        float y[2];
        harness_add(f.h, "w", cases[i].dtype, 4, shape, cases[i].data);
        assert_int_equal(
            conv_create(f.kernels, &(struct conv_spec){.weight = "w"}, &conv, &f.h->err), MODEL_OK);
        assert_int_equal(linear_runner_create(f.kernels, &f.runner, &f.h->err), MODEL_OK);
        linear_runner_begin(f.runner, NULL, &f.h->err);
        conv_run(f.runner, conv, x, (struct map_shape){1, 1, 1, map_channels}, y);
        assert_true(y[0] == -79.0f && y[1] == 400.5f);
        end(&f);
    }
}

static void check_refused(struct conv_spec spec, model_status want, const char *text)
{
    struct fixture f = begin(1);
    const struct conv *conv = NULL;
    const int64_t n = 4;
    add_random(f.h, "w", 4, (int64_t[]){4, 3, 3, 3}, 1, 0);
    add_random(f.h, "four", 1, &n, 1, 0);
    add_random(f.h, "n.running_mean", 1, &n, 1, 0);
    add_random(f.h, "bad.running_mean", 1, &n, 1, 0);
    add_random(f.h, "bad.running_var", 1, &n, 0, -1);
    spec.weight = "w";
    assert_int_equal(conv_create(f.kernels, &spec, &conv, &f.h->err), want);
    if (strstr(f.h->err.message, text) == NULL)
        fail_msg("'%s' does not say '%s'", f.h->err.message, text);
    assert_null(conv);
    end(&f);
}

static void what_makes_no_convolution_is_refused(void **state)
{
    (void)state;
    check_refused((struct conv_spec){.in_channels = 5}, MODEL_CORRUPT,
                  "weight 'w': shape [4, 3, 3, 3], want [any, 5, any, any]");
    check_refused((struct conv_spec){.kernel_height = 1, .kernel_width = 1}, MODEL_CORRUPT,
                  "want [any, any, 1, 1]");
    check_refused((struct conv_spec){.groups = 3}, MODEL_INVALID_ARGUMENT, "3 groups");
    check_refused((struct conv_spec){.groups = -1}, MODEL_INVALID_ARGUMENT, "-1 groups");
    check_refused((struct conv_spec){.stride_x = -1}, MODEL_INVALID_ARGUMENT, "stride -1");
    check_refused((struct conv_spec){.padding_y = -1}, MODEL_INVALID_ARGUMENT, "padding -1");
    check_refused((struct conv_spec){.dilation_y = 1 << 30}, MODEL_INVALID_ARGUMENT, "dilation");
    check_refused((struct conv_spec){.output_padding_y = 1}, MODEL_INVALID_ARGUMENT, "output");
    check_refused((struct conv_spec){.bias = "none"}, MODEL_NOT_FOUND, "'none' is missing");
    check_refused((struct conv_spec){.norm = "n"}, MODEL_NOT_FOUND, "'n.running_var' is missing");
    check_refused((struct conv_spec){.norm = "bad"}, MODEL_CORRUPT, "'bad.running_var': element 0");
}

static void maps_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    struct fixture f = begin(1);
    const struct conv *conv = NULL;
    struct map_shape to;
    float x[8] = {0}, y[8] = {7};
    add_random(f.h, "w", 4, (int64_t[]){4, 3, 3, 3}, 1, 0);
    assert_int_equal(conv_create(f.kernels, &(struct conv_spec){.weight = "w"}, &conv, &f.h->err),
                     MODEL_OK);
    assert_true(conv_shape(conv, (struct map_shape){1, 3, 3, 3}, &to));
    assert_false(conv_shape(conv, (struct map_shape){1, 2, 3, 3}, &to));
    assert_false(conv_shape(conv, (struct map_shape){1, 3, 3, 4}, &to));
    assert_false(conv_shape(conv, (struct map_shape){0, 3, 3, 3}, &to));
    assert_false(conv_shape(conv, (struct map_shape){1, -3, -3, 3}, &to));
    assert_false(conv_shape(conv, (struct map_shape){1 << 20, 1 << 20, 3, 3}, &to));
    assert_false(conv_shape(conv, (struct map_shape){1, INT64_MAX, 3, 3}, &to));
    assert_int_equal(linear_runner_create(f.kernels, &f.runner, &f.h->err), MODEL_OK);
    linear_runner_begin(f.runner, NULL, &f.h->err);
    conv_run(f.runner, conv, x, (struct map_shape){1, 1, 2, 3}, y);
    assert_int_equal(linear_runner_status(f.runner), MODEL_INVALID_ARGUMENT);
    assert_true(y[0] == 7);
    end(&f);
}

static void a_shape_that_was_seen_allocates_nothing(void **state)
{
    (void)state;
    struct fixture f = begin(1);
    const struct conv *conv = NULL;
    float *x = random_floats(50 * 50 * 3), *y = random_floats(50 * 50 * 4);
    add_random(f.h, "w", 4, (int64_t[]){4, 3, 3, 3}, 1, 0);
    assert_int_equal(conv_create(f.kernels, &(struct conv_spec){.weight = "w"}, &conv, &f.h->err),
                     MODEL_OK);
    assert_int_equal(linear_runner_create(f.kernels, &f.runner, &f.h->err), MODEL_OK);
    linear_runner_begin(f.runner, NULL, &f.h->err);
    const struct map_shape shapes[] = {{1, 50, 50, 3}, {1, 9, 9, 3}, {1, 50, 9, 3}};
    for (size_t i = 0; i < 3; i++)
        conv_run(f.runner, conv, x, shapes[i], y);
    const size_t n_allocated = f.h->n_allocated;
    for (size_t i = 0; i < 9; i++)
        conv_run(f.runner, conv, x, shapes[i % 3], y);
    assert_int_equal(f.h->n_allocated, n_allocated);
    for (int64_t height = 3; height < 40; height++) /* more shapes than there are plans */
        for (int64_t width = 3; width < 40 && height % 4 == 0; width++)
            conv_run(f.runner, conv, x, (struct map_shape){1, height, width, 3}, y);
    assert_int_equal(linear_runner_status(f.runner), MODEL_OK);
    free(x);
    free(y);
    end(&f);
}

static void running_out_of_memory_is_survived(void **state)
{
    (void)state;
    for (size_t fail_at = 1, done = 0; !done; fail_at++) {
        struct harness *h = harness_create(NULL, "{}", 1);
        struct kernels *kernels = NULL;
        struct linear_runner *runner = NULL;
        const struct conv *conv = NULL;
        float x[27] = {0}, y[4];
        add_random(h, "w", 4, (int64_t[]){4, 3, 3, 3}, 1, 0);
        h->fail_at = fail_at;
        model_status status = kernels_create(&h->services, &h->args, &kernels, &h->err);
        if (status == MODEL_OK)
            status = conv_create(kernels, &(struct conv_spec){.weight = "w"}, &conv, &h->err);
        if (status == MODEL_OK)
            status = linear_runner_create(kernels, &runner, &h->err);
        if (status == MODEL_OK) {
            linear_runner_begin(runner, NULL, &h->err);
            conv_run(runner, conv, x, (struct map_shape){1, 3, 3, 3}, y);
            status = linear_runner_status(runner);
        }
        done = h->n_allocated < fail_at;
        assert_int_equal(status, done ? MODEL_OK : MODEL_OUT_OF_MEMORY);
        linear_runner_destroy(runner);
        kernels_destroy(kernels);
        assert_int_equal(harness_destroy(h), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions_agree_for_random_shapes),
        cmocka_unit_test(transposed_convolutions_agree_for_random_shapes),
        cmocka_unit_test(convolutions_of_residual_networks_agree),
        cmocka_unit_test(one_dimensional_and_single_place_maps_agree),
        cmocka_unit_test(weights_in_half_precision_and_double_are_read),
        cmocka_unit_test(what_makes_no_convolution_is_refused),
        cmocka_unit_test(maps_that_do_not_fit_are_refused),
        cmocka_unit_test(a_shape_that_was_seen_allocates_nothing),
        cmocka_unit_test(running_out_of_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
