/* test_coreml_model.c - a Core ML model's outermost message: kinds, features, metadata, labels, and bytes that are
 * none. Covers store/coreml/coreml_model.c, store/coreml/coreml_features.c, store/coreml/coreml_labels.c,
 * store/coreml/coreml_tree.c, store/coreml/coreml_build.c, store/coreml/coreml_scan.c and
 * store/coreml/coreml_message.c. */
#include "coreml_writer.h"

#define CLASSIFIER 403
#define NETWORK    500
#define PIPELINE   202

static const struct proto nothing;

static struct proto identity(void)
{
    /* one linear activation from x to y */
    return proto_in(1, layer_of("x", "y", 130, proto_in(5, nothing)));
}

static void assert_line_of(const struct coreml_features *features, const char *wanted)
{
    char *line = coreml_features_line(features);
    assert_string_equal(line, wanted);
    free(line);
}

static void reads_kind_features_and_metadata(void **state)
{
    (void)state;
    struct proto model = {.n = 0}, description = two_features();
    struct proto metadata = proto_of_text(3, "A. Author");
    proto_text(&metadata, 4, "MIT");
    proto_child(&description, 100, &metadata);
    const struct proto body = identity();
    proto_number(&model, 1, 4);
    proto_child(&model, 2, &description);
    proto_child(&model, NETWORK, &body);
    struct coreml_model *read = read_model(&model);
    assert_int_equal(read->version, 4);
    assert_string_equal(read->kind, "neuralNetwork");
    assert_string_equal(read->author, "A. Author");
    assert_string_equal(read->license, "MIT");
    assert_string_equal(read->description, "");
    assert_int_equal(read->inputs.n, 1);
    assert_string_equal(read->inputs.items[0].name, "x");
    assert_int_equal(read->inputs.items[0].kind, COREML_FEATURE_ARRAY);
    assert_int_equal(read->inputs.items[0].dtype, MODEL_F32);
    assert_int_equal(read->inputs.items[0].rank, 1);
    assert_int_equal(read->inputs.items[0].shape[0], 2);
    assert_false(read->inputs.items[0].is_flexible);
    assert_non_null(coreml_features_find(&read->outputs, "y"));
    assert_null(coreml_features_find(&read->outputs, "x"));
    assert_line_of(&read->inputs, "x[2]");
    coreml_model_close(read);
}

static void reads_an_image_and_its_range_of_sizes(void **state)
{
    (void)state;
    struct proto image = {.n = 0}, feature = proto_of_text(1, "picture"), description = {.n = 0};
    struct proto model = {.n = 0}, range = {.n = 0}, sizes = {.n = 0};
    proto_number(&range, 1, 10);
    proto_number(&range, 2, UINT64_MAX); /* -1: no bound */
    proto_child(&sizes, 1, &range);
    proto_child(&sizes, 2, &range);
    proto_number(&image, 1, 30);
    proto_number(&image, 2, 20);
    proto_number(&image, 3, COREML_BGR);
    proto_child(&image, 31, &sizes);
    const struct proto type = proto_in(4, image);
    proto_child(&feature, 3, &type);
    proto_child(&description, 1, &feature);
    proto_number(&model, 1, 1);
    proto_child(&model, 2, &description);
    proto_empty(&model, PIPELINE);
    struct coreml_model *read = read_model(&model);
    const struct coreml_feature *found = &read->inputs.items[0];
    assert_string_equal(read->kind, "pipeline");
    assert_null(read->network);
    assert_int_equal(found->kind, COREML_FEATURE_IMAGE);
    assert_int_equal(found->color, COREML_BGR);
    assert_int_equal(found->shape[0], 20); /* height first */
    assert_int_equal(found->shape[1], 30);
    assert_true(found->is_flexible);
    assert_int_equal(found->min[0], 10);
    assert_int_equal(found->max[1], -1);
    assert_line_of(&read->inputs, "picture[10..-1,10..-1]");
    coreml_model_close(read);
}

