/* test_resnet.c - small residual networks of every kind against what torch computed in double precision
 * (tests/plugins/resnet/make_resnet_fixtures.py), and how the plugin behaves: batches, sizes, cancelling,
 * memory. */
#include "picture_harness.h"

#include "files.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER  "tests/plugins/resnet/"
#define N_SIZES 3

static struct harness *open_fixture(const char *name, uint32_t threads)
{
    char path[256];
    struct buffer config = {.max_bytes = 1 << 16};
    (void)snprintf(path, sizeof path, FOLDER "%s.json", name);
    assert_int_equal(file_read(path, 1 << 16, &config, NULL), MODEL_OK);
    struct harness *h = harness_create("resnet", config.data, threads);
    (void)snprintf(path, sizeof path, FOLDER "%s.safetensors", name);
    harness_open(h, path);
    buffer_finish(&config);
    return h;
}

static struct harness *load_fixture(const char *name, uint32_t threads)
{
    struct harness *h = open_fixture(name, threads);
    if (harness_load(h) != MODEL_OK)
        fail_msg("%s: %s", name, h->err.message);
    return h;
}

static const struct model_tensor *numbered(const struct harness *h, const char *name, int number)
{
    char full[64];
    (void)snprintf(full, sizeof full, "%s.%d", name, number);
    const struct model_tensor *tensor = harness_tensor(h, full);
    assert_non_null(tensor);
    return tensor;
}

static void check_outputs(struct harness *h, const char *const *names)
{
    for (int i = 0; i < N_SIZES; i++) {
        const struct model_tensor *pixels = numbered(h, "pixel_values", i);
        struct harness_outputs outputs;
        if (picture_run(h, pixels->data, pixels->shape, names, &outputs) != MODEL_OK)
            fail_msg("%s", h->err.message);
        for (size_t k = 0; names[k] != NULL; k++) {
            const struct model_tensor *found = &outputs.tensors[k];
            const struct model_tensor *want = numbered(h, names[k], i);
            assert_int_equal(found->rank, want->rank);
            assert_memory_equal(found->shape, want->shape, found->rank * sizeof found->shape[0]);
            picture_assert_close(names[k], found, want->data, 2e-5, 5e-6);
        }
        harness_outputs_free(&outputs);
    }
}

static void check_fixture(const char *name, const char *task)
{
    static const char *const all[] = {"pooler_output", "last_hidden_state", "logits", NULL};
    static const char *const features[] = {"pooler_output", "last_hidden_state", NULL};
    const bool classifies = strcmp(task, "image-classification") == 0;
    for (uint32_t threads = 1; threads <= 2; threads++) {
        struct harness *h = load_fixture(name, threads);
        assert_string_equal(h->model->description->task, task);
        assert_int_equal(h->model->description->n_outputs, classifies ? 3 : 2);
        check_outputs(h, classifies ? all : features);
        assert_int_equal(harness_destroy(h), 0);
    }
}

static void basic_layers_agree_with_torch(void **state)
{
    (void)state;
    check_fixture("hub-basic", "image-classification");
}

static void bottlenecks_that_shrink_early_agree_with_torch(void **state)
{
    (void)state;
    check_fixture("hub-bottleneck", "image-classification");
}

static void features_of_a_first_stage_that_shrinks_agree_with_torch(void **state)
{
    (void)state;
    check_fixture("hub-features", "image-feature-extraction");
}

static void torchvision_names_say_what_config_does_not(void **state)
{
    (void)state;
    check_fixture("vision-basic", "image-classification");
}

static void torchvision_groups_agree_with_torch(void **state)
{
    (void)state;
    check_fixture("vision-groups", "image-classification");
}

/* Cuts the weights to the upper halves of their numbers, and keeps them as BF16 or as F32. */
static struct model_tensor run_cut(bool half_precision, struct harness_outputs *ret)
{
    static const char *const names[] = {"logits", NULL};
    struct harness *h = open_fixture("hub-basic", 1);
    for (size_t i = 0; i < h->n_tensors; i++) {
        struct model_tensor *tensor = &h->tensors[i];
        const size_t n = tensor->size_bytes / 4;
        if (tensor->dtype != MODEL_F32 || strncmp(tensor->name, "resnet", 6) != 0)
            continue;
        uint32_t *cut = malloc(tensor->size_bytes);
        for (size_t k = 0; k < n; k++) {
            cut[k] = ((const uint32_t *)tensor->data)[k] & 0xFFFF0000u;
            if (half_precision)
                ((uint16_t *)cut)[k] = (uint16_t)(((const uint32_t *)tensor->data)[k] >> 16);
        }
        h->owned[i] = tensor->data = cut;
        tensor->dtype = half_precision ? MODEL_BF16 : MODEL_F32;
        tensor->size_bytes = n * (half_precision ? 2 : 4);
    }
    assert_int_equal(harness_load(h), MODEL_OK);
    const struct model_tensor *pixels = numbered(h, "pixel_values", 0);
    assert_int_equal(picture_run(h, pixels->data, pixels->shape, names, ret), MODEL_OK);
    assert_int_equal(harness_destroy(h), 0);
    return ret->tensors[0];
}

static void weights_in_half_precision_are_read(void **state)
{
    (void)state;
    struct harness_outputs half, whole;
    const struct model_tensor found = run_cut(true, &half), want = run_cut(false, &whole);
    assert_int_equal(found.size_bytes, want.size_bytes);
    assert_memory_equal(found.data, want.data, want.size_bytes);
    harness_outputs_free(&half);
    harness_outputs_free(&whole);
}

