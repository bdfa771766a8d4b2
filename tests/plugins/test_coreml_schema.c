/* test_coreml_schema.c - what a bridge says of a model beside what its file declares (plugins/coreml-ane/bridged_schema.c): names,
 * dtypes, sizes, pictures, probabilities and states. The files are written here, by the format's field numbers. */
#include "coreml_subject.h"
#include "coreml_writer.h"

#define NETWORK    500
#define PROGRAM    502
#define CLASSIFIER 403

/* ---- models: x goes through to y */

/* A linear activation by 1. */
static struct proto identity_layer(const char *input, const char *output)
{
    struct proto linear = {.n = 0};
    proto_float(&linear, 1, 1);
    return layer_of(input, output, 130, proto_in(5, linear));
}

static struct proto picture_feature(const char *name, enum coreml_color color, uint64_t height,
                                    uint64_t width)
{
    struct proto image = {.n = 0}, feature = proto_of_text(1, name);
    proto_number(&image, 1, width);
    proto_number(&image, 2, height);
    proto_number(&image, 3, color);
    const struct proto type = proto_in(4, image);
    proto_child(&feature, 3, &type);
    return feature;
}

/* One of grey, of height to height + 2 and width or more. */
static struct proto flexible_picture(const char *name, uint64_t height, uint64_t width)
{
    struct proto image = {.n = 0}, high = {.n = 0}, wide = {.n = 0},
                 feature = proto_of_text(1, name);
    struct proto range = {.n = 0};
    proto_number(&image, 1, width);
    proto_number(&image, 2, height);
    proto_number(&image, 3, COREML_GRAY);
    proto_number(&wide, 1, width);
    proto_number(&wide, 2, UINT64_MAX); /* -1: no bound */
    proto_number(&high, 1, height);
    proto_number(&high, 2, height + 2);
    proto_child(&range, 1, &wide);
    proto_child(&range, 2, &high);
    proto_child(&image, 31, &range);
    const struct proto type = proto_in(4, image);
    proto_child(&feature, 3, &type);
    return feature;
}

/* A float32 array of 2, which may be of 1 to 8. */
static struct proto flexible_feature(const char *name)
{
    struct proto array = {.n = 0}, range = {.n = 0}, feature = proto_of_text(1, name);
    proto_number(&range, 1, 1);
    proto_number(&range, 2, 8);
    const struct proto ranges = proto_in(1, range);
    proto_number(&array, 1, 2);
    proto_number(&array, 2, 65568);
    proto_child(&array, 31, &ranges);
    const struct proto type = proto_in(5, array);
    proto_child(&feature, 3, &type);
    return feature;
}

static struct proto pair(const char *name)
{
    return array_feature(name, (const uint64_t[]){2}, 1);
}

static struct proto description_of(struct proto input, struct proto output)
{
    struct proto description = {.n = 0};
    proto_child(&description, 1, &input);
    proto_child(&description, 10, &output);
    return description;
}

/* The package with another model, in place of its own. */
static struct subject open_model(const char *config, struct proto description, uint32_t kind,
                                 struct proto body)
{
    struct subject s = open_subject("coreml", config);
    struct proto model = {.n = 0};
    proto_number(&model, 1, 4);
    proto_child(&model, 2, &description);
    proto_child(&model, kind, &body);
    put(s.backend, "model.mlmodel", model.data, model.n);
    return s;
}

static struct subject open_network(const char *config, struct proto input, struct proto output)
{
    return open_model(config, description_of(input, output), NETWORK,
                      proto_in(1, identity_layer("x", "y")));
}

static void assert_refused(struct subject *s, model_status status, const char *sentence)
{
    assert_int_equal(harness_load(s->h), status);
    assert_string_equal(s->h->err.message, sentence);
}

/* ---- calls whose output is of any size */

struct given {
    struct model_tensor tensor;
    int64_t shape[MODEL_MAX_RANK];
    float numbers[64];
};

static model_status give_any(void *context, uint32_t index, int32_t dtype, uint32_t rank,
                             const int64_t *shape, struct model_error *err)
{
    struct given *given = context;
    (void)index, (void)err;
    memcpy(given->shape, shape, rank * sizeof *shape);
    tensor_init(&given->tensor, "y", dtype, rank, given->shape, given->numbers);
    return MODEL_OK;
}

