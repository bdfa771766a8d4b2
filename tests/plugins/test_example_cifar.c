/* test_example_cifar.c - examples/cifar-resnet against the logits of PyTorch, on pictures of CIFAR-10. */
#include "example_harness.h"
#include "testing.h"

static void check(const char *name)
{
    char *folder = example_model(name);
    if (folder == NULL)
        SKIP_BECAUSE("needs %s of SHARED", name);
    struct example example = example_open("cifar-resnet", folder);
    const struct model_tensor *pixels = harness_tensor(example.reference, "pixel_values");
    const struct model_tensor *logits = harness_tensor(example.reference, "logits");
    const struct model_tensor *pooled = harness_tensor(example.reference, "pooled");
    struct modelhost_result *result = example_run(&example, pixels, NULL, "logits", NULL);
    example_assert_close(modelhost_result_at(result, 0), logits, 1e-4);
    modelhost_result_destroy(result);
    result = example_run(&example, pixels, NULL, "pooler_output", NULL);
    example_assert_close(modelhost_result_at(result, 0), pooled, 1e-4);
    modelhost_result_destroy(result);
    for (int64_t i = 0; i < pixels->shape[0]; i++) {
        const struct model_tensor one = example_slice(pixels, "pixel_values", i, 1);
        const struct model_tensor want = example_slice(logits, "a picture alone", i, 1);
        result = example_run(&example, &one, NULL, "logits", NULL);
        example_assert_close(modelhost_result_at(result, 0), &want, 1e-4);
        modelhost_result_destroy(result);
    }
    example_close(&example);
    free(folder);
}

static void resnet20_gives_the_logits_of_torch(void **state)
{
    (void)state;
    check("real/cifar10-resnet20");
}

static void resnet56_gives_the_logits_of_torch(void **state)
{
    (void)state;
    check("real/cifar10-resnet56");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resnet20_gives_the_logits_of_torch),
        cmocka_unit_test(resnet56_gives_the_logits_of_torch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
