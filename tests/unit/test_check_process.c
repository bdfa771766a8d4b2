/* test_check_process.c - children that end, fail, crash, hang, talk too much, and leave others behind. The
 * children are shells. Covers host/conformance/left_processes.c. */
#include "check_process.h"
#include "errors.h"
#include "testing.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define LONG_MS 60000

static const struct check_process_input said = {.text = "said\n"};

static struct process_outcome run_shell(const char *script, int64_t limit_ms)
{
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    struct model_error err = MODEL_ERROR_INIT;
    struct process_outcome outcome;
    if (check_process_run(argv, &said, limit_ms, &outcome, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return outcome;
}

static void the_exit_code_and_both_outputs_are_taken(void **state)
{
    (void)state;
    struct process_outcome outcome =
        run_shell("echo out; echo err >&2; echo record >&3; exit 7", LONG_MS);
    assert_int_equal(outcome.exit_code, 7);
    assert_int_equal(outcome.signal, 0);
    assert_false(outcome.timed_out);
    assert_string_equal(outcome.record.data, "record\n");
    assert_non_null(strstr(outcome.output.data, "out\n"));
    assert_non_null(strstr(outcome.output.data, "err\n"));
    process_outcome_finish(&outcome);
}

static void what_is_given_is_its_input_and_then_comes_the_end(void **state)
{
    (void)state;
    struct process_outcome outcome = run_shell("cat >&3", LONG_MS);
    assert_string_equal(outcome.record.data, "said\n");
    process_outcome_finish(&outcome);
}

/* With a high number, so that lower ones are free for whoever takes some. */
static int file_with(const char *text)
{
    char path[] = "/tmp/given.XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(write(fd, text, strlen(text)), (int)strlen(text));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    const int high = fcntl(fd, F_DUPFD_CLOEXEC, 100);
    assert_int_equal(close(fd), 0);
    return high;
}

/* Whatever numbers they and their copies have here: none may be one that another file has there. */
static void files_that_are_given_are_open_there_in_their_order(void **state)
{
    (void)state;
    const char *const argv[] = {
        "/bin/sh", "-c", "cat >&3; cat <&4 >&3; cat <&5 >&3; cat <&6 >&3; { : <&7; } 2>&3", NULL};
    const int fds[] = {file_with("one "), file_with("two "), file_with("three ")};
    const struct check_process_input input = {.text = "in ", .fds = fds, .n_fds = 3};
    struct process_outcome outcome;
    assert_int_equal(check_process_run(argv, &input, LONG_MS, &outcome, NULL), MODEL_OK);
    assert_memory_equal(outcome.record.data, "in one two three ", 17);
    assert_true(outcome.record.size > 17); /* there is no seventh */
    process_outcome_finish(&outcome);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(close(fds[i]), 0);
}

static void a_signal_that_ends_it_is_told(void **state)
{
    (void)state;
    struct process_outcome outcome = run_shell("kill -SEGV $$", LONG_MS);
    assert_int_equal(outcome.exit_code, -1);
    assert_int_equal(outcome.signal, SIGSEGV);
    process_outcome_finish(&outcome);
}

static void what_does_not_end_is_killed_though_it_ignores_signals(void **state)
{
    (void)state;
    struct process_outcome outcome =
        run_shell("trap '' TERM INT HUP; while :; do sleep 1000; done", 100);
    assert_true(outcome.timed_out);
    assert_int_equal(outcome.signal, SIGKILL);
    process_outcome_finish(&outcome);
}

static void a_child_that_writes_without_a_pause_is_ended_in_time(void **state)
{
    (void)state;
    struct process_outcome outcome = run_shell("exec yes >&3", 50); /* it never ends */
    assert_true(outcome.timed_out);
    assert_int_equal(outcome.signal, SIGKILL);
    process_outcome_finish(&outcome);
}

/* The grandchild holds the end of a pipe, and would hold it for an hour: that reading comes to the pipe's
 * end says that it is gone. */
static void the_group_goes_with_its_leader(void **state)
{
    (void)state;
    int ends[2];
    char byte = 0;
    assert_int_equal(pipe(ends), 0);
    struct process_outcome outcome = run_shell("sleep 3600 & exit 0", LONG_MS);
    assert_int_equal(outcome.exit_code, 0);
    assert_false(outcome.timed_out);
    (void)close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 0);
    (void)close(ends[0]);
    process_outcome_finish(&outcome);
}

#ifdef __linux__
/* A daemon: in a session of its own, and its parent has ended. What it holds open ends with it. */
static void who_leaves_the_group_is_ended_too(void **state)
{
    (void)state;
    /* The pipe's end in the shell comes when the middle one has ended, behind the daemon's first word. */
    struct process_outcome outcome = run_shell(
        "up=$( (setsid sh -c 'echo up >&3; echo up; exec sleep 3600 >/dev/null' &) ); exit 0",
        LONG_MS);
    assert_int_equal(outcome.exit_code, 0);
    assert_string_equal(outcome.record.data, "up\n");
    assert_int_equal(outcome.n_left, 1);
    process_outcome_finish(&outcome);
    siginfo_t info = {.si_pid = 0};
    assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOHANG), -1); /* no child is left */
}

