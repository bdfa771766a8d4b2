/* test_worker_life.c - how worker processes begin and end, through the public interface: loading, crashes, destroy(),
 * and that nothing is left of them. host/workers/worker_model.c, host/workers/worker_slot.c,
 * host/workers/worker_watch.c, host/workers/worker_lines.c, host/model_guard.c. */
#include "clock.h"
#include "loaded_model.h"
#include "worker_fixture.h"

#include <dirent.h>
#include <sched.h>
#include <sys/wait.h>

static struct model_error err = {.struct_size = sizeof err};

static void a_crash_while_loading_is_told(void **state)
{
    (void)state;
    struct workers workers = workers_host("mischief", "{\"mischief_create\": -1}", 1);
    assert_int_equal(workers_load(&workers, 1, &err), MODELHOST_CRASHED);
    assert_non_null(strstr(err.message, "SIGSEGV"));
    assert_non_null(strstr(err.message, "create_model"));
    assert_non_null(
        strstr(workers.log->text, "has no metadata.json")); /* which is no plugin's line */
    assert_null(strstr(err.message, "metadata.json"));
    workers_close(&workers);
}

static void a_crash_of_the_first_instance_is_told_as_such(void **state)
{
    (void)state;
    struct workers workers = workers_host("mischief", "{\"mischief_instance\": -1}", 1);
    assert_int_equal(workers_load(&workers, 1, &err), MODELHOST_CRASHED);
    if (strstr(err.message, "SIGSEGV in create_instance") == NULL)
        fail_msg("%s", err.message);
    workers_close(&workers);
}

static void a_plugin_that_hangs_while_loading_is_ended(void **state)
{
    (void)state;
    struct workers workers = workers_host("mischief", "{\"mischief_create\": -4}", 1);
    struct modelhost_load_options load = MODELHOST_LOAD_OPTIONS_INIT;
    load.isolation = MODELHOST_WORKER;
    load.load_timeout_ms = 30; /* it never comes, so that any will do */
    assert_int_equal(modelhost_load_with(workers.host, workers.dir, &load, &workers.model, &err),
                     MODEL_DEADLINE);
    if (strstr(err.message, "plugin 'mischief' 1.0.0 did not come back from create_model() within "
                            "30 ms") == NULL ||
        strstr(err.message, "raise load_timeout_ms (--load-timeout)") == NULL)
        fail_msg("%s", err.message);
    workers_close(&workers);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nor is there a child */
}

static void processes_that_hang_in_destroy_are_ended_and_told(void **state)
{
    (void)state;
    struct workers workers = workers_host("mischief", "{\"mischief_destroy\": -4}", 1);
    if (workers_load(&workers, 3, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    workers_must_answer(workers.model);
    modelhost_release(workers.model);
    workers.model = NULL;
    modelhost_destroy(workers.host);
    workers.host = NULL;
    int n = 0;
    for (const char *at = workers.log->text;
         (at = strstr(at, "did not come back from destroy()")) != NULL; at++)
        n++;
    assert_int_equal(n, 3);
    workers_close(&workers);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* Entries of /proc/self/fd, mappings of shared memory, children. */
struct belongings {
    int n_descriptors, n_segments, n_children;
};

/* By no child: what popen() opens is closed at a time of its own. */
static int count_descriptors(void)
{
    int n = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir) != NULL)
        n++;
    (void)closedir(dir);
    return n;
}

static int count_segments(void)
{
    char line[1000];
    int n = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps) != NULL)
        n += strstr(line, "modelhost-worker") != NULL;
    (void)fclose(maps);
    return n;
}

static int count_children(void)
{
    char command[200];
    int n = -1;
    (void)snprintf(command, sizeof command,
                   "ps -o pid= --ppid %ld -o args= | grep -c '[m]odelhost' || true",
                   (long)getpid());
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_int_equal(fscanf(pipe, "%d", &n), 1);
    (void)pclose(pipe);
    return n;
}

static struct belongings count_belongings(void)
{
    return (struct belongings){count_descriptors(), count_segments(), count_children()};
}

/* MODELHOST_TEST_ROUNDS: how many (50). */
static void calls_that_hang_are_ended_and_leave_nothing(void **state)
{
    (void)state;
    const char *wish = getenv("MODELHOST_TEST_ROUNDS");
    const long n_rounds = wish != NULL ? strtol(wish, NULL, 10) : 50;
    struct workers workers = workers_open_strict("mischief", 1, 1);
    struct belongings before = {0};
    int64_t worst_ns = 0;
    for (long i = 0; i < n_rounds; i++) {
        float y = 0;
        workers_must_answer(workers.model);
        if (i == 0)
            before = count_belongings();
        const int64_t start_ns = clock_now_ns();
        assert_int_equal(workers_ask(workers.model, i % 2 == 0 ? -4 : -5, 10, &y, &err),
                         MODEL_DEADLINE);
        const int64_t took_ns = clock_now_ns() - start_ns - 10 * NS_PER_MS;
        worst_ns = took_ns > worst_ns ? took_ns : worst_ns;
    }
    workers_must_answer(
        workers.model); /* so what the last process had is closed: one follows the other */
    struct belongings after = count_belongings();
    while (after.n_descriptors >
           before.n_descriptors) { /* the pipe for prepared weights has a reader of its own */
        (void)sched_yield();
        after = count_belongings();
    }
    assert_int_equal(after.n_segments, before.n_segments);
    assert_int_equal(after.n_children, 1);
    printf("answered at most %.1f ms behind the deadline\n", (double)worst_ns / 1e6);
    workers_close(&workers);
    assert_int_equal(count_belongings().n_segments, 0);
    assert_int_equal(count_belongings().n_children, 0);
}

