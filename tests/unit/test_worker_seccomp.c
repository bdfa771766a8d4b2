/* test_worker_seccomp.c - the system calls that are refused in the sandbox of workers, by host/workers/worker_seccomp.c.
 * Each case is a child that enters it and tries. What host/workers/worker_filter.c refuses is in
 * test_worker_filter.c. */
#include "worker_seccomp.h"
#include "in_sandbox.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#ifdef __linux__
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#endif

/* What is refused: each returns the error that it met, 0 for none. */

static char scratch_file[PATH_MAX];

static int opens_a_socket(void)
{
    return TRY(socket(AF_INET, SOCK_STREAM, 0));
}
static int opens_a_local_socket(void)
{
    return TRY(socket(AF_UNIX, SOCK_DGRAM, 0));
}
static int runs_a_program(void)
{
    char *const none[] = {NULL};
    return TRY(execve("/bin/true", none, none));
}
static int forks(void)
{
    const pid_t child = fork();
    if (child == 0)
        _exit(0);
    return child < 0 ? errno : 0;
}
static int spawns(void)
{
    char *const arguments[] = {(char[]){"true"}, NULL};
    pid_t child = 0;
    return posix_spawn(&child, "/bin/true", NULL, NULL, arguments, arguments + 1);
}
static int opens_for_writing(void)
{
    return TRY(open(scratch_file, O_WRONLY));
}
static int opens_for_both(void)
{
    return TRY(open("/dev/null", O_RDWR));
}
static int creates_a_file(void)
{
    return TRY(open("/tmp/worker-sandbox-must-not-create", O_RDONLY | O_CREAT | O_EXCL, 0600));
}
static int cuts_a_file(void)
{
    return TRY(open(scratch_file, O_RDONLY | O_TRUNC));
}
static int removes_a_file(void)
{
    return TRY(unlink(scratch_file));
}
static int renames_a_file(void)
{
    return TRY(rename(scratch_file, "/tmp/worker-sandbox-must-not-rename"));
}
static int changes_rights(void)
{
    return TRY(chmod(scratch_file, 0777));
}
static int makes_a_folder(void)
{
    return TRY(mkdir("/tmp/worker-sandbox-must-not-make", 0700));
}
static int signals_its_parent(void)
{
    return TRY(kill(getppid(), 0));
}
static int signals_its_group(void)
{
    return TRY(kill(0, 0));
}
static int raises_a_limit(void)
{
    const struct rlimit more = {1 << 20, 1 << 20};
    return TRY(setrlimit(RLIMIT_CORE, &more));
}
static int leaves_its_group(void)
{
    return TRY(setpgid(0, 0));
}

