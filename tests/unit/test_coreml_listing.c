/* test_coreml_listing.c - ML Programs as text: functions and operators, counted; texts that are none. */
#include "coreml_listing.h"
#include "errors.h"
#include "testing.h"

static const char program[] =
    "program(1.0)\n"
    "[buildInfo = dict<tensor<string, []>, tensor<string, []>>({{\"a = relu(\", \"\\\"}\"}})]\n"
    "{\n"
    "    func main<ios16>(tensor<fp16, [1, ?]> x) {\n"
    "        tensor<fp16, [1]> c = const()[name = tensor<string, []>(\"c\"), val = tensor<fp16, [1]>(0x1p+0)];\n"
    "        tensor<fp16, [1, 10]> a = mul(x = x, y = c)[name = tensor<string, []>(\"a\")];\n"
    "        tensor<fp16, [1, 10]> b = relu(x = a)[name = string(\"b\"), n = int32(3)];\n"
    "        tensor<fp16, [1, 10]> d = mul(x = b, y = b);\n"
    "    } -> (d);\n"
    "    func other<ios16>(tensor<fp16, [1]> x) { tensor<fp16, [1]> y = relu(x = x); } -> (y);\n"
    "}\n";

static void counts_functions_and_operators(void **state)
{
    (void)state;
    struct coreml_listing listing;
    struct model_error err = MODEL_ERROR_INIT;
    if (coreml_listing_parse(program, strlen(program), "m", &listing, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    assert_string_equal(listing.opset, "ios16");
    assert_int_equal(listing.n_functions, 2);
    assert_string_equal(listing.functions[0].name, "main");
    assert_int_equal(listing.functions[0].n, 3);
    assert_int_equal(listing.n_operations, 4);
    assert_int_equal(listing.n_operators, 2);
    assert_string_equal(listing.operators[0].name, "mul");
    assert_int_equal(listing.operators[0].n, 2);
    assert_int_equal(listing.operators[1].n, 2);
    coreml_listing_finish(&listing);
}

static void refuses_what_is_none_and_every_cut(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "func main<ios16>() {}",
                                      "program(1.0) {}",
                                      "program(1.0) { func main(x) {} }",
                                      "program(1.0)}",
                                      "program \xff",
                                      "program(1.0) { func main<ios16>() { a = relu(\"b) } }"};
    struct coreml_listing listing;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct model_error err = MODEL_ERROR_INIT;
        assert_int_equal(coreml_listing_parse(bad[i], strlen(bad[i]), "m", &listing, &err),
                         MODEL_CORRUPT);
        assert_non_null(strstr(err.message, "m: line 1: "));
    }
    for (size_t n = 0; n + 2 < sizeof program;
         n++) /* the last bracket is wanted, the newline not */
        assert_int_equal(coreml_listing_parse(program, n, "m", &listing, NULL), MODEL_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_functions_and_operators),
        cmocka_unit_test(refuses_what_is_none_and_every_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
