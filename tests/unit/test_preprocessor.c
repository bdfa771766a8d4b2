/* test_preprocessor.c - preprocessor_config.json: defaults, every field, and hostile values. */
#include "preprocessor.h"
#include "errors.h"
#include "files.h"
#include "testing.h"

static model_status read_text(const char *text, struct preprocessor *ret, struct model_error *err)
{
    json_node *config = NULL;
    model_status status = json_parse(text, strlen(text), PREPROCESSOR_FILE, &config, err);
    if (status == MODEL_OK)
        status = preprocessor_read(config, ret, err);
    json_free(config);
    return status;
}

/* The fields of one processor, with its name before them. */
static struct preprocessor read_fields(const char *name, const char *fields)
{
    struct preprocessor preprocessor;
    struct model_error err = MODEL_ERROR_INIT;
    char *text = text_format("{\"image_processor_type\":\"%s\"%s%s}", name,
                             fields[0] != '\0' ? "," : "", fields);
    if (read_text(text, &preprocessor, &err) != MODEL_OK)
        fail_msg("%s: %s", text, err.message);
    free(text);
    return preprocessor;
}

static void assert_refused(const char *name, const char *fields, model_status wanted,
                           const char *sentence)
{
    struct preprocessor preprocessor;
    struct model_error err = MODEL_ERROR_INIT;
    char *text = text_format("{\"image_processor_type\":\"%s\",%s}", name, fields);
    assert_int_equal(read_text(text, &preprocessor, &err), wanted);
    assert_string_equal(err.message, sentence);
    free(text);
}

static void each_processor_has_its_own_defaults(void **state)
{
    (void)state;
    struct preprocessor p = read_fields("ViTImageProcessor", "");
    assert_true(p.do_resize && !p.do_center_crop && p.do_rescale && p.do_normalize);
    assert_true(p.height == 224 && p.width == 224 && p.filter == IMAGE_BILINEAR);
    assert_true(p.mean[1] == 0.5 && p.std[2] == 0.5 && p.rescale_factor == 1.0 / 255);
    assert_int_equal(p.num_channels, 3);
    p = read_fields("DeiTFeatureExtractor", "");
    assert_true(p.height == 256 && p.do_center_crop && p.crop_height == 224 &&
                p.filter == IMAGE_BICUBIC);
    p = read_fields("CLIPImageProcessorFast", "");
    assert_true(p.shortest_edge == 224 && p.height == 0 && p.crop_width == 224 &&
                p.mean[0] == 0.48145466 && p.std[2] == 0.27577711);
    p = read_fields("MobileNetV2ImageProcessor", "");
    assert_true(p.shortest_edge == 256 && p.crop_height == 224 && p.filter == IMAGE_BILINEAR);
    p = read_fields("MobileViTImageProcessor", "");
    assert_true(p.shortest_edge == 224 && p.do_center_crop && p.crop_height == 256 &&
                p.filter == IMAGE_BILINEAR && p.do_rescale && p.do_flip && !p.do_normalize);
    p = read_fields("ConvNextImageProcessor", "");
    assert_true(!p.do_flip && p.height == 384 && p.width == 384 && !p.do_center_crop);
}

static void the_old_name_of_the_type_counts_too(void **state)
{
    (void)state;
    struct preprocessor p;
    assert_int_equal(read_text("{\"feature_extractor_type\":\"CLIPFeatureExtractor\"}", &p, NULL),
                     MODEL_OK);
    assert_int_equal(p.shortest_edge, 224);
}

static void every_field_counts(void **state)
{
    (void)state;
    struct preprocessor p = read_fields(
        "CLIPImageProcessor",
        "\"size\":{\"height\":30,\"width\":40},\"crop_size\":{\"height\":20,\"width\":10},"
        "\"resample\":5,\"rescale_factor\":0.5,\"image_mean\":[1,2,3],\"image_std\":[4,5,6],"
        "\"do_convert_rgb\":true,\"do_reduce_labels\":true,\"processor_class\":\"CLIPProcessor\"");
    assert_true(p.height == 30 && p.width == 40 && p.crop_height == 20 && p.crop_width == 10);
    assert_true(p.filter == IMAGE_HAMMING && p.rescale_factor == 0.5 && p.mean[2] == 3 &&
                p.std[0] == 4);
    p = read_fields("CLIPImageProcessor", "\"do_resize\":false,\"do_center_crop\":false,"
                                          "\"do_rescale\":false,\"do_normalize\":false");
    assert_false(p.do_resize || p.do_center_crop || p.do_rescale || p.do_normalize);
    p = read_fields("ViTImageProcessor", "\"size\":7,\"image_mean\":0.25,\"image_std\":2");
    assert_true(p.height == 7 && p.width == 7 && p.mean[2] == 0.25 && p.std[1] == 2);
    p = read_fields("CLIPImageProcessor", "\"size\":7,\"default_to_square\":true,\"crop_size\":9");
    assert_true(p.height == 7 && p.crop_height == 9 && p.crop_width == 9);
    p = read_fields("BitImageProcessor", "\"size\":{\"shortest_edge\":99}");
    assert_true(p.shortest_edge == 99 && p.height == 0);
}