static model_status predict(struct harness *h, const struct model_tensor *x, struct given *ret)
{
    ret->tensor = (struct model_tensor){.struct_size = sizeof ret->tensor, .name = "y"};
    struct model_tensor *outputs[] = {&ret->tensor};
    const struct model_cancel cancel = {sizeof cancel, &h->cancelled, INT64_MAX};
    const struct model_call call = {.struct_size = sizeof call,
                                    .inputs = &x,
                                    .n_inputs = 1,
                                    .outputs = outputs,
                                    .n_outputs = 1,
                                    .allocate_output = give_any,
                                    .context = ret,
                                    .cancel = &cancel};
    return h->instance->run(h->instance, &call, &h->err);
}

/* ---- what a bridge gets wrong */

static const struct {
    const char *told;
    model_status status;
    const char *sentence;
} lies[] = {
    {"old schema", MODEL_CORRUPT, "Core ML: the schema is none of this version"},
    {"wrong name", MODEL_CORRUPT,
     "Core ML: the schema has the input 'z', which is no tensor of the model's"},
    {"other output", MODEL_CORRUPT,
     "Core ML: the schema has the output 'z', which is no tensor of the model's"},
    {"whole output", MODEL_CORRUPT,
     "Core ML: output 'y' is I32 [2], and the model declares F32 [2]"},
    {"longer input", MODEL_CORRUPT,
     "Core ML: input 'x' is F32 [3], and the model declares F32 [2]"},
    {"longer output", MODEL_CORRUPT,
     "Core ML: output 'y' is F32 [2..3], and the model declares F32 [2]"},
    {"deeper output", MODEL_CORRUPT,
     "Core ML: output 'y' is F32 [2, 1], and the model declares F32 [2]"},
    {"wrong size", MODEL_CORRUPT,
     "Core ML: dimension 0 of output 'y' is from 2 to 1, want 1 or more"},
    {"no sizes", MODEL_UNSUPPORTED,
     "Core ML: output 'y' declares no sizes, want them in the model: convert it with fixed ones, or "
     "leave it to the kernels"},
    {"twice", MODEL_CORRUPT, "Core ML: the schema has output 'y' twice"},
    {"fewer outputs", MODEL_UNSUPPORTED, "Core ML: the schema has 0 outputs, want 1 to 64"},
    {"picture", MODEL_CORRUPT,
     "Core ML: input 'x' is a picture F32 [1, 1, 1, 2], and the model declares F32 [2]"},
    {"odd picture", MODEL_CORRUPT,
     "Core ML: input 'x' is of dtype 7 and has 4 dimensions, want F32 and 4 of a picture"},
};

static void a_schema_that_is_not_the_models_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct subject s = open_subject("coreml", ONLY_COREML);
        tell(s.dir, lies[i].told);
        assert_refused(&s, lies[i].status, lies[i].sentence);
        close_subject(&s);
    }
}

static void the_kernels_stand_in_for_a_wrong_schema(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        struct subject s = open_subject("coreml", EITHER);
        tell(s.dir, lies[i].told);
        assert_int_equal(harness_load(s.h), MODEL_OK);
        assert_answers(s.h, 0);
        assert_string_equal(s.h->model->description->device, "cpu");
        close_subject(&s);
    }
}

static void an_output_that_is_missing_is_named(void **state)
{
    (void)state;
    const struct proto w = pair("w");
    struct proto description = two_features(), layers = proto_in(1, identity_layer("x", "y"));
    const struct proto second = identity_layer("y", "w");
    proto_child(&description, 10, &w);
    proto_child(&layers, 1, &second);
    struct subject s = open_model(ONLY_COREML, description, NETWORK, layers);
    tell(s.dir, "fewer outputs");
    assert_refused(&s, MODEL_CORRUPT, "Core ML: the schema lacks the model's output 'w'");
    tell(s.dir, "");
    assert_int_equal(harness_load(s.h), MODEL_OK);
    assert_int_equal(s.h->model->description->n_outputs, 2);
    close_subject(&s);
}

/* ---- what models declare */

