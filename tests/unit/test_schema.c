/* test_schema.c - descriptions that make no sense, and tensors that do not fit one. Requests that are
 * refused as a whole are in test_api_run.c. */
#include "dtype.h"
#include "errors.h"
#include "schema.h"
#include "testing.h"

static const struct model_dimension ids_shape[] = {{"batch", 1, INT64_MAX}, {"sequence", 1, 8}};
static const struct model_dimension logits_shape[] = {
    {"batch", 1, INT64_MAX}, {"sequence", 1, 8}, {NULL, 5, 5}};

static struct model_tensor_spec ids = {sizeof ids, "ids", MODEL_I64, 2, ids_shape, 0, 0};
static struct model_tensor_spec mask = {sizeof mask,         "mask", MODEL_I64, 2, ids_shape,
                                        MODEL_SPEC_OPTIONAL, 0};
static struct model_tensor_spec logits = {sizeof logits, "logits", MODEL_F32, 3,
                                          logits_shape,  0,        0};
static const struct model_tensor_spec *inputs[] = {&ids, &mask};
static const struct model_tensor_spec *outputs[] = {&logits};

static struct model_description describe(void)
{
    return (struct model_description){.struct_size = sizeof(struct model_description),
                                      .inputs = inputs,
                                      .outputs = outputs,
                                      .n_inputs = 2,
                                      .n_outputs = 1};
}

static int64_t numbers[64];

static struct model_tensor tensor(const char *name, int64_t rows, int64_t columns)
{
    struct model_tensor t;
    int64_t shape[] = {rows, columns};
    tensor_init(&t, name, MODEL_I64, 2, shape, numbers);
    return t;
}

static void a_sound_description_passes(void **state)
{
    (void)state;
    struct model_description d = describe();
    assert_int_equal(schema_check_description(&d, NULL), MODEL_OK);
}

static void assert_bad_description(const struct model_description *d, model_status wanted,
                                   const char *sentence)
{
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(schema_check_description(d, &err), wanted);
    assert_string_equal(err.message, sentence);
}

static void a_description_cut_short_is_an_abi_mismatch(void **state)
{
    (void)state;
    struct model_description d = describe();
    d.struct_size = 40;
    assert_bad_description(&d, MODEL_ABI_MISMATCH,
                           "plugin: its description is smaller than that of ABI 1.0");
    assert_bad_description(NULL, MODEL_ABI_MISMATCH,
                           "plugin: its description is smaller than that of ABI 1.0");
}

static void nonsense_in_a_description_is_named(void **state)
{
    (void)state;
    struct model_description d = describe();
    d.n_outputs = 0;
    assert_bad_description(&d, MODEL_INVALID_ARGUMENT, "plugin: 0 outputs, want 1 to 256");
    d = describe();
    d.n_inputs = 1;
    d.inputs = NULL;
    assert_bad_description(&d, MODEL_INVALID_ARGUMENT, "plugin: its list of 1 inputs is NULL");
    const struct model_tensor_spec *none[] = {NULL};
    d.inputs = none;
    assert_bad_description(&d, MODEL_INVALID_ARGUMENT, "plugin: an input is NULL");
    d = describe();
    const struct model_tensor_spec *twice[] = {&ids, &ids};
    d.inputs = twice;
    assert_bad_description(&d, MODEL_INVALID_ARGUMENT, "plugin: input 'ids' is described twice");
    d = describe();
    d.max_slots = 65537;
    assert_bad_description(&d, MODEL_INVALID_ARGUMENT,
                           "plugin: max_slots is 65537, want at most 65536");
    d = describe();
    struct model_tensor_spec odd = ids;
    const struct model_tensor_spec *one[] = {&odd, &mask};
    d.inputs = one;
    odd.dtype = 99;
    assert_bad_description(&d, MODEL_INVALID_ARGUMENT,
                           "plugin: input 'ids' has the unknown dtype 99");
    odd = ids;
    odd.rank = 9;
    assert_bad_description(&d, MODEL_INVALID_ARGUMENT, "plugin: input 'ids' has rank 9, at most 8");
    odd = ids;
    odd.name = "";
    assert_bad_description(&d, MODEL_INVALID_ARGUMENT, "plugin: an input has no name");
    odd = ids;
    odd.flags = MODEL_SPEC_BYTES;
    assert_bad_description(&d, MODEL_INVALID_ARGUMENT,
                           "plugin: input 'ids' is I64, and MODEL_SPEC_BYTES is for F32");
    const struct model_dimension backwards[] = {{"batch", 3, 2}, {"sequence", 1, 8}};
    odd = ids;
    odd.shape = backwards;
    assert_bad_description(&d, MODEL_INVALID_ARGUMENT,
                           "plugin: tensor 'ids': a dimension 'batch' from 3 to 2 makes no sense");
}

