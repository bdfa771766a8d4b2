/* test_coreml_listing.c - ML Programs as text: functions and operators, counted; inputs and outputs; texts that are none.
 * Covers store/coreml/coreml_words.c, store/coreml/coreml_signature.c and store/coreml/coreml_interface.c. */
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

static void parse(const char *text, struct coreml_listing *ret)
{
    struct model_error err = MODEL_ERROR_INIT;
    if (coreml_listing_parse(text, strlen(text), "m", ret, &err) != MODEL_OK)
        fail_msg("%s", err.message);
}

static void is_feature(const struct coreml_feature *feature, const char *name, int32_t dtype,
                       uint32_t rank, const int64_t *shape)
{
    assert_string_equal(feature->name, name);
    assert_int_equal(feature->dtype, dtype);
    assert_int_equal(feature->rank, rank);
    if (rank > 0)
        assert_memory_equal(feature->shape, shape, rank * sizeof *shape);
}

static void tells_inputs_and_outputs_of_the_first_function(void **state)
{
    (void)state;
    struct coreml_listing listing;
    parse(program, &listing);
    assert_int_equal(listing.interface.inputs.n, 1);
    is_feature(&listing.interface.inputs.items[0], "x", MODEL_F16, 2, (const int64_t[]){1, -1});
    assert_int_equal(listing.interface.outputs.n, 1);
    is_feature(&listing.interface.outputs.items[0], "d", MODEL_F16, 2, (const int64_t[]){1, 10});
    coreml_listing_finish(&listing);
}

static void tells_states_scalars_and_outputs_of_several_results(void **state)
{
    (void)state;
    struct coreml_listing listing;
    parse(
        "program(1.3) { func main<ios18>(state<tensor<fp16, [1, 8]>> kv, tensor<int32, []> n, "
        "tensor<string, [2]> names, list<tensor<fp32, [is0]>, 3> l, fp32 s)"
        "[Flexible = tuple<tensor<string, []>, int32>((\"(\", 3))] {"
        " tensor<int32, [3]> a, tensor<fp32, [2, is1]> b = split(x = n, y = a)[name = string(\"b\")];"
        " tensor<fp32, [9]> c = loop(x = b) (tensor<fp32, [9]> e) { bool f = less(x = e); } -> (f);"
        " fp32 g = sum(x = c);"
        " } -> (b, g, missing); "
        "func other<ios18>(tensor<fp32, [7]> z) { } -> (z); }",
        &listing);
    const struct coreml_interface *interface = &listing.interface;
    assert_int_equal(interface->states.n, 1);
    is_feature(&interface->states.items[0], "kv", MODEL_F16, 2, (const int64_t[]){1, 8});
    assert_int_equal(interface->states.items[0].kind, COREML_FEATURE_STATE);
    assert_int_equal(interface->inputs.n, 4);
    is_feature(&interface->inputs.items[0], "n", MODEL_I32, 0, NULL);
    assert_int_equal(interface->inputs.items[1].kind, COREML_FEATURE_STRING);
    assert_int_equal(interface->inputs.items[2].kind, COREML_FEATURE_SEQUENCE);
    is_feature(&interface->inputs.items[3], "s", MODEL_F32, 0, NULL);
    assert_int_equal(interface->outputs.n, 3);
    is_feature(&interface->outputs.items[0], "b", MODEL_F32, 2, (const int64_t[]){2, -1});
    is_feature(&interface->outputs.items[1], "g", MODEL_F32, 0, NULL);
    assert_int_equal(interface->outputs.items[2].kind, COREML_FEATURE_NONE);
    coreml_listing_finish(&listing);
}

static void keeps_more_inputs_than_it_began_with(void **state)
{
    (void)state;
    char text[2048] = "program(1.0) { func main<ios16>(";
    struct coreml_listing listing;
    for (int i = 0; i < 40; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "tensor<fp32, [%d]> x%d%s",
                       i, i, i < 39 ? ", " : ") { } -> (x7); }");
    parse(text, &listing);
    assert_int_equal(listing.interface.inputs.n, 40);
    for (int64_t i = 0; i < 40; i++)
        assert_int_equal(listing.interface.inputs.items[i].shape[0], i);
    coreml_listing_finish(&listing);
}

static void refuses_signatures_that_are_none(void **state)
{
    (void)state;
    static const struct {
        const char *inputs, *why;
    } bad[] = {{"tensor<fp16, [1]>", "want a name in a function's signature"},
               {"tensor<fp16> x", "want ',' in a function's signature"},
               {"tensor<fp16, [1, ]> x", "want a size or '?' in a function's signature"},
               {"tensor<fp16, [1 1]> x", "want ',' in a function's signature"},
               {"tensor<fp16, [1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]> x",
                "a tensor of more dimensions than are read"},
               {"state<tensor<fp16, [1]> x", "want '>' in a function's signature"},
               {"list<tensor<fp16, [1]>, x", "want a name in a function's signature"},
               {"\"x\"", "want a type in a function's signature"},
               {"fp16 x y", "want ',' in a function's signature"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct model_error err = MODEL_ERROR_INIT;
        struct coreml_listing listing;
        char text[256];
        (void)snprintf(text, sizeof text, "program(1.0) { func main<ios16>(%s) { } -> (y); }",
                       bad[i].inputs);
        assert_int_equal(coreml_listing_parse(text, strlen(text), "m", &listing, &err),
                         MODEL_CORRUPT);
        if (strstr(err.message, bad[i].why) == NULL)
            fail_msg("%s: %s", bad[i].inputs, err.message);
    }
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
        cmocka_unit_test(tells_inputs_and_outputs_of_the_first_function),
        cmocka_unit_test(tells_states_scalars_and_outputs_of_several_results),
        cmocka_unit_test(keeps_more_inputs_than_it_began_with),
        cmocka_unit_test(refuses_signatures_that_are_none),
        cmocka_unit_test(refuses_what_is_none_and_every_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
