/* test_coreml_alone.c - a package with backends/coreml alone in a host whose system has Core ML (a mocked bridge,
 * mock_bridge.h): our own kernels answer for the same model until Core ML is ready, and when it fails. */
#include "coreml_subject.h"
#include "host.h"

#include <fcntl.h>
#include <sys/stat.h>

#define KERNELS "{\"model_type\":\"coreml\",\"coreml_executor\":\"kernels\"}"

/* With a bridge that does what it is told; backend NULL: as the host thinks best. Crashes put plugins into quarantine. */
static struct hosted open_alone(const char *config, const char *told, const char *backend,
                                int32_t accelerator_start)
{
    struct hosted hosted = create_hosted(scratch_dir(), NULL);
    struct modelhost_load_options load = MODELHOST_LOAD_OPTIONS_INIT;
    char *pipe = path_join(hosted.dir, "pipe");
    add_backend(hosted.dir, "coreml", config);
    tell(hosted.dir, told);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    free(pipe);
    load.backend = backend;
    load.breaker_cooldown_ms = 3600000;
    load.quarantine_after_crashes = 1;
    load.accelerator_start = accelerator_start;
    hosted.host->has_core_ml = true;
    load_package(&hosted, &load);
    return hosted;
}

static bool describes(const struct hosted *hosted, const char *part)
{
    return strstr(modelhost_describe(hosted->model), part) != NULL;
}

static void assert_next_answer_adds(const struct hosted *hosted, int wanted)
{
    struct model_error err = MODEL_ERROR_INIT;
    int added = -1;
    if (ask(hosted->model, 0, &added, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(added, wanted);
}

static void wait_until_loaded(const struct hosted *hosted)
{
    while (describes(hosted, "\"state\":\t\"loading\""))
        continue;
}

static void our_kernels_answer_until_core_ml_is_ready(void **state)
{
    (void)state;
    struct hosted hosted =
        open_alone(EITHER, "wait in compile", NULL, MODELHOST_ACCELERATOR_DEFAULT);
    char *path = path_join(hosted.dir, "pipe");
    const int pipe = open(path, O_WRONLY); /* it compiles until this is closed */
    assert_true(pipe >= 0);
    assert_true(describes(&hosted, "\"backend\":\t\"coreml:cpu\""));
    assert_true(describes(&hosted, "\"isolation\":\t\"inproc\""));
    assert_true(describes(&hosted, "\"requested_units\":\t\"none\""));
    assert_next_answer_adds(&hosted, 0);
    assert_int_equal(close(pipe), 0);
    wait_until_loaded(&hosted);
    assert_true(describes(&hosted, "\"state\":\t\"ready\""));
    assert_next_answer_adds(&hosted, MOCK_ADDS);
    close_hosted(&hosted);
    free(path);
}

static void our_kernels_answer_when_core_ml_crashes_in_a_row(void **state)
{
    (void)state;
    static const int32_t starts[] = {MODELHOST_ACCELERATOR_DEFAULT, MODELHOST_ACCELERATOR_WAIT};
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        struct hosted hosted = open_alone(EITHER, "crash", NULL, starts[i]);
        struct model_error err = MODEL_ERROR_INIT;
        int added = -1, n_failed = 0;
        model_status status;
        wait_until_loaded(&hosted);
        while ((status = ask(hosted.model, 0, &added, &err)) == MODELHOST_CRASHED && n_failed < 20)
            n_failed++;
        assert_int_equal(status, MODEL_OK);
        assert_int_equal(added, 0);
        assert_in_range(n_failed, 3, 4);
        assert_next_answer_adds(&hosted, 0);
        close_hosted(&hosted);
    }
}

static void our_kernels_go_on_when_core_ml_does_not_open(void **state)
{
    (void)state;
    static const char *const told[] = {"wrong size", "crash in compile"};
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        struct hosted hosted = open_alone(EITHER, told[i], NULL, MODELHOST_ACCELERATOR_DEFAULT);
        wait_until_loaded(&hosted);
        assert_true(describes(&hosted, "\"state\":\t\"refused\""));
        assert_next_answer_adds(&hosted, 0);
        close_hosted(&hosted);
    }
}

/* Its plugin would take the kernels in a process of its own: twice the memory for nothing. */
static void a_model_that_core_ml_does_not_compute_is_open_once(void **state)
{
    (void)state;
    struct hosted hosted = open_alone(KERNELS, "", NULL, MODELHOST_ACCELERATOR_DEFAULT);
    wait_until_loaded(&hosted);
    assert_true(describes(&hosted, "its plugin computes it by the kernels, as 'coreml:cpu' does"));
    assert_next_answer_adds(&hosted, 0);
    close_hosted(&hosted);
}

static void a_model_that_is_for_core_ml_only_has_nobody_to_stand_in(void **state)
{
    (void)state;
    struct hosted hosted = open_alone(ONLY_COREML, "", NULL, MODELHOST_ACCELERATOR_DEFAULT);
    assert_true(describes(&hosted, "\"backend\":\t\"coreml\""));
    assert_true(describes(&hosted, "\"isolation\":\t\"worker\""));
    assert_next_answer_adds(&hosted, MOCK_ADDS);
    close_hosted(&hosted);
}

static void who_asks_for_one_of_them_gets_that_one(void **state)
{
    (void)state;
    struct hosted hosted = open_alone(EITHER, "", "coreml", MODELHOST_ACCELERATOR_DEFAULT);
    assert_true(describes(&hosted, "\"fallbacks\":\t[]"));
    assert_next_answer_adds(&hosted, MOCK_ADDS);
    close_hosted(&hosted);
    hosted = open_alone(EITHER, "", "coreml:cpu", MODELHOST_ACCELERATOR_DEFAULT);
    assert_true(describes(&hosted, "\"fallbacks\":\t[]"));
    assert_next_answer_adds(&hosted, 0);
    close_hosted(&hosted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_kernels_answer_until_core_ml_is_ready),
        cmocka_unit_test(our_kernels_answer_when_core_ml_crashes_in_a_row),
        cmocka_unit_test(our_kernels_go_on_when_core_ml_does_not_open),
        cmocka_unit_test(a_model_that_core_ml_does_not_compute_is_open_once),
        cmocka_unit_test(a_model_that_is_for_core_ml_only_has_nobody_to_stand_in),
        cmocka_unit_test(who_asks_for_one_of_them_gets_that_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
