/* test_worker_filter.c - what host/workers/worker_filter.c allows of ioctl(), fcntl() and new system calls. Each case is a
 * child that enters the sandbox of workers and tries. */
#include "worker_filter.h"
#include "in_sandbox.h"
#include "worker_seccomp.h"

#ifdef __linux__
#include <fcntl.h>
#include <signal.h>
#include <asm/sockios.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <termios.h>

static char scratch_file[PATH_MAX];
static unsigned long request, number; /* of a case that is one of several */

static int opened(void)
{
    return open(scratch_file, O_RDONLY | O_CLOEXEC);
}
static int types_into_the_terminal(void)
{
    return TRY(ioctl(STDIN_FILENO, TIOCSTI, "x"));
}
/* The kernel looks at the lower half of the request only. */
static int types_by_an_odd_request(void)
{
    return TRY(syscall(SYS_ioctl, STDIN_FILENO, 0x100000000L | TIOCSTI, "x"));
}
/* A pipe that sends its owner a signal when there is something to read. */
static int made_pipe(void)
{
    int ends[2];
    return pipe(ends) == 0 ? ends[0] : -1;
}
static int gives_a_pipe_an_owner(void)
{
    return TRY(fcntl(made_pipe(), F_SETOWN, getppid()));
}
static int gives_a_pipe_an_owner_by_an_odd_command(void)
{
    return TRY(syscall(SYS_fcntl, made_pipe(), 0x100000000L | F_SETOWN, getppid()));
}
static int gives_a_pipe_a_thread_as_owner(void)
{
    const struct f_owner_ex owner = {F_OWNER_TID, getppid()};
    return TRY(fcntl(made_pipe(), F_SETOWN_EX, &owner));
}
static int chooses_a_pipes_signal(void)
{
    return TRY(fcntl(made_pipe(), F_SETSIG, SIGKILL));
}
static int has_a_pipe_send_signals_by_ioctl(void)
{
    int on = 1;
    return TRY(ioctl(made_pipe(), FIOASYNC, &on));
}
static int gives_a_socket_an_owner(void)
{
    int owner = getppid();
    return TRY(ioctl(made_pipe(), FIOSETOWN, &owner));
}
static int gives_a_socket_a_group(void)
{
    int owner = getppid();
    return TRY(ioctl(made_pipe(), SIOCSPGRP, &owner));
}
static int watches_a_folder(void)
{
    return TRY(fcntl(open("/", O_RDONLY), F_NOTIFY, DN_CREATE));
}
static int takes_a_lease(void)
{
    return TRY(fcntl(open("/bin/true", O_RDONLY), F_SETLEASE, F_RDLCK));
}
static int takes_the_terminal(void)
{
    int group = getppid();
    return TRY(ioctl(STDIN_FILENO, TIOCSPGRP, &group));
}
static int locks_a_part(void)
{
    struct flock all = {.l_type = F_RDLCK};
    return TRY(fcntl(opened(), F_SETLK, &all));
}
static int locks_for_a_descriptor(void)
{
    struct flock all = {.l_type = F_RDLCK};
    return TRY(fcntl(opened(), F_OFD_SETLK, &all));
}
static int hints_at_a_files_life(void)
{
    uint64_t hint = 5; /* RWH_WRITE_LIFE_EXTREME */
    return TRY(fcntl(opened(), 1036 /* F_SET_RW_HINT */, &hint));
}
static int asks_a_file(void)
{
    static uint64_t zeros[512];
    return TRY(ioctl(opened(), request, zeros));
}
static int marks_a_file(void)
{
    const int fd = opened();
    int flags = 0;
    if (fd < 0)
        return 1000;
    flags |= FS_NODUMP_FL;
    return TRY(ioctl(fd, FS_IOC_SETFLAGS, &flags));
}
static int makes_the_call(void)
{
    return TRY(syscall((long)number, AT_FDCWD, scratch_file, 0, 0, 0, 0));
}

static const struct {
    const char *name;
    int (*act)(void);
} forbidden[] = {
    {"TIOCSTI", types_into_the_terminal},
    {"TIOCSTI in a wide register", types_by_an_odd_request},
    {"F_SETOWN", gives_a_pipe_an_owner},
    {"F_SETOWN in a wide register", gives_a_pipe_an_owner_by_an_odd_command},
    {"F_SETOWN_EX", gives_a_pipe_a_thread_as_owner},
    {"F_SETSIG", chooses_a_pipes_signal},
    {"FIOASYNC", has_a_pipe_send_signals_by_ioctl},
    {"FIOSETOWN", gives_a_socket_an_owner},
    {"SIOCSPGRP", gives_a_socket_a_group},
    {"F_NOTIFY", watches_a_folder},
    {"F_SETLEASE", takes_a_lease},
    {"TIOCSPGRP", takes_the_terminal},
    {"F_SETLK", locks_a_part},
    {"F_OFD_SETLK", locks_for_a_descriptor},
    {"F_SET_RW_HINT", hints_at_a_files_life},
    {"FS_IOC_SETFLAGS", marks_a_file},
};