/* A part without a version, of a kind that is only named, and a pipeline in the pipeline. */
static void reads_the_parts_of_a_pipeline(void **state)
{
    (void)state;
    struct proto scaler = {.n = 0}, inner = {.n = 0}, pipeline = {.n = 0}, model = {.n = 0};
    struct proto description = {.n = 0}, feature = proto_of_text(1, "x"), deep = {.n = 0};
    proto_child(&description, 1, &feature);
    proto_child(&scaler, 2, &description);
    proto_empty(&scaler, 604);
    proto_child(&inner, 1, &scaler);
    proto_number(&deep, 1, 5);
    proto_child(&deep, PIPELINE, &inner);
    proto_child(&pipeline, 1, &scaler);
    proto_child(&pipeline, 1, &deep);
    proto_text(&pipeline, 2, "scale");
    const struct proto regressor = proto_in(1, pipeline);
    proto_number(&model, 1, 3);
    proto_child(&model, 201, &regressor);
    struct coreml_model *read = read_model(&model);
    assert_string_equal(read->kind, "pipelineRegressor");
    assert_int_equal(read->n_parts, 2);
    assert_string_equal(read->parts[0].part_name, "scale");
    assert_string_equal(read->parts[0].kind, "scaler");
    assert_string_equal(read->parts[0].inputs.items[0].name, "x");
    assert_int_equal(read->parts[0].version, 3);
    assert_string_equal(read->parts[1].part_name, "");
    assert_int_equal(read->parts[1].version, 5);
    assert_int_equal(read->parts[1].n_parts, 1);
    assert_string_equal(read->parts[1].parts[0].kind, "scaler");
    coreml_model_close(read);
    proto_number(&scaler, 1, 99); /* a version that nobody knows */
    const struct proto bad = proto_in(PIPELINE, proto_in(1, scaler));
    struct proto newer = {.n = 0};
    proto_number(&newer, 1, 3);
    proto_raw(&newer, bad.data, bad.n);
    expect_refusal(&newer, MODEL_UNSUPPORTED, "specification version 99");
}

static void reads_permitted_shapes_as_their_hull(void **state)
{
    (void)state;
    struct proto array = {.n = 0}, shapes = {.n = 0}, feature = proto_of_text(1, "x");
    struct proto description = {.n = 0}, model = {.n = 0};
    for (uint64_t size = 2; size <= 8; size += 3) {
        struct proto shape = {.n = 0};
        proto_number(&shape, 1, size);
        proto_child(&shapes, 1, &shape);
    }
    proto_number(&array, 1, 5);
    proto_number(&array, 2, 131104);
    proto_child(&array, 21, &shapes);
    const struct proto type = proto_in(5, array);
    proto_child(&feature, 3, &type);
    proto_child(&description, 1, &feature);
    proto_number(&model, 1, 1);
    proto_child(&model, 2, &description);
    proto_empty(&model, PIPELINE);
    struct coreml_model *read = read_model(&model);
    assert_int_equal(read->inputs.items[0].dtype, MODEL_I32);
    assert_int_equal(read->inputs.items[0].min[0], 2);
    assert_int_equal(read->inputs.items[0].max[0], 8);
    assert_int_equal(read->inputs.items[0].n_permitted, 3);
    assert_memory_equal(read->inputs.items[0].permitted, ((const int64_t[]){2, 5, 8}),
                        3 * sizeof(int64_t));
    coreml_model_close(read);
}

static void reads_permitted_sizes_of_a_picture_height_first(void **state)
{
    (void)state;
    struct proto image = {.n = 0}, sizes = {.n = 0}, feature = proto_of_text(1, "picture");
    struct proto description = {.n = 0}, model = {.n = 0};
    for (uint64_t i = 0; i < 2; i++) {
        struct proto size = {.n = 0};
        proto_number(&size, 1, 30 + 10 * i);
        proto_number(&size, 2, 20);
        proto_child(&sizes, 1, &size);
    }
    proto_number(&image, 1, 30);
    proto_number(&image, 2, 20);
    proto_number(&image, 3, COREML_RGB);
    proto_child(&image, 21, &sizes);
    const struct proto type = proto_in(4, image);
    proto_child(&feature, 3, &type);
    proto_child(&description, 1, &feature);
    proto_number(&model, 1, 1);
    proto_child(&model, 2, &description);
    proto_empty(&model, PIPELINE);
    struct coreml_model *read = read_model(&model);
    const struct coreml_feature *found = &read->inputs.items[0];
    assert_int_equal(found->n_permitted, 2);
    assert_memory_equal(found->permitted, ((const int64_t[]){20, 30, 20, 40}), 4 * sizeof(int64_t));
    assert_int_equal(found->min[1], 30);
    assert_int_equal(found->max[1], 40);
    assert_int_equal(read->size_bytes, model.n);
    coreml_model_close(read);
}

