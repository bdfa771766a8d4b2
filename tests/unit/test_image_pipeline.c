/* test_image_pipeline.c - pictures through a host, with the fixture plugin_pixels, whose logits are the means
 * of the channels. Covers host/pipelines/image_batch.c, host/pipelines/image_input.c and the image form of host/api_run.c. */
#include "echo_package.h"
#include "errors.h"
#include "image_fixture.h"

#include <uv.h>

#define VIT                                                                                        \
    "{\"image_processor_type\":\"ViTImageProcessor\",\"size\":4,\"do_normalize\":false,"           \
    "\"do_rescale\":false}"

struct opened {
    struct modelhost *host;
    struct modelhost_model *model;
    char *dir;
};

static struct opened open_pixels(const char *config, const char *preprocessor)
{
    struct opened opened = {.dir = make_package("pixels", config)};
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct model_error err = MODEL_ERROR_INIT;
    if (preprocessor != NULL) {
        char *path = path_join(opened.dir, "preprocessor_config.json");
        write_file(path, preprocessor, strlen(preprocessor));
        free(path);
    }
    options.store_dir = options.plugin_path = opened.dir;
    options.lanes = options.threads = 1;
    if (modelhost_create(&options, &opened.host, &err) != MODEL_OK ||
        modelhost_load(opened.host, opened.dir, &opened.model, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return opened;
}

static void close_pixels(struct opened *opened)
{
    modelhost_release(opened->model);
    modelhost_destroy(opened->host);
    remove_package(opened->dir);
}

/* A PNG of one pixel. */
static struct buffer one_pixel(uint8_t r, uint8_t g, uint8_t b)
{
    struct buffer png = BUFFER_INIT(4096);
    const uint8_t row[] = {0, r, g, b};
    append_ihdr(&png, 1, 1, 8, 2);
    append_idat(&png, row, sizeof row);
    append_chunk(&png, "IEND", NULL, 0);
    return png;
}

static struct modelhost_image image_of(const struct buffer *file)
{
    return (struct modelhost_image){sizeof(struct modelhost_image), file->data, file->size};
}

static void labels_come_best_first_with_score_and_index(void **state)
{
    (void)state;
    struct opened opened =
        open_pixels("{\"id2label\":{\"0\":\"red\",\"1\":\"green\",\"2\":\"blue\"}}", VIT);
    struct buffer files[2] = {one_pixel(1, 3, 2), one_pixel(7, 5, 5)};
    const struct modelhost_image images[2] = {image_of(&files[0]), image_of(&files[1])};
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct modelhost_result *result = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    options.top_k = 2;
    if (modelhost_run_image(opened.model, images, 2, &options, &result, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    /* softmax(1, 3, 2) and softmax(7, 5, 5) */
    assert_string_equal(modelhost_result_json(result),
                        "[[{\"label\":\"green\",\"score\":0.665241,\"index\":1},"
                        "{\"label\":\"blue\",\"score\":0.2447285,\"index\":2}],"
                        "[{\"label\":\"red\",\"score\":0.786986,\"index\":0},"
                        "{\"label\":\"green\",\"score\":0.106507,\"index\":1}]]");
    const struct model_tensor *logits = modelhost_result_find(result, "logits");
    assert_int_equal(logits->shape[0], 2);
    assert_true(((const float *)logits->data)[3] == 7.0f);
    struct modelhost_timing timing = modelhost_result_timing(result);
    assert_true(timing.total_ns >= timing.run_ns + timing.queue_ns && timing.run_ns > 0);
    modelhost_result_destroy(result);
    buffer_finish(&files[0]);
    buffer_finish(&files[1]);
    close_pixels(&opened);
}

static void assert_run_refused(const char *config, const char *preprocessor,
                               const struct modelhost_image *images, uint32_t n_images,
                               const struct modelhost_run_options *options, model_status wanted,
                               const char *sentence)
{
    struct opened opened = open_pixels(config, preprocessor);
    struct modelhost_result *result = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(modelhost_run_image(opened.model, images, n_images, options, &result, &err),
                     wanted);
    const char *found = err.message;
    if (strncmp(found, opened.dir, strlen(opened.dir)) == 0)
        found += strlen(opened.dir);
    assert_string_equal(found, sentence);
    assert_null(result);
    close_pixels(&opened);
}

static void a_package_without_preprocessor_config_is_told_what_to_do(void **state)
{
    (void)state;
    struct buffer file = one_pixel(1, 2, 3);
    const struct modelhost_image image = image_of(&file);
    assert_run_refused("{}", NULL, &image, 1, NULL, MODEL_NOT_FOUND,
                       " has no preprocessor_config.json, which says how pictures become the "
                       "model's pixel_values (num_channels 3, height any, width any); put the one "
                       "of the model's repository there, or give pixel_values as tensors "
                       "(--inputs)");
    assert_run_refused("{\"size\":224,\"num_channels\":1}", NULL, &image, 1, NULL, MODEL_NOT_FOUND,
                       " has no preprocessor_config.json, which says how pictures become the "
                       "model's pixel_values (num_channels 1, height 224, width 224); put the one "
                       "of the model's repository there, or give pixel_values as tensors "
                       "(--inputs)");
    buffer_finish(&file);
}

static void a_preprocessor_for_another_size_is_refused_by_the_model(void **state)
{
    (void)state;
    struct buffer file = one_pixel(1, 2, 3);
    const struct modelhost_image image = image_of(&file);
    assert_run_refused("{\"size\":5}", VIT, &image, 1, NULL, MODEL_INVALID_ARGUMENT,
                       "'pixel_values': dimension 2 is 4, want 5");
    buffer_finish(&file);
}

static void a_model_of_one_channel_sees_gray(void **state)
{
    (void)state;
    struct opened opened = open_pixels("{\"num_channels\":1}", VIT);
    struct buffer file = one_pixel(255, 0, 0);
    const struct modelhost_image image = image_of(&file);
    struct modelhost_result *result = NULL;
    assert_int_equal(modelhost_run_image(opened.model, &image, 1, NULL, &result, NULL), MODEL_OK);
    const struct model_tensor *logits = modelhost_result_find(result, "logits");
    assert_true(((const float *)logits->data)[0] == 76.0f); /* 0.299 * 255 */
    modelhost_result_destroy(result);
    buffer_finish(&file);
    close_pixels(&opened);
}

static void wrong_calls_are_refused_with_the_reason(void **state)
{
    (void)state;
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct buffer file = one_pixel(1, 2, 3);
    struct modelhost_image image = image_of(&file);
    assert_run_refused("{}", VIT, &image, 0, NULL, MODEL_INVALID_ARGUMENT,
                       "0 images, want 1 to 1024");
    options.top_k = 10001;
    assert_run_refused("{}", VIT, &image, 1, &options, MODEL_INVALID_ARGUMENT,
                       "top_k is 10001, at most 10000");
    options.top_k = 0;
    options.task = "fill-mask";
    assert_run_refused("{}", VIT, &image, 1, &options, MODEL_UNSUPPORTED,
                       "unknown task 'fill-mask' for pictures; there is classify");
    assert_run_refused("{\"no_logits\":1}", VIT, &image, 1, NULL, MODEL_UNSUPPORTED,
                       "this Pixels has no labels: it has no output 'logits' of F32 and rank 2; "
                       "make pixel_values with modelhost preprocess and run them as tensors");
    image.size_bytes = 40;
    assert_run_refused("{}", VIT, &image, 1, NULL, MODEL_INVALID_ARGUMENT,
                       "image 1: the PNG ends too early, after 40 bytes");
    image.struct_size = 8;
    assert_run_refused("{}", VIT, &image, 1, NULL, MODEL_INVALID_ARGUMENT,
                       "image 1 is NULL or has no struct_size");
    buffer_finish(&file);
}

#define AS_IT_IS                                                                                   \
    "{\"image_processor_type\":\"MobileViTImageProcessor\",\"size\":{\"height\":2,\"width\":2},"   \
    "\"do_center_crop\":false,\"do_rescale\":false,\"do_flip_channel_order\":true}"
#define TAKES_BYTES "{\"takes_bytes\":1,\"id2label\":{\"0\":\"b\",\"1\":\"g\",\"2\":\"r\"}}"

static void write_beside_config(const struct opened *opened, const char *text)
{
    char *path = text_format("%s/backends/cpu/preprocessor_config.json", opened->dir);
    write_file(path, text, strlen(text));
    free(path);
}

static void a_picture_in_the_models_own_order_has_the_scores_that_the_model_gives(void **state)
{
    (void)state;
    struct opened opened = open_pixels(TAKES_BYTES, VIT); /* which is not for it */
    write_beside_config(&opened, AS_IT_IS);
    struct buffer file = one_pixel(10, 30, 20);
    const struct modelhost_image images[2] = {image_of(&file), image_of(&file)};
    struct modelhost_result *result = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    if (modelhost_run_image(opened.model, images, 1, NULL, &result, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    assert_string_equal(modelhost_result_json(result),
                        "[[{\"label\":\"g\",\"score\":30,\"index\":1},"
                        "{\"label\":\"b\",\"score\":20,\"index\":0},"
                        "{\"label\":\"r\",\"score\":10,\"index\":2}]]");
    modelhost_result_destroy(result);
    assert_int_equal(modelhost_run_image(opened.model, images, 2, NULL, &result, &err),
                     MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "'picture': dimension 0 is 2, want 1");
    buffer_finish(&file);
    close_pixels(&opened);
}

static void a_model_that_scales_pictures_itself_wants_its_own_preprocessor(void **state)
{
    (void)state;
    struct buffer file = one_pixel(1, 2, 3);
    const struct modelhost_image image = image_of(&file);
    assert_run_refused(TAKES_BYTES, VIT, &image, 1, NULL, MODEL_NOT_FOUND,
                       "/backends/cpu has no preprocessor_config.json, which says how pictures "
                       "become the model's picture (num_channels 3, height any, width any); "
                       "'pkgmgr import' of the model makes one, or give picture as tensors "
                       "(--inputs)");
    assert_run_refused("{\"takes_bytes\":1,\"id2label\":{\"0\":\"one\"}}", VIT, &image, 1, NULL,
                       MODEL_UNSUPPORTED,
                       "none of the outputs of this Pixels is of 1, the number of labels in its "
                       "config.json; give 'picture' as a tensor, F32 or U8 from 0 to 255 "
                       "(--inputs)");
    assert_run_refused("{\"takes_bytes\":1}", VIT, &image, 1, NULL, MODEL_UNSUPPORTED,
                       "this Pixels has no labels: there is no id2label in its config.json; give "
                       "'picture' as a tensor, F32 or U8 from 0 to 255 (--inputs)");
    assert_run_refused("{\"takes_bytes\":1,\"has_mask\":1}", VIT, &image, 1, NULL,
                       MODEL_UNSUPPORTED,
                       "this model takes more than a picture: 'picture' and 'mask'; give them as "
                       "tensors (--inputs)");
    buffer_finish(&file);
}

static void a_model_without_pictures_says_so(void **state)
{
    (void)state;
    struct echo echo = echo_open("{}", 0);
    struct modelhost_image image = {sizeof image, "x", 1};
    struct modelhost_result *result = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(modelhost_run_image(echo.model, &image, 1, NULL, &result, &err),
                     MODEL_UNSUPPORTED);
    assert_string_equal(err.message, "this model takes no pictures: it has no input 'pixel_values' "
                                     "of F32 and rank 4");
    echo_close(&echo);
}

struct answer {
    uv_sem_t there;
    model_status status;
    char text[MODEL_ERROR_BYTES];
};

static void take_answer(void *user, model_status status, struct modelhost_result *result,
                        const struct model_error *err)
{
    struct answer *answer = user;
    answer->status = status;
    (void)snprintf(answer->text, sizeof answer->text, "%s",
                   status == MODEL_OK ? modelhost_result_json(result) : err->message);
    modelhost_result_destroy(result);
    uv_sem_post(&answer->there);
}

static void asynchronous_calls_have_their_own_copy_of_the_file(void **state)
{
    (void)state;
    struct opened opened = open_pixels("{}", VIT);
    struct buffer file = one_pixel(0, 0, 99);
    const struct modelhost_image image = image_of(&file);
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct answer answer = {.status = MODEL_INTERNAL};
    assert_int_equal(uv_sem_init(&answer.there, 0), 0);
    options.top_k = 1;
    assert_int_equal(modelhost_run_image_async(opened.model, &image, 1, &options, take_answer,
                                               &answer, NULL, NULL),
                     MODEL_OK);
    memset(file.data, 0, file.size);
    buffer_finish(&file);
    uv_sem_wait(&answer.there);
    assert_string_equal(answer.text, "[[{\"label\":\"LABEL_2\",\"score\":1,\"index\":2}]]");
    uv_sem_destroy(&answer.there);
    close_pixels(&opened);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(labels_come_best_first_with_score_and_index),
        cmocka_unit_test(a_package_without_preprocessor_config_is_told_what_to_do),
        cmocka_unit_test(a_preprocessor_for_another_size_is_refused_by_the_model),
        cmocka_unit_test(a_model_of_one_channel_sees_gray),
        cmocka_unit_test(wrong_calls_are_refused_with_the_reason),
        cmocka_unit_test(a_picture_in_the_models_own_order_has_the_scores_that_the_model_gives),
        cmocka_unit_test(a_model_that_scales_pictures_itself_wants_its_own_preprocessor),
        cmocka_unit_test(a_model_without_pictures_says_so),
        cmocka_unit_test(asynchronous_calls_have_their_own_copy_of_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
