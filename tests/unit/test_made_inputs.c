/* test_made_inputs.c - inputs by a description: shapes within bounds, values that the names and the
 * configuration allow, the same for the same seed, items cut out of a batch. */
#include "made_inputs.h"
#include "errors.h"
#include "testing.h"

#include <math.h>

static const struct model_dimension ids_shape[] = {{"batch", 1, INT64_MAX}, {"sequence", 1, 5}};
static const struct model_dimension picture_shape[] = {
    {"batch", 1, INT64_MAX}, {NULL, 3, 3}, {"height", 40, 100}, {"width", 1, 100}};
static const struct model_dimension state_shape[] = {{NULL, 2, 2}, {"batch", 1, INT64_MAX}};
static const struct model_tensor_spec specs[] = {
    {sizeof specs[0], "input_ids", MODEL_I64, 2, ids_shape, 0, 0},
    {sizeof specs[0], "attention_mask", MODEL_I64, 2, ids_shape, MODEL_SPEC_OPTIONAL, 0},
    {sizeof specs[0], "position_ids", MODEL_I32, 2, ids_shape, 0, 0},
    {sizeof specs[0], "pixel_values", MODEL_F32, 4, picture_shape, 0, 0},
    {sizeof specs[0], "state", MODEL_F64, 2, state_shape, 0, 0}};
static const struct model_tensor_spec *const inputs[] = {&specs[0], &specs[1], &specs[2], &specs[3],
                                                         &specs[4]};
static const struct model_description description = {
    .struct_size = sizeof description, .inputs = inputs, .n_inputs = 5};
static const struct made_options usual = {.batch = 2, .picture = 32, .other = 16, .seed = 1};

static json_node *config_of(const char *text)
{
    json_node *config = NULL;
    assert_int_equal(json_parse(text, strlen(text), "c", &config, NULL), MODEL_OK);
    return config;
}

static void they_are_what_the_description_asks_for(void **state)
{
    (void)state;
    json_node *config = config_of("{\"vocab_size\":7}");
    struct made_inputs *made = made_inputs_create(&description, config, &usual, NULL);
    struct schema_binding binding;
    assert_int_equal(schema_check_inputs(&description, made->list, made->n, &binding, NULL),
                     MODEL_OK);
    assert_int_equal(made->list[0]->shape[1], 5);  /* 16 is beyond the bound */
    assert_int_equal(made->list[3]->shape[2], 40); /* 32 is below it */
    assert_int_equal(made->list[3]->shape[3], 32);
    const int64_t *ids = made->list[0]->data, *mask = made->list[1]->data;
    const int32_t *positions = made->list[2]->data;
    const float *pixels = made->list[3]->data;
    bool differ = false;
    for (int i = 0; i < 10; i++) {
        assert_in_range(ids[i], 0, 6);
        differ |= ids[i] != ids[0];
        assert_int_equal(mask[i], 1);
        assert_int_equal(positions[i], i % 5);
        assert_true(pixels[i] >= -1 && pixels[i] < 1);
    }
    assert_true(differ);
    made_inputs_destroy(made);
    json_free(config);
}

static void a_seed_makes_the_same_values(void **state)
{
    (void)state;
    struct made_options other = usual;
    other.seed = 2;
    struct made_inputs *a = made_inputs_create(&description, NULL, &usual, NULL);
    struct made_inputs *b = made_inputs_create(&description, NULL, &usual, NULL);
    struct made_inputs *c = made_inputs_create(&description, NULL, &other, NULL);
    const size_t n = (size_t)a->list[3]->size_bytes;
    assert_memory_equal(a->list[3]->data, b->list[3]->data, n);
    assert_memory_not_equal(a->list[3]->data, c->list[3]->data, n);
    made_inputs_destroy(a);
    made_inputs_destroy(b);
    made_inputs_destroy(c);
}

static void values_out_of_range_are_that(void **state)
{
    (void)state;
    json_node *config = config_of("{\"vocab_size\":7}");
    static const int64_t want[] = {-1, 7, INT64_MAX};
    for (int i = 0; i < 3; i++) {
        struct made_options options = usual;
        options.values = (enum made_values)(MADE_NEGATIVE + i);
        struct made_inputs *made = made_inputs_create(&description, config, &options, NULL);
        assert_int_equal(((const int64_t *)made->list[0]->data)[0], want[i]);
        const float pixel = ((const float *)made->list[3]->data)[0];
        assert_true(i == 0 ? isnan(pixel) != 0 : i == 1 ? isinf(pixel) != 0 : pixel > 1e38F);
        made_inputs_destroy(made);
    }
    json_free(config);
}

static void optional_ones_can_be_absent_and_a_size_be_chosen(void **state)
{
    (void)state;
    struct made_options options = usual;
    options.absent = 2;
    options.at = &ids_shape[1];
    options.at_size = 3;
    struct made_inputs *made = made_inputs_create(&description, NULL, &options, NULL);
    assert_int_equal(made->n, 4);
    assert_string_equal(made->list[1]->name, "position_ids");
    assert_int_equal(made->list[0]->shape[1], 3);
    made_inputs_destroy(made);
}

static void an_item_is_cut_out_of_its_batch(void **state)
{
    (void)state;
    struct made_inputs *batch = made_inputs_create(&description, NULL, &usual, NULL);
    struct made_inputs *item = made_inputs_item(&description, batch, 1, NULL);
    assert_int_equal(item->n, 5);
    assert_int_equal(item->list[0]->shape[0], 1);
    assert_memory_equal(item->list[0]->data, (const char *)batch->list[0]->data + 5 * 8, 5 * 8);
    /* [2, batch]: the batch is the second dimension. */
    assert_int_equal(item->list[4]->shape[0], 2);
    assert_int_equal(item->list[4]->shape[1], 1);
    const double *whole = batch->list[4]->data, *part = item->list[4]->data;
    assert_true(part[0] == whole[1] && part[1] == whole[3]);
    made_inputs_destroy(batch);
    made_inputs_destroy(item);
}

static void inputs_without_end_are_refused(void **state)
{
    (void)state;
    static const struct model_dimension huge[] = {{NULL, INT64_MAX / 2, INT64_MAX / 2}};
    static const struct model_tensor_spec spec = {sizeof spec, "x", MODEL_F32, 1, huge, 0, 0};
    static const struct model_tensor_spec *const list[] = {&spec};
    static const struct model_description wide = {
        .struct_size = sizeof wide, .inputs = list, .n_inputs = 1};
    struct model_error err = MODEL_ERROR_INIT;
    assert_null(made_inputs_create(&wide, NULL, &usual, &err));
    assert_non_null(strstr(err.message, "'x'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_what_the_description_asks_for),
        cmocka_unit_test(a_seed_makes_the_same_values),
        cmocka_unit_test(values_out_of_range_are_that),
        cmocka_unit_test(optional_ones_can_be_absent_and_a_size_be_chosen),
        cmocka_unit_test(an_item_is_cut_out_of_its_batch),
        cmocka_unit_test(inputs_without_end_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
