/* test_dtype.c - element types, shape texts, dense tensors. */
#include "dtype.h"
#include "testing.h"

static const struct {
    int32_t dtype;
    const char *name;
    size_t size_bytes;
} dtypes[] = {
    {MODEL_BOOL, "BOOL", 1}, {MODEL_U8, "U8", 1},           {MODEL_I8, "I8", 1},
    {MODEL_U16, "U16", 2},   {MODEL_I16, "I16", 2},         {MODEL_U32, "U32", 4},
    {MODEL_I32, "I32", 4},   {MODEL_U64, "U64", 8},         {MODEL_I64, "I64", 8},
    {MODEL_F16, "F16", 2},   {MODEL_BF16, "BF16", 2},       {MODEL_F32, "F32", 4},
    {MODEL_F64, "F64", 8},   {MODEL_F8_E4M3, "F8_E4M3", 1}, {MODEL_F8_E5M2, "F8_E5M2", 1},
};

static void every_dtype_has_its_safetensors_name_and_size(void **state)
{
    (void)state;
    assert_int_equal(sizeof dtypes / sizeof dtypes[0], 15);
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        assert_string_equal(dtype_name(dtypes[i].dtype), dtypes[i].name);
        assert_int_equal(dtype_size_bytes(dtypes[i].dtype), dtypes[i].size_bytes);
        assert_int_equal(dtype_from_name(dtypes[i].name), dtypes[i].dtype);
    }
}

static void an_unknown_dtype_has_no_size_and_a_question_mark(void **state)
{
    (void)state;
    static const int32_t unknown[] = {0, -1, 16, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        assert_int_equal(dtype_size_bytes(unknown[i]), 0);
        assert_string_equal(dtype_name(unknown[i]), "?");
    }
    assert_int_equal(dtype_from_name("f32"), 0);
    assert_int_equal(dtype_from_name(""), 0);
    assert_int_equal(dtype_from_name("F32 "), 0);
}

static void shape_text_reads_like_an_error_sentence(void **state)
{
    (void)state;
    char text[64];
    const int64_t shape[] = {2, 768, -1};
    assert_string_equal(shape_text(shape, 3, text, sizeof text), "[2, 768, -1]");
    assert_string_equal(shape_text(shape, 1, text, sizeof text), "[2]");
    assert_string_equal(shape_text(shape, 0, text, sizeof text), "[]");
}

static void shape_text_never_writes_beyond_its_array(void **state)
{
    (void)state;
    const int64_t shape[] = {INT64_MIN, INT64_MAX, 7};
    for (size_t size = 1; size < 60; size++) {
        char *text = malloc(size); /* the sanitizer sees a write beyond it */
        assert_non_null(text);
        assert_ptr_equal(shape_text(shape, 3, text, size), text);
        assert_true(strlen(text) < size);
        free(text);
    }
}

static void tensor_init_sets_row_major_strides_and_bytes(void **state)
{
    (void)state;
    float data[24];
    const int64_t shape[] = {2, 3, 4};
    struct model_tensor tensor;
    memset(&tensor, 0xEE, sizeof tensor);
    tensor_init(&tensor, "x", MODEL_F32, 3, shape, data);
    assert_int_equal(tensor.struct_size, sizeof tensor);
    assert_string_equal(tensor.name, "x");
    assert_ptr_equal(tensor.data, data);
    assert_int_equal(tensor.dtype, MODEL_F32);
    assert_int_equal(tensor.rank, 3);
    assert_int_equal(tensor.size_bytes, sizeof data);
    static const int64_t strides[] = {12, 4, 1};
    assert_memory_equal(tensor.shape, shape, sizeof shape);
    assert_memory_equal(tensor.strides, strides, sizeof strides);
    assert_int_equal(tensor.shape[3], 0);
    assert_int_equal(tensor.flags, 0);
    assert_int_equal(tensor.reserved, 0);
    assert_int_equal(tensor_elements(&tensor), 24);
}

static void a_scalar_has_one_element_and_an_empty_tensor_none(void **state)
{
    (void)state;
    double value = 1;
    struct model_tensor tensor;
    tensor_init(&tensor, "s", MODEL_F64, 0, NULL, &value);
    assert_int_equal(tensor_elements(&tensor), 1);
    assert_int_equal(tensor.size_bytes, 8);
    const int64_t shape[] = {3, 0, 4};
    tensor_init(&tensor, "e", MODEL_F16, 3, shape, NULL);
    assert_int_equal(tensor_elements(&tensor), 0);
    assert_int_equal(tensor.size_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_dtype_has_its_safetensors_name_and_size),
        cmocka_unit_test(an_unknown_dtype_has_no_size_and_a_question_mark),
        cmocka_unit_test(shape_text_reads_like_an_error_sentence),
        cmocka_unit_test(shape_text_never_writes_beyond_its_array),
        cmocka_unit_test(tensor_init_sets_row_major_strides_and_bytes),
        cmocka_unit_test(a_scalar_has_one_element_and_an_empty_tensor_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
