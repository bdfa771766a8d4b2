/* test_coreml_bridge.c - plugins/coreml-ane over a bridge (plugins/coreml-ane/bridged.c) that does what it is told: who
 * computes, what is refused, that nothing stays, and what a host makes of one that hangs or ends its
 * process. */
#include "coreml_subject.h"
#include "malloc_bytes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define KERNELS  "{\"model_type\":\"coreml\",\"coreml_executor\":\"kernels\"}"
#define N_CYCLES 10000
#define N_FIRST  100 /* by then all that is kept on purpose is there */

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
    tell(s.dir, "compile"); /* would fail */
    assert_int_equal(harness_load(s.h), MODEL_OK);
    assert_answers(s.h, MOCK_ADDS);
    free(folder);
    close_subject(&s);
}

#define BOTH "{\"model_type\":\"coreml\",\"coreml_compiled\":\"made.mlmodelc\""

/* A package with a model and what was compiled of it. */
static struct subject open_both(const char *config)
{
    struct subject s = open_subject("coreml", config);
    char *folder = path_join(s.backend, "made.mlmodelc");
    assert_int_equal(dir_make_all(folder, NULL), MODEL_OK);
    free(folder);
    return s;
}

static void a_compiled_model_beside_its_source_saves_the_compiling(void **state)
{
    (void)state;
    struct subject s = open_both(BOTH ",\"coreml_executor\":\"coreml\"}");
    const int before = mock_bridge_compiled();
    assert_int_equal(harness_load(s.h), MODEL_OK);
    assert_answers(s.h, MOCK_ADDS);
    assert_int_equal(mock_bridge_compiled(), before);
    close_subject(&s);
    s = open_both(BOTH ",\"coreml_executor\":\"kernels\"}");
    assert_int_equal(harness_load(s.h), MODEL_OK);
    assert_answers(s.h, 0);
    close_subject(&s);
}

static void a_compiled_model_that_is_not_its_sources_is_refused(void **state)
{
    (void)state;
    struct subject s = open_both(BOTH "}");
    tell(s.dir, "longer input");
    assert_int_equal(harness_load(s.h), MODEL_OK);
    assert_answers(s.h, 0); /* by the kernels, which read the source */
    close_subject(&s);
    s = open_both(BOTH ",\"coreml_executor\":\"coreml\"}");
    tell(s.dir, "longer input");
    assert_int_equal(harness_load(s.h), MODEL_CORRUPT);
    assert_string_equal(s.h->err.message,
                        "Core ML: input 'x' is F32 [3], and the model declares F32 [2]");
    close_subject(&s);
}

static void a_compiled_model_that_does_not_load_is_made_anew(void **state)
{
    (void)state;
    struct subject s = open_both(BOTH ",\"coreml_executor\":\"coreml\"}");
    char *folder = path_join(s.backend, "made.mlmodelc");
    const int before = mock_bridge_compiled();
    put(folder, "source", "", 0); /* damage */
    assert_int_equal(harness_load(s.h), MODEL_OK);
    assert_answers(s.h, MOCK_ADDS);
    assert_int_equal(mock_bridge_compiled(), before + 1);
    free(folder);
    close_subject(&s);
}

static void a_compiled_model_elsewhere_is_none_of_the_packages(void **state)
{
    (void)state;
    struct subject s = open_subject("coreml", "{\"coreml_compiled\":\"../cpu/made.mlmodelc\"}");
    assert_int_equal(harness_load(s.h), MODEL_INVALID_ARGUMENT);
    assert_string_equal(s.h->err.message,
                        "config.json: 'coreml_compiled' is \"../cpu/made.mlmodelc\", want a path "
                        "below its folder");
    close_subject(&s);
}

