/* test_worker_domain.c - what may be opened in the Landlock domain of workers, host/workers/worker_domain.c. Each case is a
 * child that enters it and tries. That it sees nothing of its host is in test_worker_sandbox.c. */
#include "worker_domain.h"
#include "files.h"
#include "in_sandbox.h"

#ifdef __linux__
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static const char *path; /* of a case that is one of several */

static long landlock_version(void)
{
    return syscall(SYS_landlock_create_ruleset, NULL, 0, 1u);
}

static int opens_it(void)
{
    return TRY(open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
}

static void devices_are_not_opened(void **state)
{
    static const char *const devices[] = {"/dev/tty", "/dev/ptmx", "/dev/fuse",
                                          "/dev/kvm", "/dev/vda",  "/proc/self/root/dev/ptmx"};
    (void)state;
    if (landlock_version() < 1)
        SKIP_BECAUSE("a kernel without Landlock");
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++) {
        path = devices[i];
        const int code = access(path, R_OK) == 0 ? code_inside(opens_it) : EACCES;
        if (code != EACCES)
            fail_msg("%s: ended with %d, want errno %d", path, code, EACCES);
    }
}

static void everything_else_is(void **state)
{
    static const char *const files[] = {"/dev/null", "/dev/zero",    "/dev/urandom",
                                        "/",         "/etc/passwd",  "/proc/self/status",
                                        "/usr",      "/proc/cpuinfo"};
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        path = files[i];
        const int code = code_inside(opens_it);
        if (code != 0)
            fail_msg("%s: ended with errno %d", path, code);
    }
    char *dir = scratch_dir();
    char *file = path_join(dir, "weights");
    write_file(file, "x", 1);
    path = file;
    assert_int_equal(code_inside(opens_it), 0);
    free(file);
    assert_int_equal(dir_remove_all(dir, NULL), MODEL_OK);
    free(dir);
}

/* The filter of system calls would refuse it before. */
static void devices_are_not_asked_for_anything(void **state)
{
    (void)state;
    if (landlock_version() < 5)
        SKIP_BECAUSE("a kernel whose Landlock knows no ioctl()");
    (void)fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int flags = 0;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || worker_domain_enter(NULL) != MODEL_OK)
            _exit(200);
        _exit(TRY(ioctl(open("/dev/zero", O_RDONLY), TCGETS, &flags)));
    }
    int wait_status = 0;
    assert_int_equal(waitpid(child, &wait_status, 0), child);
    assert_int_equal(WEXITSTATUS(wait_status), EACCES);
}
#endif

int main(void)
{
#ifdef __linux__
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_are_not_opened),
        cmocka_unit_test(everything_else_is),
        cmocka_unit_test(devices_are_not_asked_for_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
#else
    return 0;
#endif
}
