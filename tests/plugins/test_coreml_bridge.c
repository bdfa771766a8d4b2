/* test_coreml_bridge.c - plugins/coreml-ane over a bridge (plugins/coreml-ane/bridged.c) that does what it is told: who
 * computes, what is refused, that nothing stays, and what a host makes of one that hangs or ends its
 * process. */
#include "dtype.h"
#include "errors.h"
#include "files.h"
#include "mock_bridge.h"
#include "plugin_harness.h"
#include "testing.h"

#include <unistd.h>

#define ONLY_COREML "{\"model_type\":\"coreml\",\"coreml_executor\":\"coreml\"}"
#define EITHER      "{\"model_type\":\"coreml\"}"
#define KERNELS     "{\"model_type\":\"coreml\",\"coreml_executor\":\"kernels\"}"
#define N_CYCLES    10000

/* ---- a package */

static char *backend_of(const char *dir, const char *name)
{
    return text_format("%s/backends/%s", dir, name);
}

static void put(const char *folder, const char *name, const void *data, size_t size_bytes)
{
    char *path = path_join(folder, name);
    write_file(path, data, size_bytes);
    free(path);
}

static void add_backend(const char *dir, const char *name, const char *config)
{
    const char *build = getenv("BUILD");
    struct buffer model = BUFFER_INIT(1 << 20);
    char *backend = backend_of(dir, name), *library = path_join(backend, "libmodel.so");
    char *plugin = text_format("%s/tests/plugin_coreml_mock.so", build != NULL ? build : "build");
    char *target = realpath(plugin, NULL);
    assert_non_null(target);
    assert_int_equal(dir_make_all(backend, NULL), MODEL_OK);
    assert_int_equal(file_read("tests/fuzz/corpus/coreml_graph/identity", 1 << 20, &model, NULL),
                     MODEL_OK);
    put(backend, "model.mlmodel", model.data, model.size);
    put(backend, "config.json", config, strlen(config));
    assert_int_equal(symlink(target, library), 0);
    buffer_finish(&model);
    free(backend);
    free(library);
    free(plugin);
    free(target);
}

static void tell(const char *dir, const char *backend_name, const char *what)
{
    char *backend = backend_of(dir, backend_name);
    put(backend, "mock", what, strlen(what));
    free(backend);
}

static void remove_package(char *dir)
{
    assert_int_equal(dir_remove_all(dir, NULL), MODEL_OK);
    free(dir);
}

/* ---- in this process */

struct subject {
    struct harness *h;
    char *dir, *backend;
};

static struct subject open_subject(const char *backend_name, const char *config)
{
    struct subject s = {harness_create(NULL, config, 1), scratch_dir(), NULL};
    add_backend(s.dir, backend_name, config);
    s.backend = backend_of(s.dir, backend_name);
    s.h->create_model = create_model;
    s.h->args.backend_dir = s.backend;
    return s;
}

static void close_subject(struct subject *s)
{
    assert_int_equal(harness_destroy(s->h), 0);
    assert_int_equal(mock_bridge_held(), 0);
    free(s->backend);
    remove_package(s->dir);
}

static model_status give_output(void *context, uint32_t index, int32_t dtype, uint32_t rank,
                                const int64_t *shape, struct model_error *err)
{
    struct model_tensor *const *outputs = context;
    (void)err;
    assert_int_equal(shape[0], 2);
    void *data = outputs[index]->data;
    tensor_init(outputs[index], "y", dtype, rank, shape, data);
    return MODEL_OK;
}

static model_status no_output(void *context, uint32_t index, int32_t dtype, uint32_t rank,
                              const int64_t *shape, struct model_error *err)
{
    (void)context, (void)index, (void)dtype, (void)rank, (void)shape;
    return error_set(err, MODEL_OUT_OF_MEMORY, "the host has no memory");
}