#ifdef __linux__
static int debugs_its_parent(void)
{
    return TRY(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}
static int reads_its_parent(void)
{
    return TRY(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0));
}
static int takes_its_parents_descriptor(void)
{
    return TRY(syscall(SYS_pidfd_open, getppid(), 0));
}
static int signals_a_thread_of_its_parent(void)
{
    return TRY(syscall(SYS_tgkill, getppid(), getppid(), 0));
}
static int makes_a_namespace(void)
{
    return TRY(syscall(SYS_unshare, 0x10000000 /* CLONE_NEWUSER */));
}
static int mounts(void)
{
    return TRY(syscall(SYS_mount, "none", "/nowhere", "tmpfs", 0, NULL));
}
static int loads_bpf(void)
{
    return TRY(syscall(SYS_bpf, 0, NULL, 0));
}
static int handles_page_faults(void)
{
    return TRY(syscall(SYS_userfaultfd, 0));
}
static int uses_keys(void)
{
    return TRY(syscall(SYS_keyctl, 0, 0, 0, 0, 0));
}
static int makes_a_ring(void)
{
    return TRY(syscall(SYS_io_uring_setup, 1, NULL));
}
/* A pipe that sends its owner a signal when there is something to read. */
static int made_pipe(void)
{
    int ends[2];
    return pipe(ends) == 0 ? ends[0] : -1;
}
static int has_a_pipe_send_signals(void)
{
    return TRY(fcntl(made_pipe(), F_SETFL, O_ASYNC | O_NONBLOCK));
}
static int queues_a_signal(void)
{
    siginfo_t info = {.si_code = SI_QUEUE};
    return TRY(syscall(SYS_rt_sigqueueinfo, getppid(), 0, &info));
}
static int queues_a_signal_for_a_thread(void)
{
    siginfo_t info = {.si_code = SI_QUEUE};
    return TRY(syscall(SYS_rt_tgsigqueueinfo, getppid(), getppid(), 0, &info));
}
static int signals_by_a_descriptor(void)
{
    return TRY(syscall(SYS_pidfd_send_signal, 0, 0, NULL, 0));
}
static int is_notified_of_messages(void)
{
    return TRY(syscall(SYS_mq_notify, 0, NULL));
}
/* A timer's signal goes to threads of its own process only: the kernel sees to that, not the filter. */
static int times_a_signal_for_its_parent(void)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
    int timer = 0;
    event._sigev_un._tid = getppid();
    return TRY(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer));
}
static int outlives_its_parent(void)
{
    return TRY(prctl(PR_SET_PDEATHSIG, 0));
}
static int opens_itself(void)
{
    return TRY(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}
static int idles_its_parent(void)
{
    const struct sched_param none = {0};
    return TRY(sched_setscheduler(getppid(), SCHED_IDLE, &none));
}
static int gives_its_parent_a_parameter(void)
{
    const struct sched_param none = {0};
    return TRY(sched_setparam(getppid(), &none));
}
static int gives_its_parent_attributes(void)
{
    struct {
        uint32_t size, policy;
        uint64_t rest[5];
    } idle = {sizeof idle, SCHED_IDLE, {0}};
    return TRY(syscall(SYS_sched_setattr, getppid(), &idle, 0));
}
static int ties_its_parent_to_a_cpu(void)
{
    cpu_set_t cpus;
    return sched_getaffinity(0, sizeof cpus, &cpus) != 0
               ? 1000
               : TRY(sched_setaffinity(getppid(), sizeof cpus, &cpus));
}
static int is_nice_for_its_user(void)
{
    return TRY(setpriority(PRIO_USER, 0, 19));
}
static int is_nice_for_its_parent(void)
{
    return TRY(setpriority(PRIO_PROCESS, (id_t)getppid(), 0));
}
static int slows_its_parents_files(void)
{
    return TRY(syscall(SYS_ioprio_set, 1 /* a process */, getppid(), 2 << 13 | 4));
}
static int slows_its_users_files(void)
{
    return TRY(syscall(SYS_ioprio_set, 3 /* a user */, 0, 2 << 13 | 4));
}
static int locks_a_file(void)
{
    return TRY(flock(open(scratch_file, O_RDONLY), LOCK_EX | LOCK_NB));
}
static int changes_rights_by_a_young_call(void)
{
    return TRY(syscall(452 /* fchmodat2 */, AT_FDCWD, scratch_file, 0777, 0));
}
static int watches_files(void)
{
    return TRY(syscall(SYS_inotify_init1, 0));
}
static int takes_of_the_systems_queues(void)
{
    unsigned long queue = 0;
    return TRY(syscall(SYS_io_setup, 1, &queue));
}
static int shares_a_processor(void)
{
    return TRY(prctl(62 /* PR_SCHED_CORE */, 1, getppid(), 0, 0));
}
static int uses_clone3(void)
{
    return TRY(syscall(SYS_clone3, NULL, 0));
}
#endif

static const struct {
    const char *name;
    int (*act)(void);
    int want;
} forbidden[] = {
    {"a socket", opens_a_socket, EPERM},
    {"a local socket", opens_a_local_socket, EPERM},
    {"execve", runs_a_program, EPERM},
    {"fork", forks, EPERM},
    {"posix_spawn", spawns, EPERM},
    {"open for writing", opens_for_writing, EPERM},
    {"open for both", opens_for_both, EPERM},
    {"create", creates_a_file, EPERM},
    {"truncate by open", cuts_a_file, EPERM},
    {"unlink", removes_a_file, EPERM},
    {"rename", renames_a_file, EPERM},
    {"chmod", changes_rights, EPERM},
    {"mkdir", makes_a_folder, EPERM},
    {"kill the parent", signals_its_parent, EPERM},
    {"kill the group", signals_its_group, EPERM},
    {"setrlimit", raises_a_limit, EPERM},
    {"setpgid", leaves_its_group, EPERM},
#ifdef __linux__
    {"ptrace", debugs_its_parent, EPERM},
    {"process_vm_readv", reads_its_parent, EPERM},
    {"pidfd_open", takes_its_parents_descriptor, EPERM},
    {"tgkill the parent", signals_a_thread_of_its_parent, EPERM},
    {"unshare", makes_a_namespace, EPERM},
    {"mount", mounts, EPERM},
    {"bpf", loads_bpf, EPERM},
    {"userfaultfd", handles_page_faults, EPERM},
    {"keyctl", uses_keys, EPERM},
    {"io_uring", makes_a_ring, ENOSYS},
    {"O_ASYNC", has_a_pipe_send_signals, EPERM},
    {"rt_sigqueueinfo", queues_a_signal, EPERM},
    {"rt_tgsigqueueinfo", queues_a_signal_for_a_thread, EPERM},
    {"pidfd_send_signal", signals_by_a_descriptor, EPERM},
    {"mq_notify", is_notified_of_messages, EPERM},
    {"a timer for the parent", times_a_signal_for_its_parent, EINVAL},
    {"PR_SET_PDEATHSIG", outlives_its_parent, EPERM},
    {"PR_SET_DUMPABLE", opens_itself, EPERM},
    {"sched_setscheduler of the parent", idles_its_parent, EPERM},
    {"sched_setparam of the parent", gives_its_parent_a_parameter, EPERM},
    {"sched_setattr of the parent", gives_its_parent_attributes, EPERM},
    {"sched_setaffinity of the parent", ties_its_parent_to_a_cpu, EPERM},
    {"setpriority of the user", is_nice_for_its_user, EPERM},
    {"setpriority of the parent", is_nice_for_its_parent, EPERM},
    {"ioprio_set of the parent", slows_its_parents_files, EPERM},
    {"ioprio_set of the user", slows_its_users_files, EPERM},
    {"flock", locks_a_file, EPERM},
    {"fchmodat2", changes_rights_by_a_young_call, EPERM},
    {"inotify", watches_files, EPERM},
    {"io_setup", takes_of_the_systems_queues, ENOSYS},
    {"PR_SCHED_CORE", shares_a_processor, EPERM},
    {"clone3", uses_clone3, ENOSYS},
#endif
};

static void what_is_forbidden_fails(void **state)
{
    (void)state;
    if (!worker_seccomp_is_built())
        SKIP_BECAUSE("built without libseccomp");
    for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++) {
        const int code = code_inside(forbidden[i].act);
        if (code != forbidden[i].want)
            fail_msg("%s: ended with %d, want errno %d", forbidden[i].name, code,
                     forbidden[i].want);
    }
    assert_int_equal(access(scratch_file, F_OK), 0);
}