static void a_child_of_before_stays(void **state)
{
    (void)state;
    int ends[2];
    char byte;
    assert_int_equal(pipe(ends), 0);
    const pid_t before = fork();
    if (before == 0) {
        (void)!read(ends[0], &byte, 1);
        _exit(9);
    }
    struct process_outcome outcome = run_shell("exit 0", LONG_MS);
    assert_int_equal(outcome.n_left, 0);
    process_outcome_finish(&outcome);
    assert_int_equal(write(ends[1], "x", 1), 1);
    int status = 0;
    assert_int_equal(waitpid(before, &status, 0), before);
    assert_int_equal(WEXITSTATUS(status), 9);
    (void)close(ends[0]);
    (void)close(ends[1]);
}
#endif

static void the_environment_is_a_workers(void **state)
{
    (void)state;
    assert_int_equal(setenv("HF_TOKEN", "secret", 1), 0);
    assert_int_equal(setenv("TZ", "UTC", 1), 0);
    struct process_outcome outcome = run_shell("echo \"$HF_TOKEN,$TZ\" >&3", LONG_MS);
    assert_string_equal(outcome.record.data, ",UTC\n");
    process_outcome_finish(&outcome);
}

static void of_too_much_output_the_end_is_kept_by_whole_lines(void **state)
{
    (void)state;
    struct process_outcome outcome = run_shell(
        "i=0; while [ $i -lt 9000 ]; do echo \"line $i of many\" >&3; i=$((i+1)); done; echo last >&3",
        LONG_MS);
    assert_true(outcome.record.size <= 64 << 10);
    assert_memory_equal(outcome.record.data, "line ", 5);
    assert_string_equal(outcome.record.data + outcome.record.size - 5, "last\n");
    process_outcome_finish(&outcome);
}

/* What was going on, and that something failed, is behind a flood of other lines still known. */
static void of_too_much_record_the_last_line_of_each_kind_is_kept(void **state)
{
    (void)state;
    struct process_outcome outcome =
        run_shell("echo Sold >&3; echo 'Vfailed it wrote' >&3; echo Sstep >&3; echo 'Prun()' >&3; "
                  "i=0; while [ $i -lt 20000 ]; do echo \"x$i of many\" >&3; i=$((i+1)); done",
                  LONG_MS);
    static const char head[] = "Vfailed it wrote\nSstep\nPrun()\nx";
    assert_true(outcome.record.size <= 64 << 10);
    assert_memory_equal(outcome.record.data, head, sizeof head - 1);
    process_outcome_finish(&outcome);
    outcome = run_shell("printf 'S%5000d\\nP%5000d\\n' 1 2 >&3; i=0; while [ $i -lt 400 ]; do "
                        "printf 'x%400d' $i >&3; i=$((i+1)); done",
                        LONG_MS); /* no line at all */
    assert_true(outcome.record.size <= 64 << 10);
    assert_memory_equal(outcome.record.data, "S   ", 4);
    assert_memory_equal(outcome.record.data + 1023, "\nP   ", 5);
    process_outcome_finish(&outcome);
}

static void signals_that_are_blocked_here_are_not_so_there(void **state)
{
    (void)state;
    sigset_t blocked, before;
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGTERM);
    assert_int_equal(sigprocmask(SIG_BLOCK, &blocked, &before), 0);
    struct process_outcome outcome = run_shell("kill -TERM $$; exit 5", LONG_MS);
    assert_int_equal(outcome.signal, SIGTERM);
    assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
    process_outcome_finish(&outcome);
}

static void a_program_that_is_not_there_is_an_error(void **state)
{
    (void)state;
    const char *const argv[] = {"/no/such/program", NULL};
    struct model_error err = MODEL_ERROR_INIT;
    struct process_outcome outcome;
    assert_int_equal(check_process_run(argv, &said, LONG_MS, &outcome, &err), MODEL_NOT_FOUND);
    assert_non_null(strstr(err.message, "/no/such/program"));
}

static void no_descriptor_and_no_zombie_stays(void **state)
{
    (void)state;
    const int before = dup(0);
    for (int i = 0; i < 20; i++) {
        struct process_outcome outcome = run_shell("exit 0", LONG_MS);
        process_outcome_finish(&outcome);
    }
    const int after = dup(0);
    assert_int_equal(after, before + 1);
    (void)close(before);
    (void)close(after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_exit_code_and_both_outputs_are_taken),
        cmocka_unit_test(what_is_given_is_its_input_and_then_comes_the_end),
        cmocka_unit_test(files_that_are_given_are_open_there_in_their_order),
        cmocka_unit_test(a_signal_that_ends_it_is_told),
        cmocka_unit_test(what_does_not_end_is_killed_though_it_ignores_signals),
        cmocka_unit_test(a_child_that_writes_without_a_pause_is_ended_in_time),
        cmocka_unit_test(the_group_goes_with_its_leader),
#ifdef __linux__
        cmocka_unit_test(who_leaves_the_group_is_ended_too),
        cmocka_unit_test(a_child_of_before_stays),
#endif
        cmocka_unit_test(the_environment_is_a_workers),
        cmocka_unit_test(of_too_much_output_the_end_is_kept_by_whole_lines),
        cmocka_unit_test(of_too_much_record_the_last_line_of_each_kind_is_kept),
        cmocka_unit_test(signals_that_are_blocked_here_are_not_so_there),
        cmocka_unit_test(a_program_that_is_not_there_is_an_error),
        cmocka_unit_test(no_descriptor_and_no_zombie_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