static void reads_labels_that_are_texts_or_numbers(void **state)
{
    (void)state;
    struct proto texts = identity(), numbers = identity(), list = {.n = 0};
    proto_text(&list, 1, "cat");
    proto_text(&list, 1, "dog");
    proto_child(&texts, 100, &list);
    struct proto model = model_of(1, CLASSIFIER, texts);
    struct coreml_model *read = read_model(&model);
    assert_int_equal(read->n_labels, 2);
    assert_string_equal(read->labels[1], "dog");
    assert_false(read->labels_are_numbers);
    coreml_model_close(read);
    struct proto packed = {.n = 0}, both = {.n = 0};
    proto_varint(&packed, 7);
    proto_varint(&packed, UINT64_MAX); /* -1 */
    proto_child(&both, 1, &packed);    /* packed, and one that is not */
    proto_number(&both, 1, 9);
    proto_child(&numbers, 101, &both);
    model = model_of(1, CLASSIFIER, numbers);
    read = read_model(&model);
    assert_int_equal(read->n_labels, 3);
    assert_string_equal(read->labels[0], "7");
    assert_string_equal(read->labels[1], "-1");
    assert_string_equal(read->labels[2], "9");
    assert_true(read->labels_are_numbers);
    coreml_model_close(read);
}

static void refuses_every_cut(void **state)
{
    (void)state;
    const struct proto model = model_of(1, NETWORK, identity());
    for (size_t n = 0; n < model.n; n++) {
        struct coreml_model *read = NULL;
        struct model_error err = MODEL_ERROR_INIT;
        const model_status status = coreml_model_parse(model.data, n, "m", &read, &err);
        assert_int_not_equal(status, MODEL_OK);
        assert_true(err.message[0] != '\0');
        assert_null(read);
    }
}

static void refuses_what_breaks_the_encoding(void **state)
{
    (void)state;
    struct proto model = model_of(1, NETWORK, identity());
    proto_text(&model, 2, "");
    expect_refusal(&model, MODEL_CORRUPT, "stands twice");
    model = model_of(1, NETWORK, identity());
    proto_empty(&model, PIPELINE); /* a second kind */
    expect_refusal(&model, MODEL_CORRUPT, "stands twice");
    model = model_of(1, NETWORK, identity());
    proto_text(&model, 1, "four");
    expect_refusal(&model, MODEL_CORRUPT, "another type");
    model = model_of(1, NETWORK, identity());
    proto_varint(&model, 9 << 3 | 3); /* a group */
    expect_refusal(&model, MODEL_CORRUPT, "broken or cut");
    model = model_of(1, NETWORK, proto_in(1, layer_of("x", "\xff", 130, nothing)));
    expect_refusal(&model, MODEL_CORRUPT, "no UTF-8");
    struct proto zero = {.n = 0};
    proto_bytes(&zero, 1, "a\0b", 3);
    model = model_of(1, NETWORK, proto_in(1, zero));
    expect_refusal(&model, MODEL_CORRUPT, "zero byte");
}

static void refuses_networks_in_networks_without_end(void **state)
{
    (void)state;
    struct proto body = nothing; /* branch (605): ifBranch (1): a network with such a layer */
    for (int i = 0; i < 60; i++)
        body = proto_in(1, proto_in(605, proto_in(1, body)));
    const struct proto model = model_of(4, NETWORK, body);
    expect_refusal(&model, MODEL_CORRUPT, "nested over 100 deep");
}

static void refuses_versions_and_kinds_that_are_not_known(void **state)
{
    (void)state;
    struct proto model = model_of(11, NETWORK, identity());
    expect_refusal(&model, MODEL_UNSUPPORTED, "specification version 11");
    model = model_of(0, NETWORK, identity());
    expect_refusal(&model, MODEL_CORRUPT, "no specification version");
    model = model_of(1, 9999, identity());
    expect_refusal(&model, MODEL_CORRUPT, "no body of a known kind");
    expect_refusal(&nothing, MODEL_CORRUPT, "empty file");
}

static void refuses_features_that_cannot_be(void **state)
{
    (void)state;
    struct proto model = {.n = 0}, description = two_features();
    const struct proto again = array_feature("x", (const uint64_t[]){2}, 1);
    proto_child(&description, 1, &again);
    proto_number(&model, 1, 1);
    proto_child(&model, 2, &description);
    proto_empty(&model, PIPELINE);
    expect_refusal(&model, MODEL_CORRUPT, "'x' stands twice");
    model = description = nothing;
    const struct proto below = array_feature("x", (const uint64_t[]){UINT64_MAX}, 1);
    proto_child(&description, 1, &below);
    proto_number(&model, 1, 1);
    proto_child(&model, 2, &description);
    proto_empty(&model, PIPELINE);
    expect_refusal(&model, MODEL_CORRUPT, "size of 'x'");
}