static void convnext_crops_below_384_and_squeezes_from_there_on(void **state)
{
    (void)state;
    struct preprocessor p =
        read_fields("ConvNextImageProcessor", "\"size\":224,\"crop_pct\":0.875");
    assert_true(p.shortest_edge == 256 && p.height == 0 && p.do_center_crop &&
                p.crop_height == 224);
    p = read_fields("ConvNextFeatureExtractor",
                    "\"size\":{\"shortest_edge\":224},\"crop_pct\":0.95");
    assert_int_equal(p.shortest_edge, 235);
    p = read_fields("ConvNextImageProcessor", "\"size\":383");
    assert_int_equal(p.shortest_edge, 437);
    p = read_fields("ConvNextImageProcessor", "\"size\":384,\"crop_pct\":0.5");
    assert_true(p.height == 384 && p.width == 384 && !p.do_center_crop);
    p = read_fields("ConvNextImageProcessor", "\"size\":224,\"do_resize\":false");
    assert_false(p.do_center_crop);
}

static void one_mean_means_gray(void **state)
{
    (void)state;
    struct preprocessor p =
        read_fields("ViTImageProcessor", "\"image_mean\":[0.1307],\"image_std\":[0.3081]");
    assert_int_equal(p.num_channels, 1);
    assert_true(p.mean[0] == 0.1307 && p.std[0] == 0.3081);
    p = read_fields("ViTImageProcessor", "\"num_channels\":1");
    assert_int_equal(p.num_channels, 1);
    p = read_fields("ViTImageProcessor", "\"num_channels\":3,\"image_mean\":[0.1]");
    assert_int_equal(p.num_channels, 3);
}

static void a_model_of_one_channel_wants_one_mean(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    struct preprocessor p = read_fields("ViTImageProcessor", "");
    assert_int_equal(preprocessor_set_channels(&p, 1, NULL), MODEL_OK);
    assert_int_equal(p.num_channels, 1);
    assert_int_equal(preprocessor_set_channels(&p, 4, &err), MODEL_UNSUPPORTED);
    assert_string_equal(err.message,
                        "the model takes pictures of 4 channels, want 3 (RGB) or 1 (gray)");
    p = read_fields("CLIPImageProcessor", "");
    assert_int_equal(preprocessor_set_channels(&p, 1, &err), MODEL_UNSUPPORTED);
    assert_string_equal(err.message,
                        "preprocessor_config.json: num_channels is 1, but image_mean and image_std "
                        "differ between channels; want 1 number each");
    assert_int_equal(p.num_channels, 3);
}