static void must_refuse(const char *name, int code, int want)
{
    if (code != want)
        fail_msg("%s: ended with %d, want errno %d", name, code, want);
}

static void what_is_forbidden_fails(void **state)
{
    (void)state;
    if (!worker_seccomp_is_built())
        SKIP_BECAUSE("built without libseccomp");
    for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++)
        must_refuse(forbidden[i].name, code_inside(forbidden[i].act), EPERM);
}

/* What the kernel would answer otherwise is another number, for most of them. */
static void requests_that_change_files_terminals_and_devices_are_refused(void **state)
{
    static const struct {
        const char *name;
        unsigned long request;
    } changing[] = {
        {"FS_IOC_SETFLAGS", FS_IOC_SETFLAGS},
        {"FS_IOC_FSSETXATTR", FS_IOC_FSSETXATTR},
        {"FS_IOC_SETVERSION", 0x40087602},
        {"FS_IOC_ENABLE_VERITY", 0x40806685},
        {"FS_IOC_ADD_ENCRYPTION_KEY", 0xc0506617},
        {"FS_IOC_REMOVE_ENCRYPTION_KEY", 0xc0406618},
        {"FICLONE", FICLONE},
        {"FITRIM", FITRIM},
        {"FAT_IOCTL_SET_ATTRIBUTES", 0x40047211},
        {"BTRFS_IOC_SNAP_CREATE", 0x50009401},
        {"TCSETS", TCSETS},
        {"TCSETSF", TCSETSF},
        {"TIOCSETD", TIOCSETD},
        {"TIOCSWINSZ", TIOCSWINSZ},
        {"TIOCCONS", TIOCCONS},
        {"KVM_CREATE_VM", 0xae01},
        {"USERFAULTFD_IOC_NEW", 0xaa00},
        {"PIDFD_GET_NET_NAMESPACE", 0xff04},
    };
    (void)state;
    if (!worker_seccomp_is_built())
        SKIP_BECAUSE("built without libseccomp");
    for (size_t i = 0; i < sizeof changing / sizeof changing[0]; i++) {
        request = changing[i].request;
        must_refuse(changing[i].name, code_inside(asks_a_file), EPERM);
    }
}

/* setxattrat() to file_setattr(), and those that are not there yet. */
static void calls_of_new_kernels_are_not_there(void **state)
{
    (void)state;
    if (!worker_seccomp_is_built())
        SKIP_BECAUSE("built without libseccomp");
    for (number = SYS_pidfd_send_signal + 457 - 424; number < 600; number++) {
        char name[40];
        (void)snprintf(name, sizeof name, "system call %lu", number);
        must_refuse(name, code_inside(makes_the_call), ENOSYS);
    }
}

static int uses_what_is_common(void)
{
    int n = -1, ends[2];
    if (pipe(ends) != 0 || write(ends[1], "abc", 3) != 3)
        return 1;
    if (ioctl(ends[0], FIONREAD, &n) != 0 || n != 3)
        return 2;
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0 || fcntl(ends[0], F_DUPFD_CLOEXEC, 0) < 0)
        return 3;
    if (fcntl(ends[0], F_GETFL) < 0 || fcntl(ends[0], F_SETFD, FD_CLOEXEC) != 0)
        return 4;
    return !isatty(ends[0]) && errno == ENOTTY ? 0 : 5;
}

static void what_is_common_works(void **state)
{
    (void)state;
    assert_int_equal(code_inside(uses_what_is_common), 0);
}

static int set_up(void **state)
{
    const char *parent = getenv("TMPDIR");
    (void)state;
    (void)snprintf(scratch_file, sizeof scratch_file, "%s/worker-filter.XXXXXX",
                   parent != NULL ? parent : "/tmp");
    const int fd = mkstemp(scratch_file);
    return fd < 0 || close(fd) != 0;
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(scratch_file);
}
#endif

int main(void)
{
#ifdef __linux__
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_forbidden_fails),
        cmocka_unit_test(requests_that_change_files_terminals_and_devices_are_refused),
        cmocka_unit_test(calls_of_new_kernels_are_not_there),
        cmocka_unit_test(what_is_common_works),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
#else
    return 0;
#endif
}
