/* test_infer_reply.c - results and models as the Open Inference Protocol (v2) writes them. */
#include "dtype.h"
#include "errors.h"
#include "infer_reply.h"
#include "result.h"
#include "testing.h"

#include <math.h>

static const struct model_dimension sizes[] = {{"n", 1, 64}};

/* The reply for one output of n values. */
static model_status reply(int32_t dtype, const void *values, int64_t n, struct buffer *text,
                          struct model_error *err)
{
    const struct model_tensor_spec spec = {sizeof spec, "y\"", dtype, 1, sizes, 0, 0};
    const struct model_tensor_spec *const outputs[] = {&spec};
    const struct model_description description = {
        .struct_size = sizeof description, .outputs = outputs, .n_outputs = 1};
    struct modelhost_result *result = NULL;
    assert_int_equal(result_create(&description, NULL, 0, &result, NULL), MODEL_OK);
    assert_int_equal(result_allocate(result, 0, dtype, 1, &n, NULL), MODEL_OK);
    memcpy(result->tensors[0].data, values, (size_t)result->tensors[0].size_bytes);
    model_status status = infer_reply_result("ns/m", "i\n", result, text, err);
    modelhost_result_destroy(result);
    return status;
}

static void assert_data(int32_t dtype, const void *values, int64_t n, const char *want)
{
    struct buffer text = BUFFER_INIT(1 << 20);
    struct model_error err = MODEL_ERROR_INIT;
    char whole[400];
    assert_int_equal(reply(dtype, values, n, &text, &err), MODEL_OK);
    (void)snprintf(whole, sizeof whole, ",\"shape\":[%lld],\"data\":[%s]}]}", (long long)n, want);
    const char *found = strstr(text.data, ",\"shape\"");
    assert_non_null(found);
    assert_string_equal(found, whole);
    buffer_finish(&text);
}

static void names_and_ids_are_quoted(void **state)
{
    (void)state;
    struct buffer text = BUFFER_INIT(1 << 20);
    assert_int_equal(reply(MODEL_I64, (const int64_t[]){-5, 9}, 2, &text, NULL), MODEL_OK);
    assert_string_equal(text.data,
                        "{\"model_name\":\"ns/m\",\"id\":\"i\\n\",\"outputs\":[{\"name\":\"y\\\"\","
                        "\"datatype\":\"INT64\",\"shape\":[2],\"data\":[-5,9]}]}");
    buffer_finish(&text);
}

static void assert_backend(const char *reason, const char *want)
{
    const struct model_tensor_spec spec = {sizeof spec, "y", MODEL_U8, 1, sizes, 0, 0};
    const struct model_tensor_spec *const outputs[] = {&spec};
    const struct model_description description = {
        .struct_size = sizeof description, .outputs = outputs, .n_outputs = 1};
    struct buffer text = BUFFER_INIT(1 << 20);
    struct modelhost_result *result = NULL;
    assert_int_equal(result_create(&description, NULL, 0, &result, NULL), MODEL_OK);
    assert_int_equal(result_allocate(result, 0, MODEL_U8, 1, (const int64_t[]){1}, NULL), MODEL_OK);
    *(uint8_t *)result->tensors[0].data = 7;
    result_say_backend(result, "cpu", reason != NULL ? text_format("%s", reason) : NULL);
    assert_int_equal(infer_reply_result("m", NULL, result, &text, NULL), MODEL_OK);
    const char *end = strstr(text.data, ",\"outputs\":[{\"name\":\"y\"");
    assert_non_null(end);
    assert_int_equal(end - text.data, strlen(want));
    assert_memory_equal(text.data, want, strlen(want));
    modelhost_result_destroy(result);
    buffer_finish(&text);
}

static void who_served_is_said_and_why(void **state)
{
    (void)state;
    assert_backend(NULL, "{\"model_name\":\"m\",\"parameters\":{\"backend\":\"cpu\"}");
    assert_backend("\"gpu\" fails", "{\"model_name\":\"m\",\"parameters\":{\"backend\":\"cpu\","
                                    "\"fallback_reason\":\"\\\"gpu\\\" fails\"}");
}

static void each_type_is_printed_exactly(void **state)
{
    (void)state;
    assert_data(MODEL_F32, (const float[]){0.1f, -3e38f, 1}, 3, "0.100000001,-3.00000001e+38,1");
    assert_data(MODEL_F64, (const double[]){0.1}, 1, "0.10000000000000001");
    assert_data(MODEL_F32, (const float[]){NAN, INFINITY, -INFINITY}, 3, "null,null,null");
    assert_data(MODEL_F16, (const uint16_t[]){0x3C00, 0xC000, 0x0001, 0x7BFF, 0x7C00}, 5,
                "1,-2,5.9605e-08,65504,null");
    assert_data(MODEL_BF16, (const uint16_t[]){0x3F80, 0xC040, 0x7F80}, 3, "1,-3,null");
    assert_data(MODEL_BOOL, (const uint8_t[]){0, 1}, 2, "false,true");
    assert_data(MODEL_U8, (const uint8_t[]){0, 255}, 2, "0,255");
    assert_data(MODEL_I8, (const int8_t[]){-128, 127}, 2, "-128,127");
    assert_data(MODEL_U16, (const uint16_t[]){65535}, 1, "65535");
    assert_data(MODEL_I16, (const int16_t[]){-32768}, 1, "-32768");
    assert_data(MODEL_U32, (const uint32_t[]){UINT32_MAX}, 1, "4294967295");
    assert_data(MODEL_I32, (const int32_t[]){INT32_MIN}, 1, "-2147483648");
    assert_data(MODEL_U64, (const uint64_t[]){UINT64_MAX}, 1, "18446744073709551615");
    assert_data(MODEL_I64, (const int64_t[]){INT64_MIN}, 1, "-9223372036854775808");
}

static void what_json_cannot_carry_is_an_error(void **state)
{
    (void)state;
    struct buffer text = BUFFER_INIT(1 << 20), small = BUFFER_INIT(60);
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(reply(MODEL_F8_E4M3, (const uint8_t[]){1}, 1, &text, &err), MODEL_UNSUPPORTED);
    assert_int_equal(reply(MODEL_U8, (const uint8_t[]){1}, 1, &small, &err),
                     MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "too large"));
    buffer_finish(&text);
    buffer_finish(&small);
}

static void a_model_is_described_with_what_varies_as_minus_one(void **state)
{
    (void)state;
    static const struct model_dimension shape[] = {{"batch", 1, 8}, {NULL, 3, 3}};
    const struct model_tensor_spec x = {sizeof x, "x", MODEL_F32, 2, shape, 0, 0};
    const struct model_tensor_spec *const specs[] = {&x};
    const struct model_description description = {.struct_size = sizeof description,
                                                  .architecture = "Echo",
                                                  .inputs = specs,
                                                  .n_inputs = 1,
                                                  .outputs = specs,
                                                  .n_outputs = 1};
    struct buffer text = BUFFER_INIT(1 << 20);
    assert_int_equal(infer_reply_model("m", &description, &text, NULL), MODEL_OK);
    assert_string_equal(text.data,
                        "{\"name\":\"m\",\"platform\":\"Echo\","
                        "\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[-1,3]}],"
                        "\"outputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[-1,3]}]}");
    buffer_finish(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_ids_are_quoted),
        cmocka_unit_test(who_served_is_said_and_why),
        cmocka_unit_test(each_type_is_printed_exactly),
        cmocka_unit_test(what_json_cannot_carry_is_an_error),
        cmocka_unit_test(a_model_is_described_with_what_varies_as_minus_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
