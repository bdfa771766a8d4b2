/* test_backend_match.c - whether one backend of a model may stand in for another. */
#include "backend_match.h"
#include "errors.h"
#include "testing.h"

static const struct model_dimension shape[] = {{"batch", 1, 8}, {"sequence", 1, 512}};
static const struct model_tensor_spec ids = {sizeof ids, "ids", MODEL_I64, 2, shape, 0, 0};
static const struct model_tensor_spec ids_32 = {sizeof ids, "ids", MODEL_I32, 2, shape, 0, 0};
static const struct model_tensor_spec mask = {sizeof mask, "mask", MODEL_I64, 2, shape, 0, 0};
static const struct model_tensor_spec hint = {sizeof hint,         "hint", MODEL_I64, 2, shape,
                                              MODEL_SPEC_OPTIONAL, 0};
static const struct model_tensor_spec logits = {sizeof logits, "logits", MODEL_F32, 2, shape, 0, 0};
static const struct model_tensor_spec logits_1 = {sizeof logits, "logits", MODEL_F32, 1,
                                                  shape,         0,        0};

static struct model_description describe(const struct model_tensor_spec *const *inputs,
                                         uint32_t n_inputs,
                                         const struct model_tensor_spec *const *output)
{
    return (struct model_description){.struct_size = sizeof(struct model_description),
                                      .task = "fill-mask",
                                      .inputs = inputs,
                                      .n_inputs = n_inputs,
                                      .outputs = output,
                                      .n_outputs = output != NULL ? 1 : 0};
}

static const struct model_tensor_spec *const wanted_inputs[] = {&ids};
static const struct model_tensor_spec *const wanted_output[] = {&logits};

static void assert_match(const struct model_description *found, const char *sentence)
{
    const struct model_description wanted = describe(wanted_inputs, 1, wanted_output);
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(backend_match(&wanted, found, &err),
                     sentence[0] == '\0' ? MODEL_OK : MODEL_UNSUPPORTED);
    assert_string_equal(err.message, sentence);
}

static void the_same_and_what_is_optional_match(void **state)
{
    (void)state;
    const struct model_tensor_spec *const more[] = {&hint, &ids};
    struct model_description found = describe(wanted_inputs, 1, wanted_output);
    assert_match(&found, "");
    found = describe(more, 2, wanted_output);
    assert_match(&found, "");
}

static void differences_are_named(void **state)
{
    (void)state;
    const struct model_tensor_spec *const narrow[] = {&ids_32}, *const more[] = {&ids, &mask};
    const struct model_tensor_spec *const flat[] = {&logits_1};
    struct model_description found = describe(narrow, 1, wanted_output);
    assert_match(&found, "its input 'ids' is I32 of rank 2, want I64 of rank 2");
    found = describe(more, 2, wanted_output);
    assert_match(&found, "it needs another input, 'mask'");
    found = describe(more + 1, 1, wanted_output);
    assert_match(&found, "it has no input 'ids'");
    found = describe(wanted_inputs, 1, flat);
    assert_match(&found, "its output 'logits' is F32 of rank 1, want F32 of rank 2");
    found = describe(wanted_inputs, 1, NULL);
    assert_match(&found, "it has no output 'logits'");
    found = describe(wanted_inputs, 1, wanted_output);
    found.task = NULL;
    assert_match(&found, "its task is none, want fill-mask");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_and_what_is_optional_match),
        cmocka_unit_test(differences_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
