/* test_cifar_dtypes.c - how often a trained network names the same class in fewer bits as in f32 (conv_coarse_onednn.c):
 * residual networks for CIFAR-10 on 200 pictures, ten of the test set in twenty crops and flips each, as the networks
 * were trained with. Skipped where SHARED is absent, and where the kernels are plain C, which refuse. */
#include "example_harness.h"
#include "testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CHANNELS 3
#define SIDE     32
#define VIEWS    20 /* of each picture */
#define REACH    4  /* by how much a crop is moved */
#define CLASSES  10

/* Black, as the pictures are normalised. */
static const float black[CHANNELS] = {-0.485f / 0.229f, -0.456f / 0.224f, -0.406f / 0.225f};

/* A whole number in [min, max]. */
static int64_t pick(int64_t min, int64_t max)
{
    static uint32_t seed = 1;
    seed = seed * 1664525u + 1013904223u;
    return min + (int64_t)(seed >> 8) % (max - min + 1);
}

static void take_view(const float *picture, bool is_whole, float *view)
{
    const int64_t down = is_whole ? 0 : pick(-REACH, REACH),
                  right = is_whole ? 0 : pick(-REACH, REACH);
    const bool is_flipped = !is_whole && pick(0, 1) == 1;
    for (int64_t c = 0; c < CHANNELS; c++)
        for (int64_t y = 0; y < SIDE; y++)
            for (int64_t x = 0; x < SIDE; x++) {
                const int64_t row = y + down, from = (is_flipped ? SIDE - 1 - x : x) + right;
                const bool is_inside = row >= 0 && row < SIDE && from >= 0 && from < SIDE;
                *view++ = is_inside ? picture[(c * SIDE + row) * SIDE + from] : black[c];
            }
}

static struct model_tensor make_views(const struct model_tensor *pixels)
{
    const int64_t n = pixels->shape[0] * VIEWS, size = CHANNELS * SIDE * SIDE;
    struct model_tensor views = *pixels;
    float *data = malloc((size_t)(n * size) * sizeof *data);
    for (int64_t i = 0; i < n; i++)
        take_view((const float *)pixels->data + i / VIEWS * size, i % VIEWS == 0, data + i * size);
    views.shape[0] = n;
    views.data = data;
    views.size_bytes = (size_t)(n * size) * sizeof *data;
    return views;
}

static size_t largest(const float *logits)
{
    size_t best = 0;
    for (size_t i = 1; i < CLASSES; i++)
        best = logits[i] > logits[best] ? i : best;
    return best;
}

/* How many of n have another class, and the cosine of all logits. */
static size_t compare(const float *found, const float *want, size_t n, double *ret_cosine)
{
    double product = 0, found_2 = 0, want_2 = 0;
    size_t n_others = 0;
    for (size_t i = 0; i < n; i++)
        n_others += largest(found + i * CLASSES) != largest(want + i * CLASSES);
    for (size_t i = 0; i < n * CLASSES; i++) {
        product += (double)found[i] * (double)want[i];
        found_2 += (double)found[i] * (double)found[i];
        want_2 += (double)want[i] * (double)want[i];
    }
    *ret_cosine = product / sqrt(found_2 * want_2);
    return n_others;
}

static struct modelhost_result *run_in(struct example *example, int32_t dtype,
                                       const struct model_tensor *views)
{
    const struct modelhost_load_options options = {.struct_size = sizeof options, .dtype = dtype};
    struct modelhost_model *whole = example->model;
    if (modelhost_load_with(example->host, example->package, &options, &example->model,
                            &example->err) != MODEL_OK)
        fail_msg("%s", example->err.message);
    struct modelhost_result *result = example_run(example, views, NULL, "logits", NULL);
    modelhost_release(example->model);
    example->model = whole;
    return result;
}

static bool are_in_plain_c(struct example *example)
{
    const struct modelhost_load_options options = {.struct_size = sizeof options,
                                                   .dtype = MODELHOST_INT8};
    struct modelhost_model *model = NULL;
    const model_status status =
        modelhost_load_with(example->host, example->package, &options, &model, &example->err);
    modelhost_release(model);
    return status == MODEL_UNSUPPORTED && strstr(example->err.message, "in plain C") != NULL;
}

static void check(const char *name)
{
    static const struct {
        int32_t dtype;
        const char *name;
        double cosine;
    } cases[] = {{MODELHOST_BF16, "bf16", 0.9999}, {MODELHOST_INT8, "int8", 0.999}};
    char *folder = example_model(name);
    if (folder == NULL)
        SKIP_BECAUSE("needs %s of SHARED", name);
    struct example example = example_open("cifar-resnet", folder);
    free(folder);
    if (are_in_plain_c(&example)) {
        example_close(&example);
        SKIP_BECAUSE("kernels in plain C have f32 only");
    }
    struct model_tensor views = make_views(harness_tensor(example.reference, "pixel_values"));
    const size_t n = (size_t)views.shape[0];
    struct modelhost_result *whole = example_run(&example, &views, NULL, "logits", NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct modelhost_result *result = run_in(&example, cases[i].dtype, &views);
        double cosine;
        const size_t n_others = compare(modelhost_result_at(result, 0)->data,
                                        modelhost_result_at(whole, 0)->data, n, &cosine);
        print_message("%s in %s: %zu of %zu pictures have another class, cosine %.6f\n", name,
                      cases[i].name, n_others, n, cosine);
        assert_true(100 * n_others <= n);
        assert_true(cosine >= cases[i].cosine);
        modelhost_result_destroy(result);
    }
    modelhost_result_destroy(whole);
    free(views.data);
    example_close(&example);
}

static void resnet20_names_the_same_classes_in_fewer_bits(void **state)
{
    (void)state;
    check("real/cifar10-resnet20");
}

static void resnet56_names_the_same_classes_in_fewer_bits(void **state)
{
    (void)state;
    check("real/cifar10-resnet56");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resnet20_names_the_same_classes_in_fewer_bits),
        cmocka_unit_test(resnet56_names_the_same_classes_in_fewer_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
