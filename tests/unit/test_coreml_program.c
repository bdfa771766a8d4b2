/* test_coreml_program.c - functions, blocks, operations and values of an ML Program; names that are not there.
 * Covers store/coreml/coreml_program.c, store/coreml/coreml_scope.c, store/coreml/coreml_types.c,
 * store/coreml/coreml_values.c and store/coreml/coreml_numbers.c. */
#include "coreml_summary.h"
#include "coreml_writer.h"

#define PROGRAM 502

static const struct proto nothing;

static struct proto model_with(struct proto operation)
{
    return model_of(6, PROGRAM, program_of(proto_in(3, operation), "y"));
}

/* A const operation named y of that value, read. */
static struct coreml_model *constant(struct proto value, const struct coreml_value **ret)
{
    const struct proto model = model_with(const_of("y", value));
    struct coreml_model *read = read_model(&model);
    *ret = coreml_operation_attribute(&read->program->main->block.operations[0], "val");
    return read;
}

static void refuse_value(struct proto value, const char *part)
{
    const struct proto model = model_with(const_of("y", value));
    expect_refusal(&model, MODEL_CORRUPT, part);
}

static struct proto packed(const void *data, size_t n)
{
    struct proto list = {.n = 0};
    proto_bytes(&list, 1, data, n);
    return list;
}

static void reads_operations_and_what_their_names_stand_for(void **state)
{
    (void)state;
    struct proto block = {.n = 0}, two = operation_of("const", "two");
    struct proto add = operation_of("add", "y");
    const float values[] = {2, 3};
    add_attribute(&two, "val",
                  value_of(tensor_type(COREML_F32, (const uint64_t[]){2}, 1), 1,
                           packed(values, sizeof values)));
    add_input(&add, "x", "x");
    add_input(&add, "y", "two");
    proto_child(&block, 3, &two);
    proto_child(&block, 3, &add);
    const struct proto model = model_of(6, PROGRAM, program_of(block, "y"));
    struct coreml_model *read = read_model(&model);
    const struct coreml_function *function = read->program->main;
    const struct coreml_operation *operation = &function->block.operations[1];
    float got[2];
    assert_string_equal(function->name, "main");
    assert_string_equal(function->opset, "CoreML5");
    assert_string_equal(function->inputs[0].name, "x");
    assert_int_equal(function->inputs[0].type.dtype, COREML_F32);
    assert_int_equal(function->inputs[0].type.shape[0], 2);
    assert_int_equal(function->block.n_operations, 2);
    assert_string_equal(function->block.outputs[0], "y");
    assert_string_equal(operation->type, "add");
    assert_string_equal(coreml_operation_input(operation, "x")->bindings[0].name, "x");
    assert_null(coreml_operation_constant(operation, "x"));
    assert_null(coreml_operation_input(operation, "z"));
    const struct coreml_value *found = coreml_operation_constant(operation, "y");
    assert_non_null(found);
    assert_int_equal(coreml_value_to_float32(found, got, NULL), MODEL_OK);
    assert_true(got[0] == 2 && got[1] == 3);
    coreml_model_close(read);
}

static void gives_numbers_of_every_form(void **state)
{
    (void)state;
    const struct coreml_value *value = NULL;
    float floats[4];
    int64_t whole[4];
    const uint64_t pair[] = {2}, four[] = {4};
    struct coreml_model *model = constant(
        value_of(tensor_type(COREML_F16, pair, 1), 7, packed("\x00\x3c\x00\xc0", 4)), &value);
    assert_int_equal(coreml_value_to_float32(value, floats, NULL), MODEL_OK);
    assert_true(floats[0] == 1 && floats[1] == -2);
    coreml_model_close(model);
    /* int16 stands as varints: 1, and -2 in ten bytes */
    struct proto ints = {.n = 0};
    proto_number(&ints, 1, 1);
    proto_number(&ints, 1, (uint64_t)-2);
    model = constant(value_of(tensor_type(COREML_I16, pair, 1), 2, ints), &value);
    assert_int_equal(value->size_bytes, 4);
    assert_int_equal(coreml_value_to_int64(value, whole, NULL), MODEL_OK);
    assert_true(whole[0] == 1 && whole[1] == -2);
    coreml_model_close(model);
    model = constant(value_of(tensor_type(COREML_BOOL, pair, 1), 3, packed("\x01\x00", 2)), &value);
    assert_int_equal(value->size_bytes, 2);
    assert_int_equal(((const uint8_t *)value->data)[0], 1);
    coreml_model_close(model);
    /* int4 from the lowest bit on: 1, -1, 7, -8 */
    model = constant(value_of(tensor_type(COREML_I4, four, 1), 7, packed("\xf1\x87", 2)), &value);
    assert_int_equal(coreml_value_to_int64(value, whole, NULL), MODEL_OK);
    assert_true(whole[0] == 1 && whole[1] == -1 && whole[2] == 7 && whole[3] == -8);
    coreml_model_close(model);
    struct proto wide = {.n = 0};
    proto_number(&wide, 1, ((uint64_t)1 << 62) + 1);
    model = constant(value_of(tensor_type(COREML_I64, NULL, 0), 5, wide), &value);
    assert_int_equal(coreml_value_to_int64(value, whole, NULL), MODEL_OK);
    assert_true(whole[0] == ((int64_t)1 << 62) + 1);
    coreml_model_close(model);
}