/* Whose dimensions Core ML adds and leaves out as it pleases. */
static void an_output_of_a_network_without_sizes_is_left_to_the_kernels(void **state)
{
    (void)state;
    const struct proto x = pair("x"), y = array_feature("y", NULL, 0);
    struct subject s = open_network(ONLY_COREML, x, y);
    assert_refused(&s, MODEL_UNSUPPORTED,
                   "Core ML: output 'y' declares no sizes, want them in the model: convert it with "
                   "fixed ones, or leave it to the kernels");
    close_subject(&s);
    s = open_network(EITHER, x, y);
    assert_int_equal(harness_load(s.h), MODEL_OK);
    assert_answers(s.h, 0);
    close_subject(&s);
}

static void a_model_with_a_state_is_refused_before_it_is_compiled(void **state)
{
    (void)state;
    const struct proto cache = pair("cache");
    struct proto description = two_features();
    proto_child(&description, 13, &cache);
    struct subject s =
        open_model(ONLY_COREML, description, NETWORK, proto_in(1, identity_layer("x", "y")));
    const int compiled = mock_bridge_compiled();
    assert_refused(&s, MODEL_UNSUPPORTED,
                   "Core ML: the model keeps the state 'cache' from one call to the next, want one "
                   "whose calls do not depend on each other");
    assert_int_equal(mock_bridge_compiled(), compiled);
    close_subject(&s);
}

static void sizes_that_vary_may_vary_less_than_the_file_allows(void **state)
{
    (void)state;
    const struct proto x = flexible_feature("x"), y = flexible_feature("y");
    struct subject s = open_network(ONLY_COREML, x, y);
    tell(s.dir, "longer output"); /* to 3, of 8 */
    assert_int_equal(harness_load(s.h), MODEL_OK);
    const struct model_dimension *size = s.h->model->description->outputs[0]->shape;
    assert_int_equal(size->min, 1);
    assert_int_equal(size->max, 3);
    assert_string_equal(size->name, "y_0");
    close_subject(&s);
}

static void a_picture_goes_in_as_bytes_and_as_numbers(void **state)
{
    (void)state;
    struct subject s =
        open_network(ONLY_COREML, picture_feature("x", COREML_GRAY, 1, 2), pair("y"));
    assert_int_equal(harness_load(s.h), MODEL_OK);
    const struct model_tensor_spec *spec = s.h->model->description->inputs[0];
    assert_int_equal(spec->dtype, MODEL_F32);
    assert_int_equal(spec->flags, MODEL_SPEC_BYTES);
    uint8_t bytes[2] = {7, 255};
    float numbers[2] = {7, 255};
    struct given from_bytes, from_numbers;
    const int64_t shape[] = {1, 1, 1, 2};
    struct model_tensor in;
    tensor_init(&in, "x", MODEL_U8, 4, shape, bytes);
    assert_int_equal(predict(s.h, &in, &from_bytes), MODEL_OK);
    tensor_init(&in, "x", MODEL_F32, 4, shape, numbers);
    assert_int_equal(predict(s.h, &in, &from_numbers), MODEL_OK);
    assert_memory_equal(from_bytes.numbers, from_numbers.numbers, 2 * sizeof(float));
    assert_int_equal((int)from_bytes.numbers[1], 255 + MOCK_ADDS);
    close_subject(&s);
}

static void a_picture_of_a_range_is_taken_in_each_of_its_sizes(void **state)
{
    (void)state;
    float numbers[6] = {0, 1, 2, 3, 4, 5};
    struct given y;
    struct model_tensor x;
    struct subject s =
        open_network(ONLY_COREML, flexible_picture("x", 1, 2), flexible_picture("y", 1, 2));
    if (harness_load(s.h) != MODEL_OK)
        fail_msg("%s", s.h->err.message);
    const struct model_dimension *size = s.h->model->description->inputs[0]->shape;
    assert_int_equal(size[2].min, 1);
    assert_int_equal(size[2].max, 3);
    assert_int_equal(size[3].min, 2);
    assert_true(size[3].max == INT64_MAX);
    tensor_init(&x, "x", MODEL_F32, 4, (const int64_t[]){1, 1, 2, 3}, numbers);
    assert_int_equal(predict(s.h, &x, &y), MODEL_OK);
    assert_memory_equal(y.shape, ((const int64_t[]){1, 1, 2, 3}), 4 * sizeof(int64_t));
    assert_int_equal((int)y.numbers[5], 5 + MOCK_ADDS);
    close_subject(&s);
}