/* Of one alone the schema is all there is, and is checked by itself. */
static void the_schema_of_a_compiled_model_must_be_one(void **state)
{
    (void)state;
    static const struct {
        const char *told, *sentence;
    } cases[] = {
        {"old schema", "Core ML: the schema is none of this version"},
        {"wrong size", "Core ML: dimension 0 of output 'y' is from 2 to 1, want 1 or more"},
        {"twice", "Core ML: the schema has output 'y' twice"},
        {"fewer outputs", "Core ML: the schema has 0 outputs, want 1 to 64"},
        {"no sizes", "Core ML: output 'y' declares no sizes, want them in the model: convert it "
                     "with fixed ones, or leave it to the kernels"},
        {"odd picture",
         "Core ML: input 'x' is of dtype 7 and has 4 dimensions, want F32 and 4 of a "
         "picture"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct subject s =
            open_both("{\"model_type\":\"coreml\",\"coreml_model\":\"made.mlmodelc\"}");
        tell(s.dir, cases[i].told);
        assert_int_not_equal(harness_load(s.h), MODEL_OK);
        assert_string_equal(s.h->err.message, cases[i].sentence);
        close_subject(&s);
    }
}

static model_status give_three(void *context, uint32_t index, int32_t dtype, uint32_t rank,
                               const int64_t *shape, struct model_error *err)
{
    (void)index, (void)err;
    assert_int_equal(shape[0], 3);
    tensor_init(context, "y", dtype, rank, shape, ((struct model_tensor *)context)->data);
    return MODEL_OK;
}

static void sizes_of_a_range_go_through(void **state)
{
    (void)state;
    struct subject s =
        open_subject("coreml", "{\"model_type\":\"coreml\",\"coreml_model\":\"made.mlmodelc\"}");
    char *folder = path_join(s.backend, "made.mlmodelc");
    assert_int_equal(dir_make_all(folder, NULL), MODEL_OK);
    free(folder);
    tell(s.dir, "range");
    assert_int_equal(harness_load(s.h), MODEL_OK);
    const struct model_dimension *x = s.h->model->description->inputs[0]->shape;
    assert_string_equal(x->name, "x_0");
    assert_int_equal(x->min, 1);
    assert_int_equal(x->max, 4);
    float three[] = {5, 6, 7}, y[3] = {0};
    struct model_tensor in, out = {.struct_size = sizeof out, .name = "y", .data = y};
    tensor_init(&in, "x", MODEL_F32, 1, (const int64_t[]){3}, three);
    const struct model_tensor *inputs[] = {&in};
    struct model_tensor *outputs[] = {&out};
    const struct model_cancel cancel = {sizeof cancel, &s.h->cancelled, INT64_MAX};
    const struct model_call call = {.struct_size = sizeof call,
                                    .inputs = inputs,
                                    .n_inputs = 1,
                                    .outputs = outputs,
                                    .n_outputs = 1,
                                    .allocate_output = give_three,
                                    .context = &out,
                                    .cancel = &cancel};
    assert_int_equal(s.h->instance->run(s.h->instance, &call, &s.h->err), MODEL_OK);
    assert_int_equal((int)y[2], 7 + MOCK_ADDS);
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
};

static void what_the_bridge_gets_wrong_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct subject s = open_subject("coreml", ONLY_COREML);
        tell(s.dir, refusals[i].told);
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
        tell(s.dir, refusals[i].told);
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
    tell(s.dir, "predict");
    assert_int_equal(run(s.h, y, true), MODEL_INTERNAL);
    assert_string_equal(s.h->err.message, "Core ML: told not to predict");
    tell(s.dir, "");
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

/* ---- lives */

static int count_descriptors(void)
{
    int n = 0;
    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) != -1;
    return n;
}

static void live(struct harness *h)
{
    if (harness_load(h) != MODEL_OK)
        fail_msg("%s", h->err.message);
    assert_answers(h, MOCK_ADDS);
    h->instance->destroy(h->instance);
    h->model->destroy(h->model);
    h->instance = NULL;
    h->model = NULL;
    assert_int_equal(h->held, 0);
    assert_int_equal(mock_bridge_held(), 0);
}

/* From the first lives to the last none loses a block of malloc(), whose smallest one takes 32 bytes; blocks that threads keep for
 * their next call come to less than half of that for each life. */
static void live_and_count(struct harness *h, int n_lives)
{
    for (int i = 0; i < N_FIRST; i++)
        live(h);
    const size_t bytes = bytes_in_use();
    const int descriptors = count_descriptors();
    for (int i = N_FIRST; i < n_lives; i++)
        live(h);
    assert_in_range(bytes_in_use(), 0, bytes + (size_t)(n_lives - N_FIRST) * 16);
    assert_int_equal(count_descriptors(), descriptors);
}

/* The first compiles, the others find what it kept: ten thousand folders would be a test of the disk. */
static void many_lives_leave_nothing(void **state)
{
    (void)state;
    struct subject s = open_subject("coreml", ONLY_COREML);
    char *folder = path_join(s.dir, "compiled");
    s.h->compiled = (struct model_compiled_models){sizeof s.h->compiled, folder, UINT64_C(1) << 20};
    live_and_count(s.h, N_CYCLES);
    free(folder);
    close_subject(&s);
}

/* Each compiles, and removes what it made. */
static void lives_that_keep_nothing_leave_nothing(void **state)
{
    (void)state;
    struct subject s = open_subject("coreml", ONLY_COREML);
    live_and_count(s.h, 10 * N_FIRST);
    close_subject(&s);
}

/* ---- in a host: hosts run the backend "coreml" in workers, unasked */

/* A new package whose bridge does what it is told, also when it compiles. */
static struct hosted open_started(int32_t accelerator_start, const char *told)
{
    char *dir = scratch_dir(), *pipe = path_join(dir, "pipe");
    add_backend(dir, "coreml", ONLY_COREML);
    add_backend(dir, "cpu", EITHER);
    tell(dir, told);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    free(pipe);
    return load_hosted(dir, accelerator_start);
}

