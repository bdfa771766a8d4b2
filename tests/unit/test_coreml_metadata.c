/* test_coreml_metadata.c - what metadata.json of a compiled model says of inputs and outputs; texts that are none. */
#include "coreml_metadata.h"
#include "errors.h"
#include "testing.h"

static const char metadata[] =
    "[{\"specificationVersion\": 8, \"inputSchema\": ["
    " {\"name\": \"ids\", \"type\": \"MultiArray\", \"dataType\": \"Int32\", \"shape\": \"[1, 64]\","
    "  \"hasShapeFlexibility\": \"1\", \"shapeRange\": \"[[1, 1], [1, -1]]\", \"isOptional\": \"1\"},"
    " {\"name\": \"mask\", \"type\": \"MultiArray\", \"dataType\": \"Float16\", \"shape\": \"[2, 64]\","
    "  \"hasShapeFlexibility\": \"1\", \"enumeratedShapes\": \"[[2, 64], [3, 32]]\"},"
    " {\"name\": \"image\", \"type\": \"Image\", \"width\": \"300\", \"height\": \"200\","
    "  \"colorspace\": \"BGR\", \"isColor\": \"1\", \"hasSizeFlexibility\": \"1\","
    "  \"sizeRange\": \"[[100, 400], [50, 250]]\", \"isOptional\": \"0\"},"
    " {\"name\": \"gray\", \"type\": \"Image\", \"width\": \"30\", \"height\": \"20\","
    "  \"colorspace\": \"Grayscale\", \"enumeratedSizes\": \"[[30, 20], [60, 10]]\"}],"
    " \"outputSchema\": ["
    " {\"name\": \"label\", \"type\": \"String\"},"
    " {\"name\": \"scores\", \"type\": \"Dictionary\", \"keyType\": \"String\"},"
    " {\"name\": \"new\", \"type\": \"Hologram\"}]}]";

static void parse(const char *text, struct coreml_interface *ret)
{
    struct model_error err = MODEL_ERROR_INIT;
    if (coreml_metadata_parse(text, strlen(text), "metadata.json", ret, &err) != MODEL_OK)
        fail_msg("%s", err.message);
}

static void are_sizes(const int64_t *sizes, int64_t first, int64_t second)
{
    assert_int_equal(sizes[0], first);
    assert_int_equal(sizes[1], second);
}

static void tells_arrays_with_their_sizes(void **state)
{
    (void)state;
    struct coreml_interface interface;
    parse(metadata, &interface);
    const struct coreml_feature *ids = coreml_features_find(&interface.inputs, "ids"),
                                *mask = coreml_features_find(&interface.inputs, "mask");
    assert_int_equal(interface.inputs.n, 4);
    assert_int_equal(ids->kind, COREML_FEATURE_ARRAY);
    assert_int_equal(ids->dtype, MODEL_I32);
    assert_true(ids->is_optional && ids->is_flexible);
    assert_int_equal(ids->rank, 2);
    are_sizes(ids->shape, 1, 64);
    are_sizes(ids->min, 1, 1);
    are_sizes(ids->max, 1, -1);
    assert_false(mask->is_optional);
    assert_int_equal(mask->dtype, MODEL_F16);
    assert_int_equal(mask->n_permitted, 2);
    are_sizes(mask->permitted + 2, 3, 32);
    are_sizes(mask->min, 2, 32);
    are_sizes(mask->max, 3, 64);
    coreml_interface_finish(&interface);
}

static void tells_pictures_height_before_width(void **state)
{
    (void)state;
    struct coreml_interface interface;
    parse(metadata, &interface);
    const struct coreml_feature *image = coreml_features_find(&interface.inputs, "image"),
                                *gray = coreml_features_find(&interface.inputs, "gray");
    assert_int_equal(image->kind, COREML_FEATURE_IMAGE);
    assert_int_equal(image->color, COREML_BGR);
    are_sizes(image->shape, 200, 300);
    are_sizes(image->min, 50, 100);
    are_sizes(image->max, 250, 400);
    assert_int_equal(gray->color, COREML_GRAY);
    are_sizes(gray->permitted, 20, 30);
    are_sizes(gray->permitted + 2, 10, 60);
    are_sizes(gray->min, 10, 30);
    are_sizes(gray->max, 20, 60);
    coreml_interface_finish(&interface);
}

