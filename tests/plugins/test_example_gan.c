/* test_example_gan.c - examples/gan with the package that it ships, against the pictures of PyTorch. */
#include "example_harness.h"
#include "files.h"
#include "testing.h"

#define PACKAGE "examples/gan/package"

static void pictures_are_those_of_torch(void **state)
{
    (void)state;
    struct example example = example_open("gan", PACKAGE "/backends/cpu");
    harness_open(example.reference, PACKAGE "/reference.safetensors");
    const struct model_tensor *latent = harness_tensor(example.reference, "latent");
    const struct model_tensor *pixels = harness_tensor(example.reference, "pixel_values");
    struct modelhost_result *result = example_run(&example, latent, NULL, "pixel_values", NULL);
    example_assert_close(modelhost_result_at(result, 0), pixels, 1e-5);
    modelhost_result_destroy(result);
    for (int64_t i = 0; i < latent->shape[0]; i++) {
        const struct model_tensor one = example_slice(latent, "latent", i, 1);
        const struct model_tensor want = example_slice(pixels, "a picture alone", i, 1);
        result = example_run(&example, &one, NULL, "pixel_values", NULL);
        example_assert_close(modelhost_result_at(result, 0), &want, 1e-5);
        modelhost_result_destroy(result);
    }
    example_close(&example);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_are_those_of_torch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