/* ---- what ends the process */

#ifdef __linux__
static int loads_a_module(void)
{
    return TRY(syscall(SYS_init_module, NULL, 0, ""));
}
#endif
#ifdef __x86_64__
static int calls_as_on_i386(void)
{
    long result = 20; /* getpid */
    __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
    return result > 0 ? 0 : (int)-result;
}
#endif

static void what_changes_the_kernel_is_fatal(void **state)
{
    (void)state;
    if (!worker_seccomp_is_built())
        SKIP_BECAUSE("built without libseccomp");
#ifdef __linux__
    assert_int_equal(code_inside(loads_a_module), 1000 + SIGSYS);
#endif
#ifdef __x86_64__
    const int code = code_inside(calls_as_on_i386);
    assert_true(code == 1000 + SIGSYS || code == 1000 + SIGSEGV); /* a kernel without i386 */
#endif
}

#ifdef __linux__
/* A thread that was there before is not outside. */
static int pipe_to_thread[2], pipe_from_thread[2];

static void *open_a_socket(void *argument)
{
    char byte;
    (void)argument;
    if (read(pipe_to_thread[0], &byte, 1) == 1)
        byte = (char)opens_a_socket();
    return write(pipe_from_thread[1], &byte, 1) == 1 ? NULL : argument;
}

static void threads_of_before_are_inside_too(void **state)
{
    (void)state;
    if (!worker_seccomp_is_built())
        SKIP_BECAUSE("built without libseccomp");
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        pthread_t thread;
        char byte = 0;
        const bool is_ready = pipe(pipe_to_thread) == 0 && pipe(pipe_from_thread) == 0 &&
                              pthread_create(&thread, NULL, open_a_socket, NULL) == 0;
        if (!is_ready || worker_sandbox_enter(NULL, NULL) != MODEL_OK)
            _exit(200);
        if (write(pipe_to_thread[1], "x", 1) != 1 || read(pipe_from_thread[0], &byte, 1) != 1)
            _exit(202);
        (void)pthread_join(thread, NULL);
        _exit(byte);
    }
    int wait_status = 0;
    assert_int_equal(waitpid(child, &wait_status, 0), child);
    assert_true(WIFEXITED(wait_status));
    assert_int_equal(WEXITSTATUS(wait_status), EPERM);
}
#endif

static int set_up(void **state)
{
    const char *parent = getenv("TMPDIR");
    (void)state;
    (void)snprintf(scratch_file, sizeof scratch_file, "%s/worker-sandbox.XXXXXX",
                   parent != NULL ? parent : "/tmp");
    const int fd = mkstemp(scratch_file);
    return fd < 0 || close(fd) != 0;
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(scratch_file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_forbidden_fails),
        cmocka_unit_test(what_changes_the_kernel_is_fatal),
#ifdef __linux__
        cmocka_unit_test(threads_of_before_are_inside_too),
#endif
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
