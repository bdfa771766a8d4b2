/* test_kernels_conv_pool.c - pooling, and planes to feature maps and back, against naive loops. */
#include "bert_reference_harness.h"
#include "plugin_harness.h"

#include "kernels.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
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

static struct kernels *begin(struct harness *h)
{
    struct kernels *kernels = NULL;
    assert_int_equal(kernels_create(&h->services, &h->args, &kernels, &h->err), MODEL_OK);
    return kernels;
}

static void pools_agree_with_naive_loops(void **state)
{
    (void)state;
    for (int round = 0; round < 60; round++) {
        struct harness *h = harness_create(NULL, "{}", 1 + (uint32_t)round % 2);
        struct kernels *kernels = begin(h);
        struct pool_spec pool = {.kernel_height = pick(1, 4),
                                 .kernel_width = pick(1, 4),
                                 .stride_y = pick(0, 3),
                                 .stride_x = pick(0, 3),
                                 .average = round % 3 != 0,
                                 .count_inside_only = round % 3 == 1};
        pool.padding_y = pick(0, pool.kernel_height / 2);
        pool.padding_x = pick(0, pool.kernel_width / 2);
        struct map_shape from = {pick(1, 2), pick(4, 9), pick(4, 9), pick(1, 20)}, to;
        const int64_t sy = pool.stride_y > 0 ? pool.stride_y : pool.kernel_height;
        const int64_t sx = pool.stride_x > 0 ? pool.stride_x : pool.kernel_width;
        float *x = random_floats(map_size(from));
        assert_true(pool_shape(&pool, from, &to));
        float *y = random_floats(map_size(to));
        pool_run(kernels, &pool, x, from, y);
        for (int64_t i = 0; i < (int64_t)map_size(to); i++) {
            const int64_t c = i % to.channels, column = i / to.channels % to.width;
            const int64_t row = i / to.channels / to.width % to.height;
            const int64_t b = i / to.channels / to.width / to.height;
            double sum = 0, largest = -INFINITY;
            int64_t n = 0;
            for (int64_t r = row * sy - pool.padding_y, k = 0; k < pool.kernel_height; k++, r++)
                for (int64_t q = column * sx - pool.padding_x, l = 0; l < pool.kernel_width;
                     l++, q++) {
                    if (r < 0 || r >= from.height || q < 0 || q >= from.width)
                        continue;
                    const double v =
                        (double)x[((b * from.height + r) * from.width + q) * from.channels + c];
                    sum += v;
                    largest = v > largest ? v : largest;
                    n++;
                }
            if (!pool.count_inside_only)
                n = pool.kernel_height * pool.kernel_width;
            assert_true(fabs((double)y[i] - (pool.average ? sum / (double)n : largest)) < 1e-6);
        }
        free(x);
        free(y);
        kernels_destroy(kernels);
        assert_int_equal(harness_destroy(h), 0);
    }
}

static void planes_become_maps_and_planes_again(void **state)
{
    (void)state;
    struct harness *h = harness_create(NULL, "{}", 2);
    struct kernels *kernels = begin(h);
    const struct map_shape shape = {2, 7, 9, 5};
    float *x = random_floats(map_size(shape)), *map = random_floats(map_size(shape));
    float *back = random_floats(map_size(shape));
    feature_map_from_planes(kernels, x, shape, map);
    assert_true(map[((1 * 7 + 6) * 9 + 3) * 5 + 4] == x[((1 * 5 + 4) * 7 + 6) * 9 + 3]);
    feature_map_to_planes(kernels, map, shape, back);
    assert_memory_equal(x, back, map_size(shape) * sizeof *x);
    free(x);
    free(map);
    free(back);
    kernels_destroy(kernels);
    assert_int_equal(harness_destroy(h), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pools_agree_with_naive_loops),
        cmocka_unit_test(planes_become_maps_and_planes_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