static void hostile_values_are_refused_with_what_is_wanted(void **state)
{
    (void)state;
    static const char side[] = "want a whole number from 1 to 8192";
    static const struct {
        const char *fields, *found, *want;
    } cases[] = {
        {"\"size\":0", "size is 0", side},
        {"\"size\":1e9", "size is 1000000000", side},
        {"\"size\":-224", "size is -224", side},
        {"\"size\":224.5", "size is 224.5", side},
        {"\"size\":\"224\"", "size is \"224\"", side},
        {"\"size\":{\"height\":0,\"width\":4}", "size.height is 0", side},
        {"\"size\":{\"height\":4,\"width\":8193}", "size.width is 8193", side},
        {"\"size\":{\"shortest_edge\":-1}", "size.shortest_edge is -1", side},
        {"\"size\":{\"height\":4}", "size is {\"height\":4}",
         "want \"height\" and \"width\", \"shortest_edge\", or a number"},
        {"\"size\":{}", "size is {}",
         "want \"height\" and \"width\", \"shortest_edge\", or a number"},
        {"\"size\":{\"longest_edge\":4}", "size is {\"longest_edge\":4}",
         "want \"height\" and \"width\", \"shortest_edge\", or a number"},
        {"\"crop_size\":0", "crop_size is 0", side},
        {"\"crop_size\":{\"height\":4}", "crop_size is {\"height\":4}",
         "want \"height\" and \"width\", or a number"},
        {"\"crop_size\":{\"height\":4,\"depth\":4}", "crop_size.width is not there", side},
        {"\"resample\":6", "resample is 6",
         "want 0 (nearest), 1 (lanczos), 2 (bilinear), 3 (bicubic), 4 (box) or 5 (hamming)"},
        {"\"do_resize\":1", "do_resize is 1", "want true or false"},
        {"\"rescale_factor\":0", "rescale_factor is 0", "want a number from 1e-6 to 1e6"},
        {"\"rescale_factor\":1e999", "rescale_factor is null", "want a number from 1e-6 to 1e6"},
        {"\"image_mean\":[1,2]", "image_mean is [1,2]", "want 3 numbers, or 1 for gray"},
        {"\"image_mean\":[]", "image_mean is []", "want 3 numbers, or 1 for gray"},
        {"\"image_mean\":[1,2,\"x\"]", "image_mean is \"x\"", "want numbers from -1e6 to 1e6"},
        {"\"image_std\":[1,0,1]", "image_std is 0", "want numbers from 1e-6 to 1e6"},
        {"\"image_std\":[-1,1,1]", "image_std is -1", "want numbers from 1e-6 to 1e6"},
        {"\"num_channels\":2", "num_channels is 2", "want 3 (RGB) or 1 (gray)"},
        {"\"data_format\":\"channels_last\"", "data_format is \"channels_last\"",
         "want \"channels_first\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *sentence =
            text_format("preprocessor_config.json: %s, %s", cases[i].found, cases[i].want);
        assert_refused("CLIPImageProcessor", cases[i].fields, MODEL_CORRUPT, sentence);
        free(sentence);
    }
    assert_refused("ConvNextImageProcessor", "\"crop_pct\":0", MODEL_CORRUPT,
                   "preprocessor_config.json: crop_pct is 0, want a number from 0.01 to 1");
    assert_refused("ConvNextImageProcessor", "\"size\":{\"height\":224,\"width\":224}",
                   MODEL_CORRUPT,
                   "preprocessor_config.json: size is {\"height\":224,\"width\":224}, want "
                   "\"shortest_edge\", or a number");
    assert_refused("ViTImageProcessor", "\"size\":4,\"size\":5", MODEL_CORRUPT,
                   "preprocessor_config.json: the key 'size' stands twice");
}

static void what_is_not_known_is_refused_by_name(void **state)
{
    (void)state;
    struct preprocessor p;
    struct model_error err = MODEL_ERROR_INIT;
    assert_refused("DonutImageProcessor", "\"size\":4", MODEL_UNSUPPORTED,
                   "preprocessor_config.json: image_processor_type 'DonutImageProcessor' is not "
                   "known; there are the image processors of ViT, DeiT, Beit, Siglip, CLIP, Bit, "
                   "ViTHybrid, MobileNetV1, MobileNetV2, MobileViT, ConvNext");
    assert_int_equal(read_text("{}", &p, &err), MODEL_UNSUPPORTED);
    assert_int_equal(read_text("[]", &p, &err), MODEL_CORRUPT);
    assert_string_equal(err.message, "preprocessor_config.json: not a JSON object");
    static const char *const foreign[] = {"do_pad", "crop_pct", "do_center_crop",
                                          "do_flip_channel_order"};
    for (size_t i = 0; i < 4; i++) {
        char *fields = text_format("\"%s\":true", foreign[i]);
        char *sentence = text_format("preprocessor_config.json: ViT does not know the field '%s'; "
                                     "nothing is left out silently, so remove it if it does not "
                                     "matter",
                                     foreign[i]);
        assert_refused("ViTImageProcessor", fields, MODEL_UNSUPPORTED, sentence);
        free(fields);
        free(sentence);
    }
    assert_refused("MobileViTImageProcessor", "\"do_normalize\":true", MODEL_UNSUPPORTED,
                   "preprocessor_config.json: MobileViT does not know the field 'do_normalize'; "
                   "nothing is left out silently, so remove it if it does not matter");
    p = read_fields("ViTImageProcessor",
                    "\"do_pad\":false,\"crop_pct\":null,\"do_flip_channel_order\":null");
    assert_int_equal(p.height, 224);
}

static void a_folder_without_the_file_is_told_what_to_do(void **state)
{
    (void)state;
    struct preprocessor p;
    struct model_error err = MODEL_ERROR_INIT;
    char *dir = scratch_dir();
    assert_int_equal(preprocessor_load(NULL, dir, &p, &err), MODEL_NOT_FOUND);
    char *sentence =
        text_format("%s has no preprocessor_config.json, which says how pictures become "
                    "pixel_values; put the one of the model's repository there, or give "
                    "pixel_values as tensors (--inputs)",
                    dir);
    assert_string_equal(err.message, sentence);
    free(sentence);
    assert_int_equal(dir_remove_all(dir, NULL), MODEL_OK);
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_processor_has_its_own_defaults),
        cmocka_unit_test(the_old_name_of_the_type_counts_too),
        cmocka_unit_test(every_field_counts),
        cmocka_unit_test(convnext_crops_below_384_and_squeezes_from_there_on),
        cmocka_unit_test(one_mean_means_gray),
        cmocka_unit_test(a_model_of_one_channel_wants_one_mean),
        cmocka_unit_test(hostile_values_are_refused_with_what_is_wanted),
        cmocka_unit_test(what_is_not_known_is_refused_by_name),
        cmocka_unit_test(a_folder_without_the_file_is_told_what_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
