/* test_crash_report.c - sentences about processes that ended, from wait statuses of real children. */
#include "crash_report.h"
#include "errors.h"
#include "testing.h"
#include "utf8.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int wait_for(pid_t child)
{
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

/* A child that sends itself the signal, with its usual consequence. */
static int status_of_signal(int number)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit none = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)signal(number, SIG_DFL);
        (void)raise(number);
        _exit(99);
    }
    return wait_for(child);
}

static int status_of_exit(int code)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(code);
    return wait_for(child);
}

static void check(int wait_status, const char *doing, bool killed_by_host, const char *want)
{
    struct model_error err = MODEL_ERROR_INIT;
    crash_report_write(&err, wait_status, doing, NULL, 0, killed_by_host);
    assert_string_equal(err.message, want);
}

static void signals_are_told_by_name(void **state)
{
    (void)state;
    static const struct {
        int number;
        const char *sentence;
    } wanted[] = {
        {SIGSEGV, "plugin crashed: SIGSEGV in run"},
        {SIGBUS, "plugin crashed: SIGBUS in run"},
        {SIGILL, "plugin crashed: SIGILL in run"},
        {SIGFPE, "plugin crashed: SIGFPE in run"},
        {SIGTRAP, "plugin crashed: SIGTRAP in run"},
        {SIGABRT, "plugin aborted in run"},
        {SIGSYS, "plugin was killed (SIGSYS) in run: a system call that the sandbox forbids"},
        {SIGKILL,
         "plugin was killed (SIGKILL) in run: by the system (out of memory?) or by an operator"},
        {SIGXCPU, "plugin was killed (SIGXCPU) in run: beyond its limit of processor time"},
        {SIGXFSZ, "plugin was killed (SIGXFSZ) in run: a file beyond the limit of its size"},
        {SIGTERM, "plugin's process was ended by SIGTERM in run"},
        {SIGUSR2, "plugin's process was ended by SIGUSR2 in run"},
        {SIGVTALRM, "plugin's process was ended by signal 26 in run"},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        check(status_of_signal(wanted[i].number), "run", false, wanted[i].sentence);
}

static void an_exit_is_told_with_its_code(void **state)
{
    (void)state;
    check(status_of_exit(3), "run", false, "plugin called exit(3) in run");
    check(status_of_exit(0), "create_model", false, "plugin called exit(0) in create_model");
    check(status_of_exit(1), NULL, false, "plugin called exit(1)");
}

static void what_the_host_killed_is_told_so(void **state)
{
    (void)state;
    check(status_of_signal(SIGKILL), "run", true, "plugin did not come back in run and was killed");
    check(status_of_signal(SIGSEGV), "run", true, "plugin crashed: SIGSEGV in run");
}

static void a_status_that_is_no_end_is_told_as_it_is(void **state)
{
    (void)state;
    check(0x137f, "run", false, "plugin's process ended in run (wait status 0x137f)");
}

static void last_lines_are_quoted(void **state)
{
    (void)state;
    static const char *const lines[] = {"reading row 7", "", "row 8 is \"odd\"\r",
                                        "\x1b[31mred\x1b[0m \xff!"};
    struct model_error err = MODEL_ERROR_INIT;
    crash_report_write(&err, status_of_signal(SIGSEGV), "run", lines, 4, false);
    assert_string_equal(err.message,
                        "plugin crashed: SIGSEGV in run; its last log lines: "
                        "\"reading row 7\" | \"row 8 is 'odd'\" | \" [31mred [0m ?!\"");
    crash_report_write(&err, status_of_signal(SIGKILL), "run", lines, 2, false);
    assert_string_equal(
        err.message,
        "plugin was killed (SIGKILL) in run: by the system (out of memory?) or by an operator; its last "
        "log line: \"reading row 7\"");
}

static void long_lines_keep_whole_characters_and_the_newest(void **state)
{
    (void)state;
    char old[400], last[400];
    memset(old, 'o', sizeof old - 1);
    old[sizeof old - 1] = '\0';
    for (size_t shift = 0; shift < 4; shift++) {
        memset(last, 'x', shift);
        for (size_t i = shift; i + 4 < sizeof last; i += 3)
            memcpy(last + i, "\xe2\x82\xac", 4);
        const char *const lines[] = {old, old, old, "newer", last};
        struct model_error err = MODEL_ERROR_INIT;
        crash_report_write(&err, status_of_signal(SIGSEGV), "run", lines, 5, false);
        assert_int_equal(utf8_valid_prefix(err.message, strlen(err.message)), strlen(err.message));
        assert_non_null(strstr(err.message, "\"newer\" | \""));
        assert_null(strchr(err.message, '?'));
        assert_true(strlen(err.message) < 760);
        assert_int_equal(err.message[strlen(err.message) - 1], '"');
    }
}

static void a_small_error_is_not_overrun(void **state)
{
    (void)state;
    static const char *const lines[] = {"a line that is longer than all the room there is"};
    struct {
        struct model_error err;
    } guarded = {MODEL_ERROR_INIT};
    memset(guarded.err.message, 'g', sizeof guarded.err.message);
    guarded.err.struct_size = offsetof(struct model_error, message) + 40;
    crash_report_write(&guarded.err, status_of_signal(SIGSEGV), "run", lines, 1, false);
    assert_true(strnlen(guarded.err.message, 40) < 40);
    assert_int_equal(guarded.err.message[40], 'g');
    crash_report_write(NULL, 0, "run", lines, 1, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals_are_told_by_name),
        cmocka_unit_test(an_exit_is_told_with_its_code),
        cmocka_unit_test(what_the_host_killed_is_told_so),
        cmocka_unit_test(a_status_that_is_no_end_is_told_as_it_is),
        cmocka_unit_test(last_lines_are_quoted),
        cmocka_unit_test(long_lines_keep_whole_characters_and_the_newest),
        cmocka_unit_test(a_small_error_is_not_overrun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