static void refuses_constants_that_are_declared_as_something_else(void **state)
{
    (void)state;
    const uint64_t pair[] = {2}, three[] = {3}, column[] = {2, 1};
    const struct proto numbers = packed("\0\0\0\0\0\0\0\0\0\0\0", 12);
    const struct {
        struct proto value;
        const char *found;
    } cases[] = {
        {value_of(tensor_type(COREML_F16, pair, 1), 7, packed("\0\0\0", 4)), "fp16 [2]"},
        {value_of(tensor_type(COREML_F32, three, 1), 1, numbers), "fp32 [3]"},
        {value_of(tensor_type(COREML_F32, column, 2), 1, packed("\0\0\0\0\0\0\0", 8)),
         "fp32 [2, 1]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct proto operation = operation_of("const", "y"); /* a pair of floats */
        char sentence[160];
        (void)snprintf(sentence, sizeof sentence,
                       "m: the const 'y' has a value of %s and is declared as fp32 [2]; "
                       "the model contradicts itself",
                       cases[i].found);
        add_attribute(&operation, "val", cases[i].value);
        const struct proto model = model_with(operation);
        expect_refusal(&model, MODEL_CORRUPT, sentence);
    }
}

static void reads_strings_and_lists(void **state)
{
    (void)state;
    const struct coreml_value *value = NULL;
    struct coreml_model *model = constant(
        value_of(tensor_type(COREML_STRING, NULL, 0), 4, proto_of_text(1, "same")), &value);
    assert_string_equal(coreml_value_text(value), "same");
    float none;
    assert_int_equal(coreml_value_to_float32(value, &none, NULL), MODEL_UNSUPPORTED);
    coreml_model_close(model);
    struct proto list = {.n = 0}, whole = {.n = 0}, element = {.n = 0};
    const struct proto type = tensor_type(COREML_STRING, NULL, 0);
    for (int i = 0; i < 2; i++) {
        const struct proto item = value_of(type, 4, proto_of_text(1, i == 0 ? "a" : "b"));
        proto_child(&list, 1, &item);
    }
    proto_child(&element, 1, &type);
    const struct proto list_type = proto_in(2, element), immediate = proto_in(3, list);
    proto_child(&whole, 2, &list_type);
    proto_child(&whole, 3, &immediate);
    model = constant(whole, &value);
    assert_int_equal(value->n_items, 2);
    assert_string_equal(coreml_value_text(&value->items[1]), "b");
    assert_int_equal(value->type.length, -1);
    coreml_model_close(model);
}

static void says_which_weight_file_is_missing(void **state)
{
    (void)state;
    const struct coreml_value *value = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    float got[2];
    struct coreml_model *model = constant(
        blob_value_of(tensor_type(COREML_F32, (const uint64_t[]){2}, 1), "@model_path/w.bin", 64),
        &value);
    assert_string_equal(value->file, "@model_path/w.bin");
    assert_int_equal(value->offset, 64);
    assert_int_equal(coreml_value_to_float32(value, got, &err), MODEL_NOT_FOUND);
    assert_non_null(strstr(err.message, "@model_path/w.bin"));
    coreml_model_close(model);
}

static void refuses_values_that_are_not_of_their_type(void **state)
{
    (void)state;
    const float one = 1;
    const uint64_t pair[] = {2}, huge[] = {UINT64_MAX / 4, 8};
    refuse_value(value_of(tensor_type(COREML_F32, pair, 1), 1, packed(&one, 4)),
                 "has 1 elements, its type 2");
    refuse_value(value_of(tensor_type(COREML_F32, pair, 1), 2, packed("\x01\x02", 2)),
                 "is of ints, its type says fp32");
    refuse_value(value_of(tensor_type(COREML_F16, pair, 1), 7, packed("\x00", 1)), "has 1 bytes");
    refuse_value(value_of(tensor_type(COREML_F32, huge, 2), 1, packed(&one, 4)), "too large");
    refuse_value(value_of(tensor_type(99, pair, 1), 1, packed(&one, 4)), "unknown data type 99");
    refuse_value(value_of(nothing, 1, packed(&one, 4)), "has no type");
    struct proto large = {.n = 0};
    proto_number(&large, 1, 300);
    refuse_value(value_of(tensor_type(COREML_U8, NULL, 0), 2, large), "300 of 'val' is no uint8");
    struct proto type = tensor_type(COREML_F32, pair, 1);
    type.data[5] = 2; /* its rank, behind the tags of tensorType, dataType and rank */
    refuse_value(value_of(type, 1, packed(&one, 4)), "has rank 2 and 1 dimensions");
}

static void refuses_names_that_are_not_there_or_there_twice(void **state)
{
    (void)state;
    struct proto operation = operation_of("relu", "y"), block = {.n = 0};
    add_input(&operation, "x", "z");
    struct proto model = model_with(operation);
    expect_refusal(&model, MODEL_CORRUPT,
                   "the relu 'y' reads 'z' as 'x', which is not defined before");
    operation = operation_of("relu", "y");
    proto_child(&block, 3, &operation);
    proto_child(&block, 3, &operation);
    model = model_of(6, PROGRAM, program_of(block, "y"));
    expect_refusal(&model, MODEL_CORRUPT, "'y' is defined twice");
    model = model_of(6, PROGRAM, program_of(proto_in(3, operation), "q"));
    expect_refusal(&model, MODEL_CORRUPT, "the output 'q' is not defined");
    model = model_with(operation_of("relu", "x"));
    expect_refusal(&model, MODEL_CORRUPT, "'x' is defined twice");
    model = model_with(operation_of("const", "y"));
    expect_refusal(&model, MODEL_CORRUPT, "no 'val'");
    operation = operation_of("relu", "y");
    add_input(&operation, "x", "x");
    add_input(&operation, "x", "x");
    model = model_with(operation);
    expect_refusal(&model, MODEL_CORRUPT, "'x' of a 'relu' stands twice");
    model = model_of(6, PROGRAM, nothing);
    expect_refusal(&model, MODEL_CORRUPT, "no function 'main'");
}

/* A loop whose body is one operation that reads what its block takes. */
static struct proto loop_of(const char *inner, const char *output)
{
    struct proto block = {.n = 0}, operation = operation_of("relu", inner);
    struct proto loop = operation_of("while_loop", output);
    const struct proto input = named_pair("i");
    add_input(&operation, "x", "i");
    proto_child(&block, 1, &input);
    proto_text(&block, 2, inner);
    proto_child(&block, 3, &operation);
    proto_child(&loop, 4, &block);
    return loop;
}

static void names_in_a_block_end_with_it(void **state)
{
    (void)state;
    struct proto block = {.n = 0}, operation = loop_of("t", "first");
    proto_child(&block, 3, &operation);
    operation = loop_of("t", "y"); /* its neighbour may use the same names */
    proto_child(&block, 3, &operation);
    struct proto model = model_of(6, PROGRAM, program_of(block, "y"));
    struct coreml_model *read = read_model(&model);
    struct coreml_summary summary;
    assert_int_equal(read->program->main->block.operations[0].n_blocks, 1);
    assert_int_equal(coreml_summarise(read, &summary, NULL), MODEL_OK);
    assert_int_equal(summary.n_operations, 4);
    coreml_summary_finish(&summary);
    coreml_model_close(read);
    model = model_of(6, PROGRAM, program_of(block, "t"));
    expect_refusal(&model, MODEL_CORRUPT, "the output 't' is not defined");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_operations_and_what_their_names_stand_for),
        cmocka_unit_test(gives_numbers_of_every_form),
        cmocka_unit_test(refuses_constants_that_are_declared_as_something_else),
        cmocka_unit_test(reads_strings_and_lists),
        cmocka_unit_test(says_which_weight_file_is_missing),
        cmocka_unit_test(refuses_values_that_are_not_of_their_type),
        cmocka_unit_test(refuses_names_that_are_not_there_or_there_twice),
        cmocka_unit_test(names_in_a_block_end_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