static model_status check(const struct model_tensor *first, const struct model_tensor *second,
                          struct schema_binding *binding, struct model_error *err)
{
    struct model_description d = describe();
    const struct model_tensor *given[] = {first, second};
    return schema_check_inputs(&d, given, second != NULL ? 2 : 1, binding, err);
}

/* One input of two numbers, in a dtype. */
static model_status check_picture(uint32_t flags, int32_t dtype, struct model_error *err)
{
    static const struct model_dimension two[] = {{NULL, 2, 2}};
    const struct model_tensor_spec picture = {sizeof picture, "picture", MODEL_F32, 1, two,
                                              flags,          0};
    const struct model_tensor_spec *specs[] = {&picture};
    struct model_description d = describe();
    d.inputs = specs;
    d.n_inputs = 1;
    assert_int_equal(schema_check_description(&d, NULL), MODEL_OK);
    struct model_tensor given;
    const struct model_tensor *list[] = {&given};
    struct schema_binding binding;
    tensor_init(&given, "picture", dtype, 1, (const int64_t[]){2}, numbers);
    return schema_check_inputs(&d, list, 1, &binding, err);
}

static void an_input_of_numbers_takes_bytes_where_its_spec_says_so(void **state)
{
    (void)state;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(check_picture(MODEL_SPEC_BYTES, MODEL_F32, NULL), MODEL_OK);
    assert_int_equal(check_picture(MODEL_SPEC_BYTES, MODEL_U8, NULL), MODEL_OK);
    assert_int_equal(check_picture(MODEL_SPEC_BYTES, MODEL_I8, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "'picture': dtype I8, want F32 or U8");
    assert_int_equal(check_picture(0, MODEL_U8, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "'picture': dtype U8, want F32");
    /* What a plugin makes is what it says. */
    struct schema_binding binding = {.n_dimensions = 0};
    static const struct model_dimension two[] = {{NULL, 2, 2}};
    const struct model_tensor_spec made = {sizeof made,      "y", MODEL_F32, 1, two,
                                           MODEL_SPEC_BYTES, 0};
    assert_int_equal(schema_check_output(&made, MODEL_U8, 1, (const int64_t[]){2}, &binding, &err),
                     MODEL_INTERNAL);
    assert_string_equal(err.message, "output: 'y': dtype U8, want F32");
}

static void optional_inputs_may_be_absent_and_names_bind_sizes(void **state)
{
    (void)state;
    struct schema_binding binding;
    struct model_tensor a = tensor("ids", 2, 3), b = tensor("mask", 2, 3);
    assert_int_equal(check(&a, NULL, &binding, NULL), MODEL_OK);
    assert_int_equal(binding.n_dimensions, 2);
    assert_string_equal(binding.dimensions[1].name, "sequence");
    assert_int_equal(binding.dimensions[1].size, 3);
    assert_int_equal(check(&a, &b, &binding, NULL), MODEL_OK);
}

static void equal_names_want_equal_sizes(void **state)
{
    (void)state;
    struct schema_binding binding;
    struct model_error err = MODEL_ERROR_INIT;
    struct model_tensor a = tensor("ids", 2, 3), b = tensor("mask", 2, 4);
    assert_int_equal(check(&a, &b, &binding, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message,
                        "'mask': dimension 1 (sequence) is 4, but 3 elsewhere in this request");
}

static void inputs_that_are_null_are_named(void **state)
{
    (void)state;
    struct schema_binding binding;
    struct model_error err = MODEL_ERROR_INIT;
    struct model_description d = describe();
    assert_int_equal(schema_check_inputs(&d, NULL, 1, &binding, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "the list of 1 inputs is NULL");
    assert_int_equal(check(NULL, NULL, &binding, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "an input is NULL");
}

static void bounds_and_doubles_are_checked(void **state)
{
    (void)state;
    struct schema_binding binding;
    struct model_error err = MODEL_ERROR_INIT;
    struct model_tensor a = tensor("ids", 1, 9);
    assert_int_equal(check(&a, NULL, &binding, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "'ids': dimension 1 (sequence) is 9, want 1 to 8");
    a = tensor("ids", 0, 3);
    assert_int_equal(check(&a, NULL, &binding, &err), MODEL_INVALID_ARGUMENT);
    a = tensor("ids", 1, 3);
    assert_int_equal(check(&a, &a, &binding, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "the input 'ids' is given twice");
}

static void data_that_does_not_fit_the_shape_is_refused(void **state)
{
    (void)state;
    struct schema_binding binding;
    struct model_error err = MODEL_ERROR_INIT;
    struct model_tensor a = tensor("ids", 2, 3);
    a.size_bytes = 8;
    assert_int_equal(check(&a, NULL, &binding, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "'ids': 8 bytes of data, its shape wants 48");
    a = tensor("ids", 2, 3);
    a.data = NULL;
    assert_int_equal(check(&a, NULL, &binding, &err), MODEL_INVALID_ARGUMENT);
    a = tensor("ids", 2, 3);
    a.data = (char *)numbers + 1;
    assert_int_equal(check(&a, NULL, &binding, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "'ids': data is not aligned to its elements");
    a = tensor("ids", 2, 3);
    a.strides[0] = 1;
    a.strides[1] = 2; /* a transposed view */
    assert_int_equal(check(&a, NULL, &binding, &err), MODEL_UNSUPPORTED);
    a = tensor("ids", INT64_MAX, 8);
    assert_int_equal(check(&a, NULL, &binding, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "'ids': its shape overflows");
}

static void outputs_are_held_against_what_the_inputs_bound(void **state)
{
    (void)state;
    struct schema_binding binding;
    struct model_error err = MODEL_ERROR_INIT;
    struct model_tensor a = tensor("ids", 2, 3);
    int64_t good[] = {2, 3, 5}, longer[] = {2, 4, 5}, wider[] = {2, 3, 6};
    assert_int_equal(check(&a, NULL, &binding, NULL), MODEL_OK);
    assert_int_equal(schema_check_output(&logits, MODEL_F32, 3, good, &binding, NULL), MODEL_OK);
    assert_int_equal(schema_check_output(&logits, MODEL_F32, 3, longer, &binding, &err),
                     MODEL_INTERNAL);
    assert_string_equal(err.message, "output: 'logits': dimension 1 (sequence) is 4, but 3 "
                                     "elsewhere in this request");
    assert_int_equal(schema_check_output(&logits, MODEL_F32, 3, wider, &binding, &err),
                     MODEL_INTERNAL);
    assert_string_equal(err.message, "output: 'logits': dimension 2 is 6, want 5");
    assert_int_equal(schema_check_output(&logits, MODEL_F16, 3, good, &binding, NULL),
                     MODEL_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_description_passes),
        cmocka_unit_test(a_description_cut_short_is_an_abi_mismatch),
        cmocka_unit_test(nonsense_in_a_description_is_named),
        cmocka_unit_test(an_input_of_numbers_takes_bytes_where_its_spec_says_so),
        cmocka_unit_test(optional_inputs_may_be_absent_and_names_bind_sizes),
        cmocka_unit_test(equal_names_want_equal_sizes),
        cmocka_unit_test(inputs_that_are_null_are_named),
        cmocka_unit_test(bounds_and_doubles_are_checked),
        cmocka_unit_test(data_that_does_not_fit_the_shape_is_refused),
        cmocka_unit_test(outputs_are_held_against_what_the_inputs_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