static model_status run_on(struct harness *h, const struct model_tensor *in, float *y,
                           bool has_memory)
{
    struct model_tensor out = {.struct_size = sizeof out, .name = "y", .data = y};
    const struct model_tensor *inputs[] = {in};
    struct model_tensor *outputs[] = {&out};
    const struct model_cancel cancel = {sizeof cancel, &h->cancelled, INT64_MAX};
    const struct model_call call = {.struct_size = sizeof call,
                                    .inputs = inputs,
                                    .n_inputs = 1,
                                    .outputs = outputs,
                                    .n_outputs = 1,
                                    .allocate_output = has_memory ? give_output : no_output,
                                    .context = outputs,
                                    .cancel = &cancel};
    return h->instance->run(h->instance, &call, &h->err);
}

static model_status run(struct harness *h, float *y, bool has_memory)
{
    float x[2] = {1, 2};
    struct model_tensor in;
    tensor_init(&in, "x", MODEL_F32, 1, (const int64_t[]){2}, x);
    return run_on(h, &in, y, has_memory);
}

static void assert_answers(struct harness *h, int added)
{
    float y[2] = {0};
    assert_int_equal(run(h, y, true), MODEL_OK);
    assert_int_equal((int)y[0], 1 + added);
    assert_int_equal((int)y[1], 2 + added);
}

static void core_ml_computes_where_there_is_a_bridge(void **state)
{
    (void)state;
    struct subject s = open_subject("coreml", EITHER);
    assert_int_equal(harness_load(s.h), MODEL_OK);
    assert_answers(s.h, MOCK_ADDS);
    assert_string_equal(s.h->model->description->device, "npu");
    assert_true(s.h->model->description->accelerator_share > 0.7);
    close_subject(&s);
}

static void a_compiled_model_is_loaded_as_it_is(void **state)
{
    (void)state;
    struct subject s =
        open_subject("coreml", "{\"model_type\":\"coreml\",\"coreml_model\":\"made.mlmodelc\"}");
    char *folder = path_join(s.backend, "made.mlmodelc");
    assert_int_equal(dir_make_all(folder, NULL), MODEL_OK);
    tell(s.dir, "coreml", "compile"); /* would fail */
    assert_int_equal(harness_load(s.h), MODEL_OK);
    assert_answers(s.h, MOCK_ADDS);
    free(folder);
    close_subject(&s);
}

static void a_picture_goes_through_as_bytes_and_as_numbers(void **state)
{
    (void)state;
    struct subject s = open_subject("coreml", EITHER);
    tell(s.dir, "coreml", "picture");
    assert_int_equal(harness_load(s.h), MODEL_OK);
    const struct model_tensor_spec *spec = s.h->model->description->inputs[0];
    assert_int_equal(spec->dtype, MODEL_F32);
    assert_int_equal(spec->flags, MODEL_SPEC_BYTES);
    uint8_t bytes[2] = {7, 255};
    float numbers[2] = {7, 255}, from_bytes[2], from_numbers[2];
    const int64_t shape[] = {1, 1, 1, 2};
    struct model_tensor in;
    tensor_init(&in, "x", MODEL_U8, 4, shape, bytes);
    assert_int_equal(run_on(s.h, &in, from_bytes, true), MODEL_OK);
    tensor_init(&in, "x", MODEL_F32, 4, shape, numbers);
    assert_int_equal(run_on(s.h, &in, from_numbers, true), MODEL_OK);
    assert_memory_equal(from_bytes, from_numbers, sizeof from_bytes);
    assert_int_equal((int)from_bytes[1], 255 + MOCK_ADDS);
    close_subject(&s);
}

static void emulated_float16_is_the_kernels_own(void **state)
{
    (void)state;
    struct subject s = open_subject("coreml", "{\"model_type\":\"coreml\",\"emulate_fp16\":true}");
    assert_int_equal(harness_load(s.h), MODEL_OK);
    assert_answers(s.h, 0);
    close_subject(&s);
    s = open_subject("coreml", "{\"model_type\":\"coreml\",\"emulate_fp16\":true,"
                               "\"coreml_executor\":\"coreml\"}");
    assert_int_equal(harness_load(s.h), MODEL_UNSUPPORTED);
    assert_string_equal(s.h->err.message, "config.json: 'emulate_fp16' is what the kernels do, and "
                                          "'coreml_executor' is \"coreml\"; leave one of them out");
    close_subject(&s);
    s = open_subject("coreml", "{\"model_type\":\"coreml\",\"emulate_fp16\":\"yes\"}");
    assert_int_equal(harness_load(s.h), MODEL_INVALID_ARGUMENT);
    close_subject(&s);
}

