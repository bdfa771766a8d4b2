/* test_trial.c - models of a checked plugin: services that count, fail and lie; runs that are held against the
 * rules. Covers host/conformance/subject.c, host/conformance/trial.c, host/conformance/trial_services.c,
 * host/conformance/trial_run.c and host/conformance/trial_compare.c. The plugin is tests/abi/plugin_faulty.c. */
#include "echo_package.h"
#include "dtype.h"
#include "errors.h"
#include "safetensors.h"
#include "trial_run.h"

#include <math.h>

struct bench {
    struct subject subject;
    struct trial *trial;
    struct made_options sizes;
    struct made_inputs *inputs;
    char *dir;
};

/* The plugin with a fault, its package, and a weight "bias" if wanted. */
static void open_subject(struct bench *bench, const char *fault, bool has_bias)
{
    struct model_error err = MODEL_ERROR_INIT;
    char config[100];
    float values[2] = {0, 0};
    const int64_t shape[1] = {2};
    (void)snprintf(config, sizeof config, "{\"model_type\":\"faulty\",\"fault\":\"%s\"}", fault);
    *bench = (struct bench){.dir = make_package("faulty", config)};
    if (has_bias) {
        struct model_tensor bias;
        const struct model_tensor *list[1] = {&bias};
        char *path = path_join(bench->dir, "backends/cpu/model.safetensors");
        tensor_init(&bias, "bias", MODEL_F32, 1, shape, values);
        assert_int_equal(safetensors_write(path, list, 1, NULL), MODEL_OK);
        free(path);
    }
    char *plugin = path_join(bench->dir, "backends/cpu/libmodel.so");
    const struct subject_options options = {
        .plugin = plugin, .package = bench->dir, .record_fd = -1};
    if (subject_open(&options, &bench->subject, &err) != MODEL_OK ||
        subject_open_plugin(&bench->subject, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    bench->subject.plugin_path = NULL;
    free(plugin);
}

static model_status load(struct bench *bench, const struct trial_options *options)
{
    bench->trial = trial_create(&bench->subject, options);
    assert_non_null(bench->trial);
    return trial_load(bench->trial);
}

static void start(struct bench *bench, const char *fault)
{
    open_subject(bench, fault, false);
    assert_int_equal(load(bench, &(struct trial_options){.fail_at = 0}), MODEL_OK);
    bench->sizes = (struct made_options){.batch = 2, .other = 4, .picture = 4, .seed = 1};
    bench->inputs = made_inputs_create(bench->trial->model->description, bench->subject.config,
                                       &bench->sizes, NULL);
    assert_non_null(bench->inputs);
}

static void stop(struct bench *bench)
{
    made_inputs_destroy(bench->inputs);
    trial_stop(bench->trial);
    subject_finish(&bench->subject);
    remove_package(bench->dir);
}

static void a_good_plugin_runs_and_holds_nothing_afterwards(void **state)
{
    (void)state;
    struct bench bench;
    struct run_result result;
    start(&bench, "none");
    assert_true(
        trial_run(bench.trial, NULL, &(struct run_options){.inputs = bench.inputs}, &result, NULL));
    assert_int_equal(result.status, MODEL_OK);
    assert_int_equal(result.n_outputs, 1);
    const float *x = bench.inputs->list[0]->data, *y = result.outputs[0].data;
    for (int i = 0; i < 8; i++)
        assert_true(y[i] == 2 * x[i]);
    run_result_finish(&result);
    assert_int_equal(atomic_load(&bench.trial->n_held), 2);
    trial_end(bench.trial);
    assert_int_equal(atomic_load(&bench.trial->n_held), 0);
    assert_int_equal(late_calls(), 0);
    stop(&bench);
}

/* A rule that a run of this fault breaks, in a part of its sentence. */
static void expect_broken(const char *fault, const char *part)
{
    struct bench bench;
    struct run_result result;
    struct model_error err = MODEL_ERROR_INIT;
    start(&bench, fault);
    if (trial_run(bench.trial, NULL, &(struct run_options){.inputs = bench.inputs}, &result, &err))
        fail_msg("%s breaks no rule", fault);
    if (strstr(err.message, part) == NULL)
        fail_msg("'%s' is not in: %s", part, err.message);
    run_result_finish(&result);
    stop(&bench);
}

static void broken_rules_of_a_run_have_sentences(void **state)
{
    (void)state;
    expect_broken("wrong-shape", "'y': dimension 1 is 5, want 4");
    expect_broken("no-output", "output 'y' was not allocated");
    expect_broken("silent-error", "without a sentence");
    expect_broken("no-status", "4711, which is no status");
    expect_broken("underrun-output", "wrote memory beside output 'y'");
}

static void an_overlooked_refusal_is_seen(void **state)
{
    (void)state;
    struct bench bench;
    struct run_result result;
    struct model_error err = MODEL_ERROR_INIT;
    start(&bench, "throw-away-error");
    trial_fail_at(bench.trial, 1);
    assert_false(
        trial_run(bench.trial, NULL, &(struct run_options){.inputs = bench.inputs}, &result, &err));
    assert_non_null(strstr(err.message, "though allocate_output() failed"));
    assert_true(atomic_load(&bench.trial->has_failed));
    run_result_finish(&result);
    stop(&bench);
}

static void the_nth_allocation_fails_and_no_other(void **state)
{
    (void)state;
    struct bench bench;
    open_subject(&bench, "none", false);
    for (size_t n = 1; n <= 3; n++) {
        const model_status status = load(&bench, &(struct trial_options){.fail_at = n});
        assert_int_equal(status, n <= 2 ? MODEL_OUT_OF_MEMORY : MODEL_OK);
        assert_int_equal(atomic_load(&bench.trial->has_failed), n <= 2);
        trial_end(bench.trial);
        assert_int_equal(atomic_load(&bench.trial->n_held), 0);
        trial_destroy(bench.trial);
    }
    bench.trial = NULL;
    stop(&bench);
}

static void weights_are_told_wrongly_with_memory_of_their_own(void **state)
{
    (void)state;
    struct bench bench;
    static const model_status want[N_WEIGHT_LIES] = {MODEL_OK,      MODEL_OK,      MODEL_CORRUPT,
                                                     MODEL_CORRUPT, MODEL_CORRUPT, MODEL_CORRUPT};
    open_subject(&bench, "none", true);
    for (int lie = LIE_NONE; lie < N_WEIGHT_LIES; lie++) {
        assert_int_equal(load(&bench, &(struct trial_options){.lie = (enum weight_lie)lie}),
                         want[lie]);
        if (lie != LIE_NONE)
            assert_int_equal(bench.trial->asked[0], 1);
        if (lie == LIE_LONGER)
            assert_int_equal(bench.trial->lie_view.shape[0], 3);
        if (lie == LIE_RANK)
            assert_int_equal(bench.trial->lie_view.rank, 2);
        trial_stop(bench.trial);
    }
    bench.trial = NULL;
    stop(&bench);
}

static void a_description_that_makes_no_sense_is_a_failure(void **state)
{
    (void)state;
    struct bench bench;
    open_subject(&bench, "bad-schema", false);
    assert_int_equal(load(&bench, &(struct trial_options){.fail_at = 0}), MODEL_INTERNAL);
    assert_non_null(strstr(bench.trial->err.message, "makes no sense"));
    stop(&bench);
}

static void results_are_compared_bit_by_bit_and_by_difference(void **state)
{
    (void)state;
    float a[2] = {1, 3}, b[2] = {1, 3.5F};
    int32_t c[2] = {1, 2}, d[2] = {1, 3};
    const int64_t shape[1] = {2}, shorter[1] = {1};
    struct model_tensor x, y;
    tensor_init(&x, "x", MODEL_F32, 1, shape, a);
    tensor_init(&y, "y", MODEL_F32, 1, shape, b);
    assert_true(fabs(tensors_differ_by(&x, &y) - 0.5 / 4.5) < 1e-9);
    assert_true(tensors_differ_by(&x, &x) == 0);
    tensor_init(&y, "y", MODEL_F32, 1, shorter, b);
    assert_true(isinf(tensors_differ_by(&x, &y)));
    tensor_init(&x, "x", MODEL_I32, 1, shape, c);
    tensor_init(&y, "y", MODEL_I32, 1, shape, d);
    assert_true(isinf(tensors_differ_by(&x, &y)));
    /* 1.5 and -2 in half precision, both kinds. */
    uint16_t half[2] = {0x3E00, 0xC000}, brain[2] = {0x3FC0, 0xC000}, none[2] = {0, 0};
    tensor_init(&x, "x", MODEL_F16, 1, shape, half);
    tensor_init(&y, "y", MODEL_F16, 1, shape, none);
    assert_true(fabs(tensors_differ_by(&y, &x) - 2.0 / 3) < 1e-9);
    tensor_init(&x, "x", MODEL_BF16, 1, shape, brain);
    tensor_init(&y, "y", MODEL_BF16, 1, shape, none);
    assert_true(fabs(tensors_differ_by(&y, &x) - 2.0 / 3) < 1e-9);
}

static void without_a_package_there_is_an_empty_one(void **state)
{
    (void)state;
    struct bench bench;
    struct model_error err = MODEL_ERROR_INIT;
    open_subject(&bench, "none", false);
    char *plugin = path_join(bench.dir, "backends/cpu/libmodel.so");
    struct subject empty;
    assert_int_equal(
        subject_open(&(struct subject_options){.plugin = plugin, .record_fd = -1}, &empty, &err),
        MODEL_OK);
    assert_string_equal(empty.config_text, "{\"model_type\":\"faulty\"}");
    assert_false(empty.has_package);
    subject_finish(&empty);
    const struct subject_options nowhere = {
        .plugin = plugin, .package = "/no/such/folder", .record_fd = -1};
    assert_int_equal(subject_open(&nowhere, &empty, &err), MODEL_NOT_FOUND);
    assert_non_null(strstr(err.message, "/no/such/folder"));
    free(plugin);
    stop(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_plugin_runs_and_holds_nothing_afterwards),
        cmocka_unit_test(broken_rules_of_a_run_have_sentences),
        cmocka_unit_test(an_overlooked_refusal_is_seen),
        cmocka_unit_test(the_nth_allocation_fails_and_no_other),
        cmocka_unit_test(weights_are_told_wrongly_with_memory_of_their_own),
        cmocka_unit_test(a_description_that_makes_no_sense_is_a_failure),
        cmocka_unit_test(results_are_compared_bit_by_bit_and_by_difference),
        cmocka_unit_test(without_a_package_there_is_an_empty_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
