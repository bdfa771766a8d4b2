/* test_resnet_refusals.c - configurations and weights that make no ResNet: each is refused with a
 * sentence that names the thing, and nothing is left behind. */
#include "picture_harness.h"

#include "files.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HUB                                                                                        \
    "\"model_type\": \"resnet\", \"layer_type\": \"basic\", \"num_channels\": 1, "                 \
    "\"embedding_size\": 8, \"architectures\": [\"ResNetForImageClassification\"]"

static struct harness *open_hub(const char *config)
{
    struct harness *h = harness_create("resnet", config, 1);
    harness_open(h, "tests/plugins/resnet/hub-basic.safetensors");
    return h;
}

static void check(const char *config, model_status want, const char *text)
{
    struct harness *h = open_hub(config);
    const model_status status = harness_load(h);
    if (status != want || strstr(h->err.message, text) == NULL)
        fail_msg("%s: status %d, '%s', want status %d, '%s'", config, status, h->err.message, want,
                 text);
    assert_int_equal(harness_destroy(h), 0);
}

static void fields_out_of_bounds_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *more, *text;
    } cases[] = {
        {"\"depths\": [2, 1000000000], \"hidden_sizes\": [8, 16]", "'depths[1]' is 1000000000"},
        {"\"depths\": [0, 1], \"hidden_sizes\": [8, 16]", "'depths[0]' is 0"},
        {"\"depths\": [-1], \"hidden_sizes\": [8]", "'depths[0]' is -1"},
        {"\"depths\": [1.5], \"hidden_sizes\": [8]", "'depths[0]' is 1.5"},
        {"\"depths\": [\"2\"], \"hidden_sizes\": [8]", "'depths[0]' is \"2\""},
        {"\"depths\": [2], \"hidden_sizes\": [1e300]", "'hidden_sizes[0]' is 1e+300"},
        {"\"depths\": [2], \"hidden_sizes\": [0]", "'hidden_sizes[0]' is 0"},
        {"\"depths\": [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "17 stages"},
        {"\"hidden_sizes\": \"x\"", "'hidden_sizes' is \"x\", want an array or an object"},
        {"\"depths\": 3", "'depths' is 3, want an array or an object"},
        {"\"id2label\": true", "'id2label' is true, want an array or an object"},
        {"\"num_labels\": 1e12", "'num_labels' is 1000000000000"},
        {"\"downsample_in_first_stage\": 1", "'downsample_in_first_stage' is 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char config[512];
        (void)snprintf(config, sizeof config, "{%s, %s}", HUB, cases[i].more);
        check(config, MODEL_INVALID_ARGUMENT, cases[i].text);
    }
    check("{\"model_type\": \"resnet\", \"layer_type\": \"dense\"}", MODEL_INVALID_ARGUMENT,
          "'layer_type' is \"dense\"");
    check("{\"model_type\": \"resnet\", \"num_channels\": 0}", MODEL_INVALID_ARGUMENT,
          "'num_channels' is 0");
    check("{\"model_type\": \"resnet\", \"embedding_size\": 1000000}", MODEL_INVALID_ARGUMENT,
          "'embedding_size' is 1000000");
}

static void what_it_does_not_compute_is_named(void **state)
{
    (void)state;
    check("{\"model_type\": \"regnet\"}", MODEL_UNSUPPORTED, "\"regnet\"");
    check("{\"model_type\": \"resnet\", \"architectures\": [\"ResNetBackbone\"]}",
          MODEL_UNSUPPORTED, "'ResNetBackbone'");
    check("{\"model_type\": \"resnet\", \"hidden_act\": \"snake\"}", MODEL_UNSUPPORTED, "snake");
}

static void weights_of_another_shape_are_named(void **state)
{
    (void)state;
    check("{" HUB ", \"depths\": [3, 1], \"hidden_sizes\": [8, 16]}", MODEL_NOT_FOUND,
          "'resnet.encoder.stages.0.layers.2.layer.0.convolution.weight' is missing");
    check("{" HUB ", \"depths\": [2, 1], \"hidden_sizes\": [8, 24]}", MODEL_CORRUPT,
          "shape [16, 8, 1, 1], want [24, 8, 1, 1]");
    check("{\"model_type\": \"resnet\", \"num_channels\": 3}", MODEL_CORRUPT,
          "shape [8, 1, 7, 7], want [8, 3, 7, 7]");
    check("{\"model_type\": \"resnet\", \"layer_type\": \"bottleneck\"}", MODEL_NOT_FOUND,
          "hidden_sizes[0]");
    check("{" HUB ", \"num_labels\": 6}", MODEL_CORRUPT,
          "'classifier.1.weight': shape [5, 16], want [6, 16]");
}

/* Each weight in turn is not there, or of another dtype, or too short: never a crash. */
static void a_weight_that_is_missing_or_wrong_is_named(void **state)
{
    (void)state;
    const char *config = "{" HUB ", \"depths\": [2, 1], \"hidden_sizes\": [8, 16]}";
    struct harness *whole = open_hub(config);
    for (size_t i = 0; i < whole->n_tensors; i++) {
        const char *name = whole->tensors[i].name;
        if (strstr(name, "num_batches_tracked") != NULL ||
            (strncmp(name, "resnet.", 7) != 0 && strncmp(name, "classifier.", 11) != 0))
            continue;
        for (int kind = 0; kind < 3; kind++) {
            struct harness *h = open_hub(config);
            struct model_tensor *tensor = &h->tensors[i];
            if (kind == 0)
                tensor->name = "-";
            else if (kind == 1)
                tensor->dtype = MODEL_I32;
            else
                tensor->shape[0]--;
            assert_int_not_equal(harness_load(h), MODEL_OK);
            assert_non_null(strstr(h->err.message, "weight '"));
            assert_int_equal(harness_destroy(h), 0);
        }
    }
    assert_int_equal(harness_destroy(whole), 0);
}

static void num_batches_tracked_is_ignored(void **state)
{
    (void)state;
    struct harness *h = open_hub("{" HUB ", \"depths\": [2, 1], \"hidden_sizes\": [8, 16]}");
    for (size_t i = 0; i < h->n_tensors; i++)
        if (strstr(h->tensors[i].name, "num_batches_tracked") != NULL)
            h->tensors[i].name = "-";
    assert_int_equal(harness_load(h), MODEL_OK);
    assert_int_equal(harness_destroy(h), 0);
}

static void running_out_of_memory_is_survived(void **state)
{
    (void)state;
    static const char *const names[] = {"logits", NULL};
    model_status status = MODEL_OUT_OF_MEMORY;
    for (size_t fail_at = 1; status != MODEL_OK; fail_at++) {
        struct harness *h = open_hub("{" HUB ", \"depths\": [2, 1], \"hidden_sizes\": [8, 16]}");
        const struct model_tensor *pixels = harness_tensor(h, "pixel_values.0");
        struct harness_outputs outputs = {.n = 0};
        h->fail_at = fail_at;
        status = harness_load(h);
        if (status == MODEL_OK)
            status = picture_run(h, pixels->data, pixels->shape, names, &outputs);
        assert_true(status == MODEL_OK || status == MODEL_OUT_OF_MEMORY);
        harness_outputs_free(&outputs);
        assert_int_equal(harness_destroy(h), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_out_of_bounds_are_named),
        cmocka_unit_test(what_it_does_not_compute_is_named),
        cmocka_unit_test(weights_of_another_shape_are_named),
        cmocka_unit_test(a_weight_that_is_missing_or_wrong_is_named),
        cmocka_unit_test(num_batches_tracked_is_ignored),
        cmocka_unit_test(running_out_of_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