static void the_kernels_compute_when_told_to(void **state)
{
    (void)state;
    struct subject s = open_subject("coreml", KERNELS);
    assert_int_equal(harness_load(s.h), MODEL_OK);
    assert_answers(s.h, 0);
    close_subject(&s);
}

/* Since a host may run it in its own process. */
static void another_backend_never_asks_core_ml(void **state)
{
    (void)state;
    struct subject s = open_subject("cpu", EITHER);
    assert_int_equal(harness_load(s.h), MODEL_OK);
    assert_answers(s.h, 0);
    close_subject(&s);
    s = open_subject("cpu", ONLY_COREML);
    assert_int_equal(harness_load(s.h), MODEL_UNSUPPORTED);
    assert_non_null(strstr(s.h->err.message, "backends/coreml"));
    close_subject(&s);
}

static const struct {
    const char *told, *sentence;
} refusals[] = {
    {"compile", "Core ML: told not to compile"},
    {"load", "Core ML: told not to load"},
    {"silent", "Core ML: failed and did not say why"},
    {"no schema", "Core ML: told not to describe"},
    {"old schema", "Core ML: the schema is none of this version"},
    {"wrong name", "Core ML: the schema's inputs are wrong: a name that the model does not have"},
    {"wrong size", "Core ML: the schema's outputs are wrong: a name, type or size"},
    {"odd picture", "Core ML: the schema's inputs are wrong: a name, type or size"},
    {"twice", "Core ML: the schema's outputs are wrong: a name that is there twice"},
};

static void what_the_bridge_gets_wrong_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct subject s = open_subject("coreml", ONLY_COREML);
        tell(s.dir, "coreml", refusals[i].told);
        assert_int_not_equal(harness_load(s.h), MODEL_OK);
        assert_string_equal(s.h->err.message, refusals[i].sentence);
        close_subject(&s);
    }
}

static void the_kernels_stand_in_for_a_bridge_that_fails(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct subject s = open_subject("coreml", EITHER);
        tell(s.dir, "coreml", refusals[i].told);
        assert_int_equal(harness_load(s.h), MODEL_OK);
        assert_answers(s.h, 0);
        assert_string_equal(s.h->model->description->device, "cpu");
        close_subject(&s);
    }
}

static void a_failed_prediction_leaves_the_instance_usable(void **state)
{
    (void)state;
    float y[2];
    struct subject s = open_subject("coreml", ONLY_COREML);
    assert_int_equal(harness_load(s.h), MODEL_OK);
    tell(s.dir, "coreml", "predict");
    assert_int_equal(run(s.h, y, true), MODEL_INTERNAL);
    assert_string_equal(s.h->err.message, "Core ML: told not to predict");
    tell(s.dir, "coreml", "");
    assert_int_equal(run(s.h, y, false), MODEL_OUT_OF_MEMORY);
    assert_string_equal(s.h->err.message, "the host has no memory");
    assert_answers(s.h, MOCK_ADDS);
    close_subject(&s);
}

static void config_words_that_are_not_known_are_refused(void **state)
{
    (void)state;
    struct subject s =
        open_subject("coreml", "{\"coreml_executor\":\"coreml\",\"compute_units\":\"neural\"}");
    assert_int_equal(harness_load(s.h), MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(s.h->err.message, "'compute_units' is \"neural\", want"));
    close_subject(&s);
    s = open_subject("coreml", "{\"coreml_executor\":\"gpu\"}");
    assert_int_equal(harness_load(s.h), MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(s.h->err.message, "'coreml_executor' is \"gpu\", want"));
    close_subject(&s);
}

/* Growth is what is held at the end of a cycle and was not at the end of the first. */
static void many_lives_leave_nothing(void **state)
{
    (void)state;
    struct subject s = open_subject("coreml", ONLY_COREML);
    for (int i = 0; i < N_CYCLES; i++) {
        if (harness_load(s.h) != MODEL_OK)
            fail_msg("%s", s.h->err.message);
        assert_answers(s.h, MOCK_ADDS);
        s.h->instance->destroy(s.h->instance);
        s.h->model->destroy(s.h->model);
        s.h->instance = NULL;
        s.h->model = NULL;
        assert_int_equal(s.h->held, 0);
        assert_int_equal(mock_bridge_held(), 0);
    }
    close_subject(&s);
}

