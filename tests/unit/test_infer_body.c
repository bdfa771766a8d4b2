/* test_infer_body.c - bodies of infer requests (Open Inference Protocol v2), good and bad, and the datatypes
 * of host/serve/infer_datatype.c. */
#include "errors.h"
#include "infer_body.h"
#include "infer_datatype.h"
#include "testing.h"

#define MAX_TIMEOUT_MS 60000

static void parse(const char *text, struct infer_body *ret)
{
    struct model_error err = MODEL_ERROR_INIT;
    if (infer_body_parse(text, strlen(text), MAX_TIMEOUT_MS, ret, &err) != MODEL_OK)
        fail_msg("%s", err.message);
}

static void a_whole_request_is_read(void **state)
{
    (void)state;
    struct infer_body body;
    parse(
        "{\"id\":\"a\\\"b\",\"parameters\":{\"timeout\":1500},"
        "\"inputs\":[{\"name\":\"x\",\"shape\":[2,2],\"datatype\":\"FP32\",\"data\":[[1,2.5],[-3,4e9]]},"
        "{\"name\":\"ids\",\"shape\":[3],\"datatype\":\"INT64\",\"data\":[0,-1,9007199254740992]}],"
        "\"outputs\":[{\"name\":\"y\"},{\"name\":\"z\"}]}",
        &body);
    assert_string_equal(body.id, "a\"b");
    assert_int_equal(body.timeout_ms, 2); /* rounded up: never earlier than asked for */
    assert_int_equal(body.n_inputs, 2);
    const struct model_tensor *x = body.inputs[0], *ids = body.inputs[1];
    assert_string_equal(x->name, "x");
    assert_int_equal(x->dtype, MODEL_F32);
    assert_int_equal(x->rank, 2);
    assert_int_equal(x->size_bytes, 16);
    assert_int_equal(x->strides[0], 2);
    const float *floats = x->data;
    assert_true(floats[0] == 1 && floats[1] == 2.5f && floats[2] == -3 && floats[3] == 4e9f);
    const int64_t *numbers = ids->data;
    assert_true(numbers[0] == 0 && numbers[1] == -1 && numbers[2] == INT64_C(9007199254740992));
    assert_int_equal(body.n_output_names, 2);
    assert_string_equal(body.output_names[1], "z");
    infer_body_finish(&body);
}

static void the_longest_timeout_is_a_timeout(void **state)
{
    (void)state;
    struct infer_body body;
    parse("{\"parameters\":{\"timeout\":60000000},\"inputs\":[]}", &body);
    assert_int_equal(body.timeout_ms, MAX_TIMEOUT_MS);
    infer_body_finish(&body);
}