/* Three processes that end are enough, one more call is for a process that was not ready in time. */
static void the_cpu_answers_after(const char *told, model_status first, int64_t timeout_ms)
{
    struct hosted hosted = open_started(MODELHOST_ACCELERATOR_WAIT, told);
    struct model_error err = MODEL_ERROR_INIT;
    int added = -1, n_failed = 0;
    model_status status;
    assert_non_null(strstr(modelhost_describe(hosted.model), "\"isolation\":\t\"worker\""));
    while ((status = ask(hosted.model, timeout_ms, &added, &err)) == first && n_failed < 20)
        n_failed++;
    if (status != MODEL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(added, 0);
    assert_in_range(n_failed, 3, 4);
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

/* What the next call is answered with, and what it says of Core ML. */
static void assert_hosted_answers(const struct hosted *hosted, int wanted, const char *state)
{
    struct model_error err = MODEL_ERROR_INIT;
    int added = -1;
    assert_non_null(strstr(modelhost_describe(hosted->model), state));
    if (ask(hosted->model, 0, &added, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(added, wanted);
}

static bool is_loading(const struct hosted *hosted)
{
    return strstr(modelhost_describe(hosted->model), "\"state\":\t\"loading\"") != NULL;
}

/* Returns when Core ML compiles, which it does until this is closed. */
static int take_pipe(const struct hosted *hosted)
{
    char *path = path_join(hosted->dir, "pipe");
    const int pipe = open(path, O_WRONLY);
    assert_true(pipe >= 0);
    free(path);
    return pipe;
}

static void the_cpu_answers_while_core_ml_compiles(void **state)
{
    (void)state;
    struct hosted hosted = open_started(MODELHOST_ACCELERATOR_DEFAULT, "wait in compile");
    for (int i = 0; i < 3; i++)
        assert_hosted_answers(&hosted, 0, "\"state\":\t\"loading\"");
    const int pipe = take_pipe(&hosted);
    assert_hosted_answers(&hosted, 0, "\"state\":\t\"loading\"");
    assert_int_equal(close(pipe), 0);
    while (is_loading(&hosted))
        continue;
    assert_hosted_answers(&hosted, MOCK_ADDS, "\"state\":\t\"ready\"");
    close_hosted(&hosted);
}

static void a_compilation_that_nobody_waits_for_is_ended(void **state)
{
    (void)state;
    struct hosted hosted = open_started(MODELHOST_ACCELERATOR_DEFAULT, "wait in compile");
    const int pipe = take_pipe(&hosted);
    assert_hosted_answers(&hosted, 0, "\"state\":\t\"loading\"");
    close_hosted(&hosted);
    assert_int_equal(close(pipe), 0);
}

static void the_cpu_goes_on_when_core_ml_does_not_load(void **state)
{
    (void)state;
    static const char *const told[] = {"load", "wrong size", "crash in compile"};
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        struct hosted hosted = open_started(MODELHOST_ACCELERATOR_DEFAULT, told[i]);
        while (is_loading(&hosted))
            continue;
        assert_hosted_answers(&hosted, 0, "\"state\":\t\"refused\"");
        close_hosted(&hosted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(core_ml_computes_where_there_is_a_bridge),
        cmocka_unit_test(a_compiled_model_is_loaded_as_it_is),
        cmocka_unit_test(a_compiled_model_beside_its_source_saves_the_compiling),
        cmocka_unit_test(a_compiled_model_that_is_not_its_sources_is_refused),
        cmocka_unit_test(a_compiled_model_that_does_not_load_is_made_anew),
        cmocka_unit_test(a_compiled_model_elsewhere_is_none_of_the_packages),
        cmocka_unit_test(the_schema_of_a_compiled_model_must_be_one),
        cmocka_unit_test(sizes_of_a_range_go_through),
        cmocka_unit_test(emulated_float16_is_the_kernels_own),
        cmocka_unit_test(the_kernels_compute_when_told_to),
        cmocka_unit_test(another_backend_never_asks_core_ml),
        cmocka_unit_test(what_the_bridge_gets_wrong_is_refused),
        cmocka_unit_test(the_kernels_stand_in_for_a_bridge_that_fails),
        cmocka_unit_test(a_failed_prediction_leaves_the_instance_usable),
        cmocka_unit_test(config_words_that_are_not_known_are_refused),
        cmocka_unit_test(many_lives_leave_nothing),
        cmocka_unit_test(lives_that_keep_nothing_leave_nothing),
        cmocka_unit_test(a_crash_ends_the_worker_alone_and_the_cpu_answers),
        cmocka_unit_test(a_hang_is_killed_and_the_cpu_answers),
        cmocka_unit_test(the_cpu_answers_while_core_ml_compiles),
        cmocka_unit_test(a_compilation_that_nobody_waits_for_is_ended),
        cmocka_unit_test(the_cpu_goes_on_when_core_ml_does_not_load),
    };
    return cmocka_run_group_tests(tests, count_everything, NULL);
}