static void a_picture_of_float16_has_one_channel_and_is_told_from_bytes(void **state)
{
    (void)state;
    const struct proto x = picture_feature("x", COREML_GRAY_F16, 1, 2);
    struct subject s = open_network(ONLY_COREML, x, pair("y"));
    assert_int_equal(harness_load(s.h), MODEL_OK);
    const struct model_tensor_spec *spec = s.h->model->description->inputs[0];
    assert_int_equal(spec->rank, 4);
    assert_int_equal(spec->shape[1].max, 1);
    close_subject(&s);
    s = open_network(ONLY_COREML, x, pair("y"));
    tell(s.dir, "no halves");
    assert_refused(&s, MODEL_CORRUPT,
                   "Core ML: input 'x' is a picture F32 [1, 1, 1, 2], and the model declares a "
                   "float16 picture F32 [1, 1, 1, 2]");
    close_subject(&s);
}

/* From Core ML and from the kernels, so that one can stand in for the other. */
static void a_picture_comes_out_as_planes(void **state)
{
    (void)state;
    static const char *const told[] = {"", "load"};
    for (size_t i = 0; i < 2; i++) {
        float numbers[12];
        struct given y;
        struct model_tensor x;
        for (int k = 0; k < 12; k++)
            numbers[k] = (float)k;
        tensor_init(&x, "x", MODEL_F32, 4, (const int64_t[]){1, 3, 2, 2}, numbers);
        struct subject s = open_network(EITHER, picture_feature("x", COREML_BGR, 2, 2),
                                        picture_feature("y", COREML_BGR, 2, 2));
        tell(s.dir, told[i]);
        assert_int_equal(harness_load(s.h), MODEL_OK);
        const struct model_tensor_spec *spec = s.h->model->description->outputs[0];
        assert_int_equal(spec->flags, 0);
        assert_int_equal(predict(s.h, &x, &y), MODEL_OK);
        assert_int_equal(y.tensor.rank, 4);
        assert_memory_equal(y.shape, ((const int64_t[]){1, 3, 2, 2}), 4 * sizeof(int64_t));
        for (int k = 0; k < 12; k++)
            assert_int_equal((int)y.numbers[k], k + (i == 0 ? MOCK_ADDS : 0));
        close_subject(&s);
    }
}

/* The label is no tensor; the host makes it of the probabilities. */
static void a_classifier_gives_probabilities_and_no_label(void **state)
{
    (void)state;
    struct proto label = proto_of_text(1, "label"), probabilities = proto_of_text(1, "p");
    struct proto labels = proto_of_text(1, "cat"), keys = {.n = 0}, text = {.n = 0};
    proto_empty(&text, 3);
    proto_child(&label, 3, &text);
    proto_empty(&keys, 2);
    const struct proto dictionary = proto_in(6, keys);
    proto_child(&probabilities, 3, &dictionary);
    proto_text(&labels, 1, "dog");
    struct proto description = description_of(pair("x"), label);
    proto_child(&description, 10, &probabilities);
    proto_text(&description, 11, "label");
    proto_text(&description, 12, "p");
    struct proto body = proto_in(1, identity_layer("x", "y"));
    proto_child(&body, 100, &labels);
    struct subject s = open_model(ONLY_COREML, description, CLASSIFIER, body);
    if (harness_load(s.h) != MODEL_OK)
        fail_msg("%s", s.h->err.message);
    assert_int_equal(s.h->model->description->n_outputs, 1);
    assert_string_equal(s.h->model->description->outputs[0]->name, "p");
    assert_int_equal(s.h->model->description->outputs[0]->shape[0].max, 2);
    close_subject(&s);
}