static void each_datatype_holds_its_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *datatype, *good, *bad;
    } rows[] = {
        {"BOOL", "0,1,true,false", "2"},
        {"UINT8", "0,255,1,1", "256"},
        {"INT8", "-128,127,0,0", "128"},
        {"UINT16", "0,65535,1,1", "-1"},
        {"INT16", "-32768,32767,0,0", "1.5"},
        {"UINT32", "0,4294967295,1,1", "4294967296"},
        {"INT32", "-2147483648,0,0,0", "2147483648"},
        {"UINT64", "0,9007199254740992,0,0", "-1"},
        {"INT64", "-9007199254740992,0,0,0", "1e16"},
        {"FP32", "3.4e38,0,0,0", "3.5e38"},
        {"FP64", "1.7e308,0,0,0", "\"1\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[300];
        struct infer_body body;
        struct model_error err = MODEL_ERROR_INIT;
        (void)snprintf(
            text, sizeof text,
            "{\"inputs\":[{\"name\":\"x\",\"shape\":[4],\"datatype\":\"%s\",\"data\":[%s]}]}",
            rows[i].datatype, rows[i].good);
        parse(text, &body);
        assert_string_equal(infer_datatype_name(body.inputs[0]->dtype), rows[i].datatype);
        infer_body_finish(&body);
        (void)snprintf(
            text, sizeof text,
            "{\"inputs\":[{\"name\":\"x\",\"shape\":[1],\"datatype\":\"%s\",\"data\":[%s]}]}",
            rows[i].datatype, rows[i].bad);
        assert_int_equal(infer_body_parse(text, strlen(text), MAX_TIMEOUT_MS, &body, &err),
                         MODEL_INVALID_ARGUMENT);
    }
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    static const struct {
        const char *text, *reason;
    } rows[] = {
        {"", "not valid JSON"},
        {"[]", "the body is not a JSON object"},
        {"{}", "want an array \"inputs\" of at most 64"},
        {"{\"id\":1,\"inputs\":[]}", "id is not a string"},
        {"{\"parameters\":{\"timeout\":-1},\"inputs\":[]}", "parameters.timeout: want whole"},
        {"{\"parameters\":{\"timeout\":60000001},\"inputs\":[]}",
         "parameters.timeout: 60000001 us, want at most 60000000 us (the server's --max-timeout)"},
        {"{\"parameters\":{\"timeout\":1000000000000000},\"inputs\":[]}",
         "want at most 60000000 us"},
        {"{\"parameters\":{\"timeout\":1e300},\"inputs\":[]}", "parameters.timeout: want whole"},
        {"{\"inputs\":[{}]}", "an input has no name"},
        {"{\"inputs\":[{\"name\":\"x\"}]}", "input 'x': want a datatype"},
        {"{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP16\"}]}", "input 'x': want a datatype"},
        {"{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\"}]}", "want a shape of at most 8"},
        {"{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[-1]}]}", "no whole number"},
        {"{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1]}]}", "\"data\""},
        {"{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\","
         "\"shape\":[9007199254740992,9007199254740992],\"data\":[]}]}",
         "its shape overflows"},
        {"{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[2],\"data\":[1]}]}",
         "data does not hold as many numbers"},
        {"{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[1,2]}]}",
         "data does not hold as many numbers"},
        {"{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1],\"data\":[null]}]}",
         "data does not hold as many numbers"},
        {"{\"inputs\":[],\"outputs\":[]}", "want an array \"outputs\" of 1 to 64"},
        {"{\"inputs\":[],\"outputs\":[{}]}", "an output has no name"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct infer_body body;
        struct model_error err = MODEL_ERROR_INIT;
        assert_int_equal(
            infer_body_parse(rows[i].text, strlen(rows[i].text), MAX_TIMEOUT_MS, &body, &err),
            MODEL_INVALID_ARGUMENT);
        if (strstr(err.message, rows[i].reason) == NULL)
            fail_msg("'%s', want '%s'", err.message, rows[i].reason);
    }
}

#define X(shape_, data_)                                                                           \
    "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"INT32\",\"shape\":" shape_ ",\"data\":" data_ "}]}"

static void data_is_flat_or_nested_like_its_shape(void **state)
{
    (void)state;
    static const char *const good[] = {
        X("[2,3]", "[1,2,3,4,5,6]"),
        X("[2,3]", "[[1,2,3],[4,5,6]]"),
        X("[1,2,1]", "[[[1],[2]]]"),
        X("[2,0]", "[[],[]]"),
        X("[2,0]", "[]"),
        X("[0,5]", "[]"),
        X("[2,1]", "[[1],[2]]"),
        X("[]", "[1]"),
    };
    static const char *const bad[] = {
        X("[1,2]", "[[1,[2]]]"),
        X("[2,3]", "[[1,2],[3,4],[5,6]]"),
        X("[2,3]", "[[1,2,3,4],[5,6]]"),
        X("[1,2]", "[[[1,2]]]"),
        X("[2]", "[[1,2]]"),
        X("[2]", "[[1],[2]]"),
        X("[1,2,1]", "[[1,2]]"),
        X("[2,1]", "[[1],2]"),
        X("[2,1]", "[1,[2]]"),
        X("[2,0]", "[[]]"),
        X("[]", "[[1]]"),
        X("[0,5]", "[[]]"),
        X("[2,2]", "[[1,2],[]]"),
        X("[2,2]", "[[1,2],{},[3,4]]"),
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct infer_body body;
        parse(good[i], &body);
        for (uint64_t k = 0; k < body.inputs[0]->size_bytes / 4; k++)
            assert_int_equal(((const int32_t *)body.inputs[0]->data)[k], k + 1);
        infer_body_finish(&body);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct infer_body body;
        struct model_error err = MODEL_ERROR_INIT;
        if (infer_body_parse(bad[i], strlen(bad[i]), MAX_TIMEOUT_MS, &body, &err) !=
            MODEL_INVALID_ARGUMENT)
            fail_msg("%s", bad[i]);
        assert_non_null(strstr(err.message, "flat or nested like it"));
    }
}

static void more_numbers_than_are_taken_are_told_apart(void **state)
{
    (void)state;
    static const char head[] = "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"INT32\",\"shape\":[1],"
                               "\"data\":[1";
    static const char shape[] = X("[3000000]", "[]");
    struct infer_body body;
    struct model_error err = MODEL_ERROR_INIT;
    const size_t n_bytes = sizeof head - 1 + 2 * 3000000 + 4;
    char *text = malloc(n_bytes);
    assert_non_null(text);
    memcpy(text, head, sizeof head - 1);
    for (size_t i = sizeof head - 1; i < n_bytes - 4; i += 2)
        memcpy(text + i, ",1", 2);
    memcpy(text + n_bytes - 4, "]}]}", 4);
    assert_int_equal(infer_body_parse(text, n_bytes, MAX_TIMEOUT_MS, &body, &err),
                     MODEL_UNSUPPORTED);
    assert_string_equal(err.message, "the body: more than 2098152 values");
    assert_int_equal(infer_body_parse(shape, strlen(shape), MAX_TIMEOUT_MS, &body, &err),
                     MODEL_UNSUPPORTED);
    assert_string_equal(err.message,
                        "input 'x': its shape has 3000000 numbers, and this server takes 2097152");
    free(text);
}

static void a_scalar_and_an_empty_tensor_are_inputs(void **state)
{
    (void)state;
    struct infer_body body;
    parse("{\"inputs\":[{\"name\":\"s\",\"shape\":[],\"datatype\":\"FP64\",\"data\":[2]},"
          "{\"name\":\"e\",\"shape\":[0,5],\"datatype\":\"INT32\",\"data\":[]}]}",
          &body);
    assert_int_equal(body.inputs[0]->rank, 0);
    assert_true(*(const double *)body.inputs[0]->data == 2);
    assert_int_equal(body.inputs[1]->size_bytes, 0);
    assert_null(body.output_names);
    assert_int_equal(body.timeout_ms, 0);
    infer_body_finish(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_request_is_read),
        cmocka_unit_test(the_longest_timeout_is_a_timeout),
        cmocka_unit_test(each_datatype_holds_its_bounds),
        cmocka_unit_test(what_is_wrong_is_said),
        cmocka_unit_test(data_is_flat_or_nested_like_its_shape),
        cmocka_unit_test(more_numbers_than_are_taken_are_told_apart),
        cmocka_unit_test(a_scalar_and_an_empty_tensor_are_inputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