static void tells_what_is_no_array(void **state)
{
    (void)state;
    struct coreml_interface interface;
    parse(metadata, &interface);
    assert_int_equal(interface.outputs.n, 3);
    assert_int_equal(interface.outputs.items[0].kind, COREML_FEATURE_STRING);
    assert_int_equal(interface.outputs.items[1].kind, COREML_FEATURE_DICTIONARY);
    assert_int_equal(interface.outputs.items[2].kind, COREML_FEATURE_NONE);
    coreml_interface_finish(&interface);
}

static void says_nothing_where_nothing_stands(void **state)
{
    (void)state;
    static const char *const empty[] = {"[]", "[{}]", "{}", "[{\"inputSchema\": 3}]", "\"\""};
    for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) {
        struct coreml_interface interface;
        parse(empty[i], &interface);
        assert_int_equal(interface.inputs.n + interface.outputs.n, 0);
        coreml_interface_finish(&interface);
    }
}

static void refuses_what_are_no_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *type, *members, *why;
    } bad[] = {{"MultiArray", "\"shape\": \"[1, \"", "'x' has no sizes in its \"shape\""},
               {"MultiArray", "\"shape\": \"[1, -2]\"", "'x' has no sizes in its \"shape\""},
               {"MultiArray", "\"shape\": \"7\"", "'x' has no sizes in its \"shape\""},
               {"MultiArray", "\"shape\": \"[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]\"",
                "'x' has no sizes in its \"shape\""},
               {"MultiArray", "\"shape\": \"[1]\", \"shapeRange\": \"[[1, 2], [1, 2]]\"",
                "'x' has no sizes in its \"shapeRange\""},
               {"MultiArray", "\"shape\": \"[1]\", \"enumeratedShapes\": \"[[1], [1, 2]]\"",
                "'x' has no sizes in its \"enumeratedShapes\""},
               {"Image", "\"width\": \"wide\"", "'x' has no sizes in its \"width\""},
               {"Image", "\"sizeRange\": \"[[1, 2, 3], [1, 2]]\"",
                "'x' has no sizes in its \"sizeRange\""}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct model_error err = MODEL_ERROR_INIT;
        struct coreml_interface interface;
        char text[512];
        (void)snprintf(text, sizeof text,
                       "[{\"outputSchema\": [{\"name\": \"x\", \"type\": \"%s\", %s}]}]",
                       bad[i].type, bad[i].members);
        assert_int_equal(coreml_metadata_parse(text, strlen(text), "m", &interface, &err),
                         MODEL_CORRUPT);
        if (strstr(err.message, bad[i].why) == NULL)
            fail_msg("%s: %s", bad[i].members, err.message);
    }
}

static void refuses_every_cut_and_features_without_a_name(void **state)
{
    (void)state;
    static const char unnamed[] = "[{\"inputSchema\": [{\"type\": \"Image\"}]}]";
    struct model_error err = MODEL_ERROR_INIT;
    struct coreml_interface interface;
    for (size_t n = 0; n + 1 < sizeof metadata; n++)
        assert_int_equal(coreml_metadata_parse(metadata, n, "m", &interface, NULL), MODEL_CORRUPT);
    assert_int_equal(coreml_metadata_parse(unnamed, sizeof unnamed - 1, "m", &interface, &err),
                     MODEL_CORRUPT);
    assert_string_equal(err.message, "m: an input or output has no \"name\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_arrays_with_their_sizes),
        cmocka_unit_test(tells_pictures_height_before_width),
        cmocka_unit_test(tells_what_is_no_array),
        cmocka_unit_test(says_nothing_where_nothing_stands),
        cmocka_unit_test(refuses_what_are_no_sizes),
        cmocka_unit_test(refuses_every_cut_and_features_without_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
