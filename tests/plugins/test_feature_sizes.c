/* test_feature_sizes.c - the sizes that an input may have, the sentence about others, and an output's dimensions at other sizes.
 * Covers plugins/coreml-ane/feature_sizes.c. */
#include "feature_sizes.h"

#include "coreml_ane.h"
#include "testing.h"

#define N_PERMITTED 100 /* more than a sentence has */

static struct ane_feature input_of(const struct coreml_feature *feature)
{
    return (struct ane_feature){.name = "x", .shape = input_default_shape(feature)};
}

static void expect_shape(const struct graph_shape *found, uint32_t rank, const int64_t *size)
{
    assert_int_equal(found->rank, rank);
    assert_memory_equal(found->size, size, rank * sizeof *size);
}

static void a_picture_has_planes_before_its_sizes(void **state)
{
    (void)state;
    const struct coreml_feature feature = {.kind = COREML_FEATURE_IMAGE,
                                           .color = COREML_GRAY,
                                           .is_flexible = true,
                                           .rank = 2,
                                           .shape = {20, 30},
                                           .min = {0, 25},
                                           .max = {-1, 28}};
    const struct ane_feature input = input_of(&feature);
    const struct input_sizes sizes = feature_sizes_of(&input, &feature);
    expect_shape(&input.shape, 4, (const int64_t[]){1, 1, 20, 30});
    expect_shape(&sizes.min, 4, (const int64_t[]){1, 1, 1, 25}); /* none is empty */
    expect_shape(&sizes.max, 4,
                 (const int64_t[]){1, 1, INT64_MAX, 30}); /* the default is always there */
    assert_false(feature_sizes_are_fixed(&sizes));
}

static void a_dimension_that_nothing_is_said_of_has_any_size(void **state)
{
    (void)state;
    const struct coreml_feature feature = {.kind = COREML_FEATURE_ARRAY};
    const struct ane_feature input = {.shape = {2, {1, 5}}, .open = 1};
    const struct input_sizes sizes = feature_sizes_of(&input, &feature);
    expect_shape(&sizes.min, 2, (const int64_t[]){1, 5});
    expect_shape(&sizes.max, 2, (const int64_t[]){INT64_MAX, 5});
}

static void an_array_without_ranges_is_fixed(void **state)
{
    (void)state;
    const struct coreml_feature feature = {
        .kind = COREML_FEATURE_ARRAY, .rank = 2, .shape = {3, 4}, .min = {3, 4}, .max = {3, 4}};
    const struct ane_feature input = input_of(&feature);
    const struct input_sizes sizes = feature_sizes_of(&input, &feature);
    assert_true(feature_sizes_are_fixed(&sizes));
}

static void a_shape_that_is_not_permitted_is_told_those_that_are(void **state)
{
    (void)state;
    int64_t permitted[2 * N_PERMITTED];
    struct model_error err = {.struct_size = sizeof err};
    struct coreml_feature feature = {.kind = COREML_FEATURE_ARRAY,
                                     .is_flexible = true,
                                     .rank = 2,
                                     .shape = {1, 7},
                                     .min = {1, 7},
                                     .max = {1, 7 + N_PERMITTED},
                                     .permitted = permitted,
                                     .n_permitted = 2};
    for (int64_t i = 0; i < N_PERMITTED; i++) {
        permitted[2 * i] = 1;
        permitted[2 * i + 1] = 8 + 2 * i;
    }
    const struct ane_feature input = input_of(&feature);
    struct input_sizes sizes = feature_sizes_of(&input, &feature);
    const struct graph_shape usual = {2, {1, 7}}, eight = {2, {1, 8}}, nine = {2, {1, 9}};
    const struct graph_shape last = {2, {1, 8 + 2 * (N_PERMITTED - 1)}};
    assert_int_equal(feature_sizes_check(&sizes, &input, &usual, &err), MODEL_OK);
    assert_int_equal(feature_sizes_check(&sizes, &input, &eight, &err), MODEL_OK);
    assert_int_equal(feature_sizes_check(&sizes, &input, &nine, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message,
                        "'x' is [1, 9], and the model takes [1, 7], [1, 8], [1, 10] only");
    sizes.n_permitted = N_PERMITTED;
    assert_int_equal(feature_sizes_check(&sizes, &input, &last, &err), MODEL_OK);
    assert_int_equal(feature_sizes_check(&sizes, &input, &nine, &err), MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "[1, 10], [1, 12], "));
    assert_non_null(strstr(err.message, " more only"));
}

static const struct {
    struct graph_shape usual_blob, usual, blob, want; /* want of rank 0: it cannot be told */
} outputs[] = {
    {{5, {1, 1, 5, 6, 6}}, {3, {5, 6, 6}}, {5, {1, 1, 5, 3, 9}}, {3, {5, 3, 9}}},
    {{5, {1, 1, 5, 6, 6}}, {4, {1, 5, 6, 6}}, {5, {1, 1, 5, 3, 9}}, {4, {1, 5, 3, 9}}},
    {{5, {1, 1, 10, 1, 1}}, {2, {1, 10}}, {5, {1, 1, 10, 1, 1}}, {2, {1, 10}}},
    {{5, {1, 1, 10, 1, 1}}, {1, {10}}, {5, {1, 1, 10, 1, 1}}, {1, {10}}},
    {{2, {6, 4}}, {3, {6, 1, 4}}, {2, {9, 4}}, {3, {9, 1, 4}}},
    {{5, {1, 1, 10, 1, 1}}, {1, {10}}, {5, {1, 1, 10, 2, 1}}, {0, {0}}}, /* one more dimension */
    {{2, {6, 4}}, {1, {24}}, {2, {9, 4}}, {0, {0}}},                     /* joined */
    {{2, {6, 4}}, {2, {4, 6}}, {2, {9, 4}}, {0, {0}}},
    {{2, {6, 4}}, {2, {6, 4}}, {3, {1, 6, 4}}, {0, {0}}},
};

static void outputs_keep_the_order_that_they_are_declared_in(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++) {
        struct graph_shape found;
        const bool is_told =
            output_sizes_like(&outputs[i].usual_blob, &outputs[i].usual, &outputs[i].blob, &found);
        assert_int_equal(is_told, outputs[i].want.rank > 0);
        if (is_told)
            expect_shape(&found, outputs[i].want.rank, outputs[i].want.size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_picture_has_planes_before_its_sizes),
        cmocka_unit_test(a_dimension_that_nothing_is_said_of_has_any_size),
        cmocka_unit_test(an_array_without_ranges_is_fixed),
        cmocka_unit_test(a_shape_that_is_not_permitted_is_told_those_that_are),
        cmocka_unit_test(outputs_keep_the_order_that_they_are_declared_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
