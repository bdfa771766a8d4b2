/* test_worker_process.c - host/workers/worker_process.c: children of other programs, started, ended, reaped. */
#include "errors.h"
#include "testing.h"
#include "worker_process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static struct model_error err = MODEL_ERROR_INIT;

/* A script that does something as "worker"; to be removed and freed. */
static char *make_script(const char *text)
{
    char *path = NULL, *dir = scratch_dir();
    assert_true(asprintf(&path, "%s/script", dir) > 0);
    write_file(path, text, strlen(text));
    char command[PATH_MAX + 20];
    (void)snprintf(command, sizeof command, "chmod 755 %s", path);
    assert_int_equal(system(command), 0);
    free(dir);
    return path;
}

static void remove_script(char *path)
{
    (void)unlink(path);
    *strrchr(path, '/') = '\0';
    (void)rmdir(path);
    free(path);
}

static void a_child_has_its_descriptors_and_no_others(void **state)
{
    (void)state;
    int extra[2];
    struct worker_process process;
    char text[4096] = "";
    char *script =
        make_script("#!/bin/sh\necho \"$1\"\n"
                    "for n in 0 1 2 3 4 5 6 7 8 9; do [ ! -e /proc/$$/fd/$n ] || echo $n; done\n");
    assert_int_equal(pipe(extra), 0); /* not closed by exec */
    assert_int_equal(worker_process_start(script, &process, &err), MODEL_OK);
    struct worker_end end = worker_process_reap(&process);
    assert_true(end.is_known && WIFEXITED(end.wait_status) && WEXITSTATUS(end.wait_status) == 0);
    assert_true(read(process.output, text, sizeof text - 1) > 0);
    assert_string_equal(text, "worker\n0\n1\n2\n3\n");
    worker_process_finish(&process);
    (void)close(extra[0]);
    (void)close(extra[1]);
    remove_script(script);
}

static void without_descriptors_there_is_a_sentence_and_nothing_is_left(void **state)
{
    (void)state;
    char *script = make_script("#!/bin/sh\n");
    struct rlimit before, few;
    int n_refused = 0, lowest = dup(0);
    assert_int_equal(close(lowest), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    for (few.rlim_cur = (rlim_t)lowest; few.rlim_cur < (rlim_t)lowest + 12; few.rlim_cur++) {
        struct worker_process process;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        const model_status status = worker_process_start(script, &process, &err);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        if (status == MODEL_OK) {
            assert_true(process.socket >= 0 && process.output >= 0);
            worker_process_kill(&process);
            (void)worker_process_reap(&process);
            worker_process_finish(&process);
        } else
            n_refused += strstr(err.message, "Too many open files") != NULL;
        const int now = dup(0);
        assert_int_equal(now, lowest);
        assert_int_equal(close(now), 0);
    }
    assert_true(n_refused >= 4);
    remove_script(script);
}

static void a_child_does_not_see_secrets_of_the_environment(void **state)
{
    (void)state;
    struct worker_process process;
    char text[4096] = "";
    char *script = make_script("#!/bin/sh\necho \"${HF_TOKEN-none} ${OMP_NUM_THREADS-none}\"\n");
    assert_int_equal(setenv("HF_TOKEN", "secret", 1), 0);
    assert_int_equal(setenv("OMP_NUM_THREADS", "3", 1), 0);
    assert_int_equal(worker_process_start(script, &process, &err), MODEL_OK);
    (void)worker_process_reap(&process);
    assert_true(read(process.output, text, sizeof text - 1) > 0);
    assert_string_equal(text, "none 3\n");
    worker_process_finish(&process);
    assert_int_equal(unsetenv("HF_TOKEN"), 0);
    assert_int_equal(unsetenv("OMP_NUM_THREADS"), 0);
    remove_script(script);
}

#ifdef __linux__
/* It has no terminal then. */
static void a_child_has_a_session_of_its_own(void **state)
{
    (void)state;
    struct worker_process process;
    char text[200] = "", want[100];
    char *script =
        make_script("#!/bin/sh\nread -r pid name state parent group session rest </proc/$$/stat\n"
                    "echo \"$group $session\"\n");
    assert_int_equal(worker_process_start(script, &process, &err), MODEL_OK);
    (void)worker_process_reap(&process);
    assert_true(read(process.output, text, sizeof text - 1) > 0);
    (void)snprintf(want, sizeof want, "%ld %ld\n", (long)process.pid, (long)process.pid);
    assert_string_equal(text, want);
    worker_process_finish(&process);
    remove_script(script);
}
#endif

static void a_child_that_does_not_end_is_killed(void **state)
{
    (void)state;
    struct worker_process process;
    assert_int_equal(worker_process_start("/usr/bin/yes", &process, &err), MODEL_OK);
    worker_process_kill(&process);
    struct worker_end end = worker_process_reap(&process);
    assert_true(end.is_known && WIFSIGNALED(end.wait_status));
    assert_int_equal(WTERMSIG(end.wait_status), SIGKILL);
    worker_process_kill(&process); /* of nobody: it does nothing */
    assert_int_equal(waitpid(process.pid, NULL, 0), -1);
    assert_int_equal(errno, ECHILD);
    worker_process_finish(&process);
}

static void signals_are_those_of_a_new_program(void **state)
{
    (void)state;
    struct worker_process process;
    sigset_t blocked, before;
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGTERM);
    void (*ignored)(int) = signal(SIGTERM, SIG_IGN);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &blocked, &before), 0);
    char *script = make_script("#!/bin/sh\nkill -TERM $$\nexit 1\n");
    assert_int_equal(worker_process_start(script, &process, &err), MODEL_OK);
    struct worker_end end = worker_process_reap(&process);
    assert_true(WIFSIGNALED(end.wait_status) && WTERMSIG(end.wait_status) == SIGTERM);
    worker_process_finish(&process);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)signal(SIGTERM, ignored);
    remove_script(script);
}

static void how_it_ended_is_not_known_when_children_are_ignored(void **state)
{
    (void)state;
    struct worker_process process;
    void (*before)(int) = signal(SIGCHLD, SIG_IGN);
    assert_int_equal(worker_process_start("/bin/true", &process, &err), MODEL_OK);
    struct worker_end end = worker_process_reap(&process);
    assert_false(end.is_known);
    worker_process_finish(&process);
    (void)signal(SIGCHLD, before);
}

static void a_program_that_there_is_not_is_told(void **state)
{
    (void)state;
    struct worker_process process;
    assert_int_equal(worker_process_start("/nowhere/modelhost", &process, &err), MODEL_IO);
    assert_non_null(strstr(err.message, "/nowhere/modelhost"));
    assert_non_null(strstr(err.message, "worker_path"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_has_its_descriptors_and_no_others),
        cmocka_unit_test(without_descriptors_there_is_a_sentence_and_nothing_is_left),
        cmocka_unit_test(a_child_does_not_see_secrets_of_the_environment),
#ifdef __linux__
        cmocka_unit_test(a_child_has_a_session_of_its_own),
#endif
        cmocka_unit_test(a_child_that_does_not_end_is_killed),
        cmocka_unit_test(signals_are_those_of_a_new_program),
        cmocka_unit_test(how_it_ended_is_not_known_when_children_are_ignored),
        cmocka_unit_test(a_program_that_there_is_not_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
