/* test_api_class.c - host/api_class.c: what a classifier says, of tensors and config.json's labels. */
#include "json_view.h"
#include "loaded_model.h"
#include "result.h"
#include "testing.h"

#include <math.h>

static const struct model_dimension sizes[] = {{"batch", 1, 64}, {"n", 1, 64}};
static const struct model_tensor_spec places = {sizeof places, "places", MODEL_I64, 2, sizes, 0, 0};
static const struct model_tensor_spec hidden = {sizeof hidden, "hidden", MODEL_F32, 2, sizes, 0, 0};
static const struct model_tensor_spec chances = {sizeof chances, "chances", MODEL_F32, 2,
                                                 sizes,          0,         0};
static const struct model_tensor_spec *const outputs[] = {&places, &hidden, &chances};
static const struct model_description description = {
    .struct_size = sizeof description, .outputs = outputs, .n_outputs = 3};

/* The class of [n_items, n] numbers beside other outputs; with no class the label stays NULL. */
static struct modelhost_class class_of(const char *config, int64_t n_items, int64_t n,
                                       const float *numbers)
{
    struct modelhost_model model = {0};
    struct modelhost_result *result = NULL;
    struct modelhost_class class = {.struct_size = sizeof class, .index = -7};
    assert_int_equal(json_parse(config, strlen(config), "config.json", &model.config, NULL),
                     MODEL_OK);
    assert_int_equal(result_create(&description, NULL, 0, &result, NULL), MODEL_OK);
    const int64_t shape[] = {n_items, n}, three[] = {1, 3}, wide[] = {1, 9};
    assert_int_equal(result_allocate(result, 0, MODEL_I64, 2, three, NULL), MODEL_OK);
    assert_int_equal(result_allocate(result, 1, MODEL_F32, 2, wide, NULL), MODEL_OK);
    assert_int_equal(result_allocate(result, 2, MODEL_F32, 2, shape, NULL), MODEL_OK);
    memcpy(result->tensors[2].data, numbers, (size_t)(n_items * n) * sizeof *numbers);
    const model_status status = modelhost_result_class(&model, result, &class);
    assert_int_equal(status, class.label != NULL ? MODEL_OK : MODEL_NOT_FOUND);
    if (status == MODEL_OK)
        assert_string_equal(class.output, "chances");
    else
        assert_int_equal(class.index, -7);
    /* the label is of the tree that goes now */
    static char kept[100];
    if (class.label != NULL) {
        (void)snprintf(kept, sizeof kept, "%s", class.label);
        class.label = kept;
    }
    modelhost_result_destroy(result);
    json_free(model.config);
    return class;
}

#define LABELS "{\"id2label\": {\"0\": \"cat\", \"1\": \"\\u001b[31m\\\"\", \"2\": \"dog\"}}"

static void the_largest_number_names_its_class(void **state)
{
    (void)state;
    struct modelhost_class class = class_of(LABELS, 1, 3, (const float[]){0.1f, 0.2f, 0.7f});
    assert_string_equal(class.label, "dog");
    assert_int_equal(class.index, 2);
    class = class_of(LABELS, 1, 3, (const float[]){-3, -1, -2});
    assert_string_equal(class.label, "\x1b[31m\""); /* as it is: printing escapes */
    assert_int_equal(class.index, 1);
}

static void of_equals_it_is_the_first_and_what_is_no_number_is_passed_over(void **state)
{
    (void)state;
    assert_int_equal(class_of(LABELS, 1, 3, (const float[]){1, 2, 2}).index, 1);
    assert_int_equal(class_of(LABELS, 1, 3, (const float[]){NAN, 2, INFINITY}).index, 2);
    assert_int_equal(class_of(LABELS, 1, 3, (const float[]){NAN, -INFINITY, NAN}).index, 1);
    assert_null(class_of(LABELS, 1, 3, (const float[]){NAN, NAN, NAN}).label);
}

static void other_answers_have_no_class(void **state)
{
    (void)state;
    const float numbers[6] = {1, 2, 3, 4, 5, 6};
    assert_null(class_of(LABELS, 1, 4, numbers).label);
    assert_null(class_of(LABELS, 2, 3, numbers).label); /* two items */
    assert_null(class_of("{}", 1, 3, numbers).label);
    assert_null(class_of("{\"id2label\": {}}", 1, 3, numbers).label);
    assert_null(class_of("{\"id2label\": [\"a\", \"b\", \"c\"]}", 1, 3, numbers).label);
    assert_null(class_of("{\"id2label\": {\"a\": 1, \"b\": 2, \"2\": 3}}", 1, 3, numbers).label);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_largest_number_names_its_class),
        cmocka_unit_test(of_equals_it_is_the_first_and_what_is_no_number_is_passed_over),
        cmocka_unit_test(other_answers_have_no_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
