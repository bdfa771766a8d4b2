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

/* ---- fully */

/* A model of one input "x" and one output "y", F32. */
struct one_to_one {
    struct model_dimension x[2], y[2];
    struct model_tensor_spec in, out;
    const struct model_tensor_spec *inputs[1], *outputs[1];
    struct model_description description;
};

static void make(struct one_to_one *m)
{
    *m = (struct one_to_one){.x = {{"batch", 1, 8}, {NULL, 4, 4}},
                             .y = {{"batch", 1, 8}, {"n", 1, INT64_MAX}}};
    m->in = (struct model_tensor_spec){sizeof m->in, "x", MODEL_F32, 2, m->x, 0, 0};
    m->out = (struct model_tensor_spec){sizeof m->out, "y", MODEL_F32, 2, m->y, 0, 0};
    m->inputs[0] = &m->in;
    m->outputs[0] = &m->out;
    m->description = (struct model_description){.struct_size = sizeof m->description,
                                                .inputs = m->inputs,
                                                .n_inputs = 1,
                                                .outputs = m->outputs,
                                                .n_outputs = 1,
                                                .max_batch = INT64_MAX};
}

static void assert_match_fully(const struct one_to_one *wanted, const struct one_to_one *found,
                               const char *sentence)
{
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(backend_match_fully(&wanted->description, &found->description, &err),
                     sentence[0] == '\0' ? MODEL_OK : MODEL_UNSUPPORTED);
    assert_string_equal(err.message, sentence);
}

static void what_takes_more_and_gives_less_matches_fully(void **state)
{
    (void)state;
    struct one_to_one wanted, found;
    make(&wanted);
    make(&found);
    assert_match_fully(&wanted, &found, "");
    found.x[0].max = found.y[0].max = 8;
    found.x[1] = (struct model_dimension){"n", 1, INT64_MAX};
    found.y[1] = (struct model_dimension){NULL, 4, 4};
    found.in.flags = MODEL_SPEC_OPTIONAL;
    wanted.out.flags = MODEL_SPEC_ON_REQUEST;
    found.description.max_batch = 8;
    found.description.max_slots = 1;
    found.description.capabilities = MODEL_CAN_STREAM;
    assert_match_fully(&wanted, &found, "");
    wanted.x[0].max = 1; /* which bounds the batch of all calls */
    found.description.max_batch = 1;
    assert_match_fully(&wanted, &found, "");
}

static void what_calls_could_miss_is_named(void **state)
{
    (void)state;
    struct one_to_one wanted, found;
    make(&wanted);
    make(&found);
    found.in.rank = 1;
    assert_match_fully(&wanted, &found, "its input 'x' is F32 of rank 1, want F32 of rank 2");
    make(&found);
    found.x[0].max = 1;
    assert_match_fully(&wanted, &found, "dimension 0 of its input 'x' is 1, want 1 to 8");
    make(&found);
    found.x[1] = (struct model_dimension){"n", 5, INT64_MAX};
    assert_match_fully(&wanted, &found, "dimension 1 of its input 'x' is 5 or more, want 4");
    make(&found);
    wanted.y[1].max = 100;
    assert_match_fully(&wanted, &found,
                       "dimension 1 of its output 'y' is 1 or more, want 1 to 100");
    make(&wanted);
    wanted.in.flags = MODEL_SPEC_OPTIONAL;
    assert_match_fully(&wanted, &found, "it needs its input 'x', which is optional");
    make(&wanted);
    found.out.flags = MODEL_SPEC_ON_REQUEST;
    assert_match_fully(&wanted, &found, "it gives its output 'y' on request only");
    make(&found);
    wanted.description.max_slots = 2;
    assert_match_fully(&wanted, &found,
                       "it remembers nothing between calls (max_slots is 0, want 2)");
    make(&wanted);
    wanted.description.capabilities = MODEL_CAN_STREAM;
    assert_match_fully(&wanted, &found, "it emits nothing before its answer (MODEL_CAN_STREAM)");
    make(&wanted);
    found.description.max_batch = 7;
    assert_match_fully(&wanted, &found, "its max_batch is 7, want 8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_and_what_is_optional_match),
        cmocka_unit_test(differences_are_named),
        cmocka_unit_test(what_takes_more_and_gives_less_matches_fully),
        cmocka_unit_test(what_calls_could_miss_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