/* ---- in a host: hosts run the backend "coreml" in workers, unasked */

struct hosted {
    struct modelhost *host;
    struct modelhost_model *model;
    char *dir;
};

static struct hosted open_hosted(void)
{
    struct hosted hosted = {.dir = scratch_dir()};
    struct model_error err = MODEL_ERROR_INIT;
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct modelhost_load_options load = MODELHOST_LOAD_OPTIONS_INIT;
    add_backend(hosted.dir, "coreml", ONLY_COREML);
    add_backend(hosted.dir, "cpu", EITHER);
    options.store_dir = options.plugin_path = hosted.dir;
    options.lanes = options.threads = 1;
    load.backend = "coreml,cpu";
    load.breaker_min_calls = 1;
    load.breaker_cooldown_ms = 3600000;
    if (modelhost_create(&options, &hosted.host, &err) != MODEL_OK ||
        modelhost_load_with(hosted.host, hosted.dir, &load, &hosted.model, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return hosted;
}

static void close_hosted(struct hosted *hosted)
{
    modelhost_release(hosted->model);
    modelhost_destroy(hosted->host);
    remove_package(hosted->dir);
}

static model_status ask(struct modelhost_model *model, int64_t timeout_ms, int *ret_added,
                        struct model_error *err)
{
    float x[2] = {1, 2};
    const int64_t shape = 2;
    struct model_tensor in;
    struct modelhost_run_options options = MODELHOST_RUN_OPTIONS_INIT;
    struct modelhost_result *result = NULL;
    tensor_init(&in, "x", MODEL_F32, 1, &shape, x);
    const struct model_tensor *inputs[] = {&in};
    options.timeout_ms = timeout_ms;
    const model_status status = modelhost_run(model, inputs, 1, &options, &result, err);
    if (status == MODEL_OK)
        *ret_added = (int)*(const float *)modelhost_result_at(result, 0)->data - 1;
    modelhost_result_destroy(result);
    return status;
}

static void the_cpu_answers_after(const char *told, model_status first, int64_t timeout_ms)
{
    struct hosted hosted = open_hosted();
    struct model_error err = MODEL_ERROR_INIT;
    int added = -1;
    assert_non_null(strstr(modelhost_describe(hosted.model), "\"isolation\":\t\"worker\""));
    if (ask(hosted.model, 0, &added, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(added, MOCK_ADDS);
    tell(hosted.dir, "coreml", told);
    assert_int_equal(ask(hosted.model, timeout_ms, &added, &err), first);
    if (ask(hosted.model, 0, &added, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(added, 0);
    close_hosted(&hosted);
}

static void a_crash_ends_the_worker_alone_and_the_cpu_answers(void **state)
{
    (void)state;
    the_cpu_answers_after("crash", MODELHOST_CRASHED, 0);
}

static void a_hang_is_killed_and_the_cpu_answers(void **state)
{
    (void)state;
    the_cpu_answers_after("hang", MODEL_DEADLINE, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(core_ml_computes_where_there_is_a_bridge),
        cmocka_unit_test(a_compiled_model_is_loaded_as_it_is),
        cmocka_unit_test(a_picture_goes_through_as_bytes_and_as_numbers),
        cmocka_unit_test(emulated_float16_is_the_kernels_own),
        cmocka_unit_test(the_kernels_compute_when_told_to),
        cmocka_unit_test(another_backend_never_asks_core_ml),
        cmocka_unit_test(what_the_bridge_gets_wrong_is_refused),
        cmocka_unit_test(the_kernels_stand_in_for_a_bridge_that_fails),
        cmocka_unit_test(a_failed_prediction_leaves_the_instance_usable),
        cmocka_unit_test(config_words_that_are_not_known_are_refused),
        cmocka_unit_test(many_lives_leave_nothing),
        cmocka_unit_test(a_crash_ends_the_worker_alone_and_the_cpu_answers),
        cmocka_unit_test(a_hang_is_killed_and_the_cpu_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
