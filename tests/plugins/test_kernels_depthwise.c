/* test_kernels_depthwise.c - convolutions of each channel by itself (conv_layout_onednn.c, conv_portable.c) against a loop in
 * double, and that their weights are not in blocks of channels to and from each other. */
#include "plugin_harness.h"

#include "kernel_random.h"
#include "kernels.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

enum { KERNEL = 3, TAPS = KERNEL * KERNEL, HEIGHT = 19, WIDTH = 14 };

/* A number of the result, with a padding of 1, before relu6. */
static double naive(const float *x, const float *weight, int64_t channels, int64_t stride,
                    int64_t row, int64_t column, int64_t channel)
{
    double sum = 0;
    for (int64_t tap = 0; tap < TAPS; tap++) {
        const int64_t r = row * stride + tap / KERNEL - 1, c = column * stride + tap % KERNEL - 1;
        if (r >= 0 && r < HEIGHT && c >= 0 && c < WIDTH)
            sum += (double)x[(r * WIDTH + c) * channels + channel] *
                   (double)weight[channel * TAPS + tap];
    }
    return sum;
}

static void check(int64_t channels, int64_t stride, uint32_t threads)
{
    struct harness *h = harness_create(NULL, "{}", threads);
    const int64_t shape[] = {channels, 1, KERNEL, KERNEL};
    const struct map_shape from = {1, HEIGHT, WIDTH, channels};
    const struct conv_spec spec = {.weight = "w",
                                   .groups = channels,
                                   .stride_y = stride,
                                   .stride_x = stride,
                                   .padding_y = 1,
                                   .padding_x = 1,
                                   .activation = ACTIVATION_RELU6};
    struct kernels *kernels = NULL;
    struct linear_runner *runner = NULL;
    const struct conv *conv = NULL;
    struct map_shape to;
    float *weight = random_floats((size_t)channels * TAPS, 4),
          *x = random_floats(map_size(from), 2);
    assert_int_equal(kernels_create(&h->services, &h->args, &kernels, &h->err), MODEL_OK);
    harness_add(h, "w", MODEL_F32, 4, shape, weight);
    assert_int_equal(conv_create(kernels, &spec, &conv, &h->err), MODEL_OK);
    /* Blocks of channels to and from each other would hold 255 zeros for each weight; the portable kernels' have 63. */
    assert_true(h->blob_bytes <= (size_t)(channels + 15) * (TAPS + 1) * 64 * sizeof(float));
    assert_true(conv_shape(conv, from, &to));
    float *y = random_floats(map_size(to), 2);
    assert_int_equal(linear_runner_create(kernels, &runner, &h->err), MODEL_OK);
    linear_runner_begin(runner, NULL, &h->err);
    conv_run(runner, conv, x, from, y);
    assert_int_equal(linear_runner_status(runner), MODEL_OK);
    for (int64_t i = 0; i < (int64_t)map_size(to); i++) {
        const int64_t place = i / channels;
        const double sum =
            naive(x, weight, channels, stride, place / to.width, place % to.width, i % channels);
        if (!(fabs((double)y[i] - fmin(fmax(sum, 0), 6)) <= 1e-5))
            fail_msg("%lld channels, stride %lld: number %lld is %g, want %g", (long long)channels,
                     (long long)stride, (long long)i, (double)y[i], fmin(fmax(sum, 0), 6));
    }
    free(weight);
    free(x);
    free(y);
    linear_runner_destroy(runner);
    kernels_destroy(kernels);
    assert_int_equal(harness_destroy(h), 0);
}

static void each_channel_is_convolved_by_itself(void **state)
{
    (void)state;
    static const int64_t channels[] = {2, 8, 32, 40, 144, 160};
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++)
        for (int64_t stride = 1; stride <= 2; stride++)
            check(channels[i], stride, (uint32_t)stride);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_channel_is_convolved_by_itself)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
