/* test_result_codec.c - tensors to bytes and back; bytes that are changed anywhere but in the data are refused. */
#include "errors.h"
#include "result_codec.h"
#include "testing.h"

static const struct model_dimension sizes[] = {{"batch", 1, 64}, {NULL, 3, 3}};
static const struct model_tensor_spec logits = {sizeof logits, "logits", MODEL_F32, 2, sizes, 0, 0};
static const struct model_tensor_spec ids = {sizeof ids, "ids", MODEL_I64, 1, sizes, 0, 0};
static const struct model_tensor_spec *const outputs[] = {&logits, &ids};
static const struct model_description description = {
    .struct_size = sizeof description, .outputs = outputs, .n_outputs = 2};
static const struct schema_binding batch_of_two = {.dimensions = {{"batch", 2}}, .n_dimensions = 1};

static struct modelhost_result *make_result(void)
{
    struct modelhost_result *result = NULL;
    assert_int_equal(result_create(&description, NULL, 0, &result, NULL), MODEL_OK);
    assert_int_equal(result_allocate(result, 0, MODEL_F32, 2, (const int64_t[]){2, 3}, NULL),
                     MODEL_OK);
    assert_int_equal(result_allocate(result, 1, MODEL_I64, 1, (const int64_t[]){2}, NULL),
                     MODEL_OK);
    for (int i = 0; i < 6; i++)
        ((float *)result->tensors[0].data)[i] = (float)i / 7;
    ((int64_t *)result->tensors[1].data)[0] = INT64_MIN;
    ((int64_t *)result->tensors[1].data)[1] = 42;
    return result;
}

static model_status decode(const void *bytes, size_t n, const struct schema_binding *binding,
                           struct modelhost_result **ret)
{
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(result_create(&description, NULL, 0, ret, NULL), MODEL_OK);
    model_status status = result_decode(bytes, n, binding, *ret, &err);
    assert_true(status == MODEL_OK ? err.message[0] == '\0'
                                   : strstr(err.message, "a cached result: ") == err.message);
    return status;
}

static void a_result_comes_back_bit_for_bit(void **state)
{
    (void)state;
    struct modelhost_result *result = make_result(), *again = NULL;
    struct buffer bytes = BUFFER_INIT(1 << 20);
    assert_int_equal(result_encode(result, &bytes), MODEL_OK);
    assert_int_equal(decode(bytes.data, bytes.size, &batch_of_two, &again), MODEL_OK);
    for (uint32_t i = 0; i < 2; i++) {
        assert_string_equal(again->tensors[i].name, result->tensors[i].name);
        assert_int_equal(again->tensors[i].size_bytes, result->tensors[i].size_bytes);
        assert_memory_equal(again->tensors[i].data, result->tensors[i].data,
                            result->tensors[i].size_bytes);
    }
    modelhost_result_destroy(again);
    modelhost_result_destroy(result);
    buffer_finish(&bytes);
}

static void bytes_of_another_call_are_refused(void **state)
{
    (void)state;
    static const struct schema_binding three = {.dimensions = {{"batch", 3}}, .n_dimensions = 1};
    struct modelhost_result *result = make_result(), *again = NULL;
    struct buffer bytes = BUFFER_INIT(1 << 20);
    assert_int_equal(result_encode(result, &bytes), MODEL_OK);
    assert_int_equal(decode(bytes.data, bytes.size, &three, &again), MODEL_CORRUPT);
    modelhost_result_destroy(again);
    modelhost_result_destroy(result);
    buffer_finish(&bytes);
}

static void bytes_cut_anywhere_or_with_more_behind_are_refused(void **state)
{
    (void)state;
    struct modelhost_result *result = make_result(), *again = NULL;
    struct buffer bytes = BUFFER_INIT(1 << 20);
    assert_int_equal(result_encode(result, &bytes), MODEL_OK);
    for (size_t n = 0; n < bytes.size; n++) {
        char *cut = malloc(n + 1); /* exact, for the sanitizer */
        memcpy(cut, bytes.data, n);
        assert_int_equal(decode(cut, n, &batch_of_two, &again), MODEL_CORRUPT);
        modelhost_result_destroy(again);
        free(cut);
    }
    assert_int_equal(buffer_append(&bytes, "", 1), MODEL_OK);
    assert_int_equal(decode(bytes.data, bytes.size, &batch_of_two, &again), MODEL_CORRUPT);
    modelhost_result_destroy(again);
    modelhost_result_destroy(result);
    buffer_finish(&bytes);
}

/* Offsets: magic 0, n_tensors 4, dtype 8, rank 12, shape 16, size 32, data 40. */
static void a_changed_field_is_refused(void **state)
{
    (void)state;
    struct modelhost_result *result = make_result(), *again = NULL;
    struct buffer bytes = BUFFER_INIT(1 << 20);
    assert_int_equal(result_encode(result, &bytes), MODEL_OK);
    for (size_t at = 0; at < 40; at++)
        for (int bit = 0; bit < 8; bit++) {
            bytes.data[at] ^= (char)(1 << bit);
            assert_int_equal(decode(bytes.data, bytes.size, &batch_of_two, &again), MODEL_CORRUPT);
            modelhost_result_destroy(again);
            bytes.data[at] ^= (char)(1 << bit);
        }
    modelhost_result_destroy(result);
    buffer_finish(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_result_comes_back_bit_for_bit),
        cmocka_unit_test(bytes_of_another_call_are_refused),
        cmocka_unit_test(bytes_cut_anywhere_or_with_more_behind_are_refused),
        cmocka_unit_test(a_changed_field_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