static struct proto function_of(const char *name, const char *kind)
{
    struct proto function = {.n = 0}, block = {.n = 0}, relu = operation_of(kind, "y");
    const struct proto x = named_pair("x");
    add_input(&relu, "x", "x");
    proto_child(&block, 3, &relu);
    proto_text(&block, 2, "y");
    const struct proto blocks = entry_of("CoreML7", block);
    proto_child(&function, 1, &x);
    proto_text(&function, 2, "CoreML7");
    proto_child(&function, 3, &blocks);
    return entry_of(name, function);
}

static struct proto function_entry(const char *name)
{
    return function_of(name, "relu");
}

/* y of x by one operation, in a program whose file says nothing of its sizes. */
static struct subject open_program(const char *config, struct proto x, const char *kind)
{
    struct proto program = {.n = 0};
    const struct proto main = function_of("main", kind);
    proto_number(&program, 1, 1);
    proto_child(&program, 2, &main);
    return open_model(config, description_of(x, array_feature("y", NULL, 0)), PROGRAM, program);
}

static void outputs_of_programs_without_sizes_have_those_that_the_kernels_make(void **state)
{
    (void)state;
    for (int is_flexible = 0; is_flexible < 2; is_flexible++) {
        const struct proto x = is_flexible ? flexible_feature("x") : pair("x");
        struct subject s = open_program(ONLY_COREML, x, "relu");
        if (harness_load(s.h) != MODEL_OK)
            fail_msg("%s", s.h->err.message);
        const struct model_tensor_spec *y = s.h->model->description->outputs[0];
        assert_int_equal(y->rank, 1);
        assert_int_equal(y->shape[0].min, is_flexible ? 1 : 2);
        assert_int_equal(y->shape[0].max, is_flexible ? 8 : 2);
        assert_answers(s.h, MOCK_ADDS);
        close_subject(&s);
    }
}

static void why_the_kernels_do_not_tell_the_sizes_of_a_program_is_said(void **state)
{
    (void)state;
    struct subject s = open_program(ONLY_COREML, pair("x"), "unheard_of");
    assert_refused(&s, MODEL_UNSUPPORTED,
                   "Core ML: output 'y' declares no sizes, and the model's operations do not tell "
                   "them: layer 'y': 'unheard_of' is not computed");
    close_subject(&s);
}

static void the_plan_is_of_the_function_that_is_loaded(void **state)
{
    (void)state;
    static const struct {
        const char *by_default;
        bool is_alone; /* then nobody is told its name */
        double share;
    } cases[] = {{"main", false, 0.75}, {"other", false, 0.25}, {"other", true, 0.75}};
    const struct proto first = function_entry("main"), second = function_entry("other");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct proto description = two_features(), program = {.n = 0};
        proto_number(&program, 1, 1);
        if (!cases[i].is_alone)
            proto_child(&program, 2, &first);
        proto_child(&program, 2, &second);
        proto_text(&description, 21, cases[i].by_default);
        struct subject s = open_model(ONLY_COREML, description, PROGRAM, program);
        if (harness_load(s.h) != MODEL_OK)
            fail_msg("%s", s.h->err.message);
        assert_true(s.h->model->description->accelerator_share == cases[i].share);
        close_subject(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_schema_that_is_not_the_models_is_refused),
        cmocka_unit_test(the_kernels_stand_in_for_a_wrong_schema),
        cmocka_unit_test(an_output_that_is_missing_is_named),
        cmocka_unit_test(an_output_of_a_network_without_sizes_is_left_to_the_kernels),
        cmocka_unit_test(a_model_with_a_state_is_refused_before_it_is_compiled),
        cmocka_unit_test(sizes_that_vary_may_vary_less_than_the_file_allows),
        cmocka_unit_test(a_picture_goes_in_as_bytes_and_as_numbers),
        cmocka_unit_test(a_picture_of_a_range_is_taken_in_each_of_its_sizes),
        cmocka_unit_test(a_picture_of_float16_has_one_channel_and_is_told_from_bytes),
        cmocka_unit_test(a_picture_comes_out_as_planes),
        cmocka_unit_test(a_classifier_gives_probabilities_and_no_label),
        cmocka_unit_test(outputs_of_programs_without_sizes_have_those_that_the_kernels_make),
        cmocka_unit_test(why_the_kernels_do_not_tell_the_sizes_of_a_program_is_said),
        cmocka_unit_test(the_plan_is_of_the_function_that_is_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