static void a_long_batch_gives_what_its_pictures_give_alone(void **state)
{
    (void)state;
    enum { BATCH = 37, SIDE = 200 }; /* several groups of 64 MB */
    static const char *const names[] = {"logits", "last_hidden_state", NULL};
    struct harness *h = load_fixture("vision-basic", 2);
    const size_t picture = 3 * SIDE * SIDE;
    const int64_t all[] = {BATCH, 3, SIDE, SIDE}, one[] = {1, 3, SIDE, SIDE};
    float *pixels = malloc(BATCH * picture * sizeof *pixels);
    struct harness_outputs batch, single;
    for (size_t i = 0; i < BATCH * picture; i++)
        pixels[i] = (float)(i * 2654435761u % 1000) / 500 - 1;
    assert_int_equal(picture_run(h, pixels, all, names, &batch), MODEL_OK);
    for (size_t i = 0; i < BATCH; i += 6) {
        assert_int_equal(picture_run(h, pixels + i * picture, one, names, &single), MODEL_OK);
        for (size_t k = 0; k < 2; k++) {
            const struct model_tensor *found = &single.tensors[k];
            const size_t n = found->size_bytes / sizeof(float);
            picture_assert_close("single", found, (const float *)batch.tensors[k].data + i * n,
                                 1e-5, 1e-6);
        }
        harness_outputs_free(&single);
    }
    harness_outputs_free(&batch);
    free(pixels);
    assert_int_equal(harness_destroy(h), 0);
}

static void pictures_of_one_line_are_computed_and_monsters_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"pooler_output", NULL};
    struct harness *h = load_fixture("vision-basic", 1);
    float *pixels = calloc(3 * 60000, sizeof *pixels);
    struct harness_outputs outputs;
    assert_int_equal(picture_run(h, pixels, (int64_t[]){1, 3, 60000, 1}, names, &outputs),
                     MODEL_OK);
    harness_outputs_free(&outputs);
    assert_int_equal(picture_run(h, pixels, (int64_t[]){1, 3, 1 << 20, 1 << 20}, names, &outputs),
                     MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(h->err.message, "pixel_values: pictures of 1048576 x 1048576"));
    assert_int_equal(
        picture_run(h, pixels, (int64_t[]){1, 3, INT64_MAX, INT64_MAX}, names, &outputs),
        MODEL_INVALID_ARGUMENT);
    free(pixels);
    assert_int_equal(harness_destroy(h), 0);
}

static void a_raised_token_ends_a_run_and_the_next_is_sound(void **state)
{
    (void)state;
    static const char *const names[] = {"logits", NULL};
    struct harness *h = load_fixture("hub-basic", 1);
    const struct model_tensor *pixels = numbered(h, "pixel_values", 0);
    struct harness_outputs outputs;
    h->cancelled = MODEL_CANCELLED;
    assert_int_equal(picture_run(h, pixels->data, pixels->shape, names, &outputs), MODEL_CANCELLED);
    harness_outputs_free(&outputs);
    h->cancelled = 0;
    check_outputs(h, names);
    assert_int_equal(harness_destroy(h), 0);
}

static void a_size_that_was_seen_allocates_nothing(void **state)
{
    (void)state;
    static const char *const names[] = {"logits", NULL};
    struct harness *h = load_fixture("hub-basic", 1);
    const struct model_tensor *pixels = numbered(h, "pixel_values", 0);
    struct harness_outputs outputs;
    size_t held = 0, n_allocated = 0;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(picture_run(h, pixels->data, pixels->shape, names, &outputs), MODEL_OK);
        harness_outputs_free(&outputs);
        if (i == 0) {
            held = h->held;
            n_allocated = h->n_allocated;
        }
    }
    assert_int_equal(h->held, held);
    assert_int_equal(h->n_allocated, n_allocated + 19); /* the scratch of each run */
    assert_int_equal(harness_destroy(h), 0);
}

static void creating_and_destroying_holds_nothing(void **state)
{
    (void)state;
    static const char *const names[] = {"logits", NULL};
    struct harness *h = open_fixture("hub-basic", 1);
    const struct model_tensor *pixels = numbered(h, "pixel_values", 0);
    for (int i = 0; i < 50; i++) {
        struct harness_outputs outputs;
        assert_int_equal(harness_load(h), MODEL_OK);
        assert_int_equal(picture_run(h, pixels->data, pixels->shape, names, &outputs), MODEL_OK);
        harness_outputs_free(&outputs);
        h->instance->destroy(h->instance);
        h->model->destroy(h->model);
        h->instance = NULL;
        h->model = NULL;
        assert_int_equal(h->held, 0);
        for (size_t k = 0; k < h->n_blobs; k++) /* a host would have kept them */
            free(h->blobs[k]);
        h->n_blobs = 0;
    }
    assert_int_equal(harness_destroy(h), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(basic_layers_agree_with_torch),
        cmocka_unit_test(bottlenecks_that_shrink_early_agree_with_torch),
        cmocka_unit_test(features_of_a_first_stage_that_shrinks_agree_with_torch),
        cmocka_unit_test(torchvision_names_say_what_config_does_not),
        cmocka_unit_test(torchvision_groups_agree_with_torch),
        cmocka_unit_test(weights_in_half_precision_are_read),
        cmocka_unit_test(a_long_batch_gives_what_its_pictures_give_alone),
        cmocka_unit_test(pictures_of_one_line_are_computed_and_monsters_refused),
        cmocka_unit_test(a_raised_token_ends_a_run_and_the_next_is_sound),
        cmocka_unit_test(a_size_that_was_seen_allocates_nothing),
        cmocka_unit_test(creating_and_destroying_holds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