/* A model without layers that matter, of this description. */
static struct proto described(struct proto description)
{
    struct proto model = {.n = 0};
    proto_number(&model, 1, 1);
    proto_child(&model, 2, &description);
    proto_empty(&model, PIPELINE);
    return model;
}

static void refuses_names_that_a_terminal_would_obey(void **state)
{
    (void)state;
    static const char *const names[][2] = {{"x\x1b[31m", "'x\\x1b[31m', want a name"},
                                           {"a\nb", "'a\\x0ab'"},
                                           {"a\xe2\x80\xae b", "\\xe2\\x80\\xae b'"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const uint64_t shape[] = {2};
        const struct proto model = described(proto_in(1, array_feature(names[i][0], shape, 1)));
        expect_refusal(&model, MODEL_CORRUPT, names[i][1]);
    }
}

static void refuses_a_default_outside_of_its_range(void **state)
{
    (void)state;
    static const struct {
        uint64_t low, high;
        const char *why; /* NULL: it is inside */
    } rows[] = {{1, 4, NULL},
                {4, UINT64_MAX, NULL}, /* no bound */
                {5, UINT64_MAX, "'x' is 4 in dimension 0 by default, outside of its range of 5 to"},
                {1, 3, "'x' is 4 in dimension 0 by default, outside of its range of 1 to 3"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct proto array = {.n = 0}, range = {.n = 0}, feature = proto_of_text(1, "x");
        proto_number(&array, 1, 4);
        proto_number(&array, 2, 65568);
        proto_number(&range, 1, rows[i].low);
        proto_number(&range, 2, rows[i].high);
        const struct proto ranges = proto_in(1, range);
        proto_child(&array, 31, &ranges);
        const struct proto type = proto_in(5, array);
        proto_child(&feature, 3, &type);
        const struct proto model = described(proto_in(1, feature));
        if (rows[i].why == NULL)
            coreml_model_close(read_model(&model));
        else
            expect_refusal(&model, MODEL_CORRUPT, rows[i].why);
    }
}

static void refuses_predictions_that_nothing_makes(void **state)
{
    (void)state;
    static const struct {
        uint32_t field;
        const char *why;
    } rows[] = {{11, "predictedFeatureName is 'z', and no output has that name"},
                {12, "predictedProbabilitiesName is 'z', and no output has that name"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct proto description = two_features();
        proto_text(&description, rows[i].field, "z");
        const struct proto bad = described(description);
        expect_refusal(&bad, MODEL_CORRUPT, rows[i].why);
        description = two_features();
        proto_text(&description, rows[i].field, "y");
        const struct proto good = described(description);
        coreml_model_close(read_model(&good));
    }
    struct proto body = identity();
    proto_text(&body, 200, "z");
    const struct proto bad = model_of(1, CLASSIFIER, body);
    expect_refusal(&bad, MODEL_CORRUPT, "labelProbabilityLayerName is 'z', and no layer");
    body = identity();
    proto_text(&body, 200, "y");
    const struct proto good = model_of(1, CLASSIFIER, body);
    coreml_model_close(read_model(&good));
}

static void leaves_unknown_fields_alone(void **state)
{
    (void)state;
    struct proto model = model_of(1, NETWORK, identity());
    proto_number(&model, 9999, 1);
    proto_text(&model, 9998, "\xff");
    struct coreml_model *read = read_model(&model);
    assert_int_equal(read->network->n_layers, 1);
    coreml_model_close(read);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_kind_features_and_metadata),
        cmocka_unit_test(reads_an_image_and_its_range_of_sizes),
        cmocka_unit_test(reads_the_parts_of_a_pipeline),
        cmocka_unit_test(reads_permitted_shapes_as_their_hull),
        cmocka_unit_test(reads_permitted_sizes_of_a_picture_height_first),
        cmocka_unit_test(reads_labels_that_are_texts_or_numbers),
        cmocka_unit_test(refuses_every_cut),
        cmocka_unit_test(refuses_what_breaks_the_encoding),
        cmocka_unit_test(refuses_networks_in_networks_without_end),
        cmocka_unit_test(refuses_versions_and_kinds_that_are_not_known),
        cmocka_unit_test(refuses_features_that_cannot_be),
        cmocka_unit_test(refuses_names_that_a_terminal_would_obey),
        cmocka_unit_test(refuses_a_default_outside_of_its_range),
        cmocka_unit_test(refuses_predictions_that_nothing_makes),
        cmocka_unit_test(leaves_unknown_fields_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