static void a_plugin_that_crashes_in_a_row_goes_into_quarantine_if_that_is_said(void **state)
{
    (void)state;
    struct workers workers = workers_host("mischief", "{}", 1);
    struct modelhost_load_options load = MODELHOST_LOAD_OPTIONS_INIT;
    struct modelhost_model *again = NULL;
    float y = 0;
    load.isolation = MODELHOST_WORKER;
    load.breaker_success_rate = -1;
    load.quarantine_after_crashes = 3;
    load.quarantine_window_ms = 24 * 3600 * 1000; /* however busy the machine is */
    assert_int_equal(modelhost_load_with(workers.host, workers.dir, &load, &workers.model, &err),
                     MODEL_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(workers_ask(workers.model, -1, 0, &y, &err), MODELHOST_CRASHED);
    /* No further process is started, and nobody opens it. */
    assert_int_equal(workers_ask(workers.model, 1, 60000, &y, &err), MODELHOST_CRASHED);
    if (strstr(err.message,
               "is in quarantine for 10 min more: 3 crashes in a row, the last one: plugin "
               "crashed: SIGSEGV in run") == NULL)
        fail_msg("%s", err.message);
    assert_false(modelhost_model_ready(workers.model, &err));
    if (strstr(err.message, "no worker process may be started") == NULL ||
        strstr(err.message, "is in quarantine") == NULL)
        fail_msg("%s", err.message);
    assert_int_equal(modelhost_load(workers.host, workers.dir, &again, &err), MODEL_UNSUPPORTED);
    workers_close(&workers);
}

static void instances_go_where_a_process_can_be_had(void **state)
{
    (void)state;
    char link[4096];
    struct workers workers = {.dir = make_package("mischief", "{}")};
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    float y = 0;
    (void)snprintf(link, sizeof link, "%s/modelhost", workers.dir);
    const char *build = getenv("BUILD");
    char *command = text_format("%s/bin/modelhost", build != NULL ? build : "build");
    char *path = realpath(command, NULL);
    assert_non_null(path);
    assert_int_equal(symlink(path, link), 0);
    free(path);
    free(command);
    options.store_dir = options.plugin_path = workers.dir;
    options.lanes = options.threads = 1;
    options.worker_path = link;
    assert_int_equal(modelhost_create(&options, &workers.host, &err), MODEL_OK);
    assert_int_equal(workers_load(&workers, 2, &err), MODEL_OK);
    workers_must_answer(workers.model);
    assert_int_equal(unlink(link), 0);
    /* The lane's process has gone, and there comes no other one: the lane goes to the second one. */
    assert_int_equal(workers_ask(workers.model, -1, 0, &y, &err), MODELHOST_CRASHED);
    while (workers_ask(workers.model, 1, 0, &y, &err) != MODEL_OK)
        assert_non_null(strstr(err.message, "no worker process can be started"));
    struct modelhost_session *sessions[4] = {NULL};
    for (int i = 0; i < 4; i++)
        if (modelhost_session_create(workers.model, &sessions[i], &err) != MODEL_OK ||
            workers_go_on(workers.model, sessions[i], 10, &y, &err) != MODEL_OK)
            fail_msg("session %d: %s", i, err.message);
    for (int i = 0; i < 4; i++)
        modelhost_session_release(sessions[i]);
    modelhost_release(workers.model);
    modelhost_destroy(workers.host);
    remove_package(workers.dir);
}

static void a_missing_command_is_told(void **state)
{
    (void)state;
    char *dir = make_package("mischief", "{}");
    struct modelhost_options options = MODELHOST_OPTIONS_INIT;
    struct workers workers = {.dir = dir};
    options.store_dir = options.plugin_path = dir;
    options.lanes = options.threads = 1;
    options.worker_path = "/nowhere/modelhost";
    assert_int_equal(modelhost_create(&options, &workers.host, &err), MODEL_OK);
    assert_int_equal(workers_load(&workers, 1, &err), MODEL_IO);
    assert_non_null(strstr(err.message, "/nowhere/modelhost"));
    modelhost_destroy(workers.host);
    remove_package(dir);
}

int main(void)
{
    (void)setenv("ASAN_OPTIONS", "handle_segv=0:handle_abort=0:detect_leaks=0", 1); /* let crash */
    (void)setenv("TSAN_OPTIONS", "handle_segv=0:handle_abort=0", 1);
    (void)setenv("UBSAN_OPTIONS", "halt_on_error=0", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_while_loading_is_told),
        cmocka_unit_test(a_crash_of_the_first_instance_is_told_as_such),
        cmocka_unit_test(a_plugin_that_hangs_while_loading_is_ended),
        cmocka_unit_test(processes_that_hang_in_destroy_are_ended_and_told),
        cmocka_unit_test(calls_that_hang_are_ended_and_leave_nothing),
        cmocka_unit_test(a_plugin_that_crashes_in_a_row_goes_into_quarantine_if_that_is_said),
        cmocka_unit_test(instances_go_where_a_process_can_be_had),
        cmocka_unit_test(a_missing_command_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
