/* test_resnet_parity.c - a full-size ResNet-50 against what transformers computed from the same
 * weights (../shared/models); skipped where that folder is absent. */
#include "picture_harness.h"

#include "files.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ABS 5e-5
#define MAX_RMS 5e-6

static const char *const names[] = {"logits", "pooler_output", NULL};

struct parity {
    struct harness *h, *reference;
    struct buffer config;
    const struct model_tensor *pixels;
};

/* false: skip. */
static bool open_model(uint32_t threads, struct parity *ret)
{
    char *folder = harness_synth_model("resnet-50-synth");
    char *reference = harness_shared_file("resnet-50-synth", "reference.safetensors");
    char path[1024];
    memset(ret, 0, sizeof *ret);
    if (folder == NULL || reference == NULL) {
        free(folder);
        free(reference);
        print_message("SHARED/models is absent: set SHARED to run the parity tests\n");
        return false;
    }
    (void)snprintf(path, sizeof path, "%s/config.json", folder);
    ret->config.max_bytes = 1 << 20;
    assert_int_equal(file_read(path, 1 << 20, &ret->config, NULL), MODEL_OK);
    ret->h = harness_create("resnet", ret->config.data, threads);
    (void)snprintf(path, sizeof path, "%s/model.safetensors", folder);
    harness_open(ret->h, path);
    ret->reference = harness_create(NULL, "{}", 1);
    harness_open(ret->reference, reference);
    if (harness_load(ret->h) != MODEL_OK)
        fail_msg("%s", ret->h->err.message);
    ret->pixels = harness_tensor(ret->reference, "pixel_values");
    free(folder);
    free(reference);
    return true;
}

static void close_model(struct parity *p)
{
    assert_int_equal(harness_destroy(p->h), 0);
    (void)harness_destroy(p->reference);
    buffer_finish(&p->config);
}

static void check_batch(uint32_t threads)
{
    struct parity p;
    struct harness_outputs outputs;
    if (!open_model(threads, &p))
        skip();
    assert_string_equal(p.h->model->description->architecture, "ResNetForImageClassification");
    assert_string_equal(p.h->model->description->task, "image-classification");
    assert_int_equal(picture_run(p.h, p.pixels->data, p.pixels->shape, names, &outputs), MODEL_OK);
    for (size_t i = 0; i < 2; i++) {
        const struct model_tensor *want = harness_tensor(p.reference, names[i]);
        assert_int_equal(outputs.tensors[i].size_bytes, want->size_bytes);
        picture_assert_close(names[i], &outputs.tensors[i], want->data, MAX_ABS, MAX_RMS);
    }
    harness_outputs_free(&outputs);
    close_model(&p);
}

static void resnet_50_agrees_with_transformers(void **state)
{
    (void)state;
    check_batch(1);
}

static void resnet_50_agrees_with_transformers_on_two_threads(void **state)
{
    (void)state;
    check_batch(2);
}

static void a_batch_gives_what_its_pictures_give_alone(void **state)
{
    (void)state;
    struct parity p;
    struct harness_outputs outputs;
    if (!open_model(1, &p))
        skip();
    const struct model_tensor *want = harness_tensor(p.reference, "logits");
    const int64_t shape[] = {1, p.pixels->shape[1], p.pixels->shape[2], p.pixels->shape[3]};
    const size_t picture = (size_t)(shape[1] * shape[2] * shape[3]);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(
            picture_run(p.h, (const float *)p.pixels->data + i * picture, shape, names, &outputs),
            MODEL_OK);
        picture_assert_close("single", &outputs.tensors[0],
                             (const float *)want->data + i * (size_t)want->shape[1], MAX_ABS,
                             MAX_RMS);
        harness_outputs_free(&outputs);
    }
    close_model(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resnet_50_agrees_with_transformers),
        cmocka_unit_test(resnet_50_agrees_with_transformers_on_two_threads),
        cmocka_unit_test(a_batch_gives_what_its_pictures_give_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
