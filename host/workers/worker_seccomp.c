/* worker_seccomp.c - see worker_seccomp.h.
 *
 * A list of what is refused, not of what is allowed: plugins bring oneDNN, OpenMP and whatever else, and an
 * allocator that one day asks for another call must not end a request. Where a list of what is refused would have no
 * end there is worker_filter.c: ioctl(), fcntl(), calls of new kernels. The kernel learns which calls always pass, so
 * that those cost nothing (since Linux 5.11). */
#include "worker_seccomp.h"

#ifdef WITH_LIBSECCOMP
#include "errors.h"
#include "worker_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define ANY_BITS           0xffffffffu
#define NOTHING_IS_SET     0xffffffffu /* personality() then only answers */
#define IOPRIO_WHO_PROCESS 1           /* linux/ioprio.h, which older systems have not */

#ifndef PR_SCHED_CORE
#define PR_SCHED_CORE 62
#endif

/* libseccomp leaves out what this machine has not (socketcall, fork on ARM). */
static const char *const refused[] = {
    /* sockets */
    "socket", "socketpair", "socketcall", "connect", "bind", "listen", "accept", "accept4",
    /* programs and processes */
    "execve", "execveat", "fork", "vfork", "setsid", "setpgid", "unshare", "setns", "chroot",
    /* other processes */
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease",
    "kcmp", "tkill", "pidfd_open", "pidfd_getfd", "pidfd_send_signal", "migrate_pages",
    "move_pages",
    /* changing files by name */
    "creat", "truncate", "truncate64", "link", "linkat", "symlink", "symlinkat", "mknod", "mknodat",
    "chmod", "fchmodat", "fchmodat2", "chown", "chown32", "lchown", "lchown32", "fchownat",
    "fchmod", "fchown", "fchown32", "utime", "utimes", "futimesat", "utimensat", "utimensat_time64",
    "setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr",
    "open_by_handle_at", "name_to_handle_at", "flock",
    /* mounts */
    "mount", "umount", "umount2", "pivot_root", "move_mount", "open_tree", "fsopen", "fsconfig",
    "fsmount", "fspick", "mount_setattr",
    /* what outlives the process, or watches others */
    "add_key", "request_key", "keyctl", "perf_event_open", "bpf", "userfaultfd", "fanotify_init",
    "inotify_init", "inotify_init1", "shmget", "shmat", "shmctl", "semget", "semctl", "semop",
    "semtimedop", "semtimedop_time64", "msgget", "msgctl", "msgsnd", "msgrcv", "ipc", "mq_open",
    "mq_unlink", "mq_notify", "syslog", "vhangup", "quotactl", "quotactl_fd", "acct",
    /* limits, privileges, the clock */
    "setrlimit", "setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setgroups",
    "capset", "settimeofday", "stime", "clock_settime", "clock_settime64", "adjtimex",
    "clock_adjtime", "clock_adjtime64", "sethostname", "setdomainname", "iopl", "ioperm",
    "modify_ldt"};

/* Unless a domain judges the places: what is made, renamed and removed there. */
static const char *const making[] = {"unlink",    "unlinkat", "rename",  "renameat",
                                     "renameat2", "mkdir",    "mkdirat", "rmdir"};

/* io_setup() takes from what all processes of the system have together. */
static const char *const absent[] = {"clone3",         "openat2",           "io_uring_setup",
                                     "io_uring_enter", "io_uring_register", "io_setup"};

static const char *const fatal[] = {"init_module",     "finit_module", "delete_module",
                                    "kexec_file_load", "kexec_load",   "reboot",
                                    "swapon",          "swapoff",      "create_module"};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define UNKNOWN_CALL (-ENOENT)

/* Those of the lists that libseccomp 2.5.0 does not know. Their numbers are the same on all processors. */
static const struct {
    const char *name;
    int number;
} young[] = {{"process_madvise", 440}, {"mount_setattr", 442},    {"quotactl_fd", 443},
             {"memfd_secret", 447},    {"process_mrelease", 448}, {"fchmodat2", 452}};

/* __NR_SCMP_ERROR: there is no such call. */
static int number_of(const char *name)
{
    int number = seccomp_syscall_resolve_name(name);
    for (size_t i = 0; number == __NR_SCMP_ERROR && i < COUNT(young); i++)
        if (strcmp(young[i].name, name) == 0)
            number = young[i].number;
    return number;
}

static int add_all(scmp_filter_ctx filter, uint32_t action, const char *const *names, size_t n)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < n; i++) {
        const int number = number_of(names[i]);
        result =
            number != __NR_SCMP_ERROR ? seccomp_rule_add(filter, action, number, 0) : UNKNOWN_CALL;
    }
    return result;
}

/* Any of the flags that open a file for more than reading. */
static int add_open(scmp_filter_ctx filter, const char *name, unsigned flags_at)
{
    static const struct {
        scmp_datum_t mask, value;
    } writing[] = {{O_ACCMODE, O_WRONLY},
                   {O_ACCMODE, O_RDWR},
                   {O_ACCMODE, O_ACCMODE},
                   {O_CREAT, O_CREAT},
                   {O_TRUNC, O_TRUNC}};
    int result = 0;
    for (size_t i = 0; result == 0 && i < COUNT(writing); i++)
        result = seccomp_rule_add(
            filter, SCMP_ACT_ERRNO(EPERM), seccomp_syscall_resolve_name(name), 1,
            SCMP_CMP(flags_at, SCMP_CMP_MASKED_EQ, writing[i].mask, writing[i].value));
    return result;
}

/* Values of an argument that the kernel reads 32 bits of: upper halves must not lead past a rule. */
static int add_values(scmp_filter_ctx filter, const char *name, unsigned at,
                      const scmp_datum_t *values, size_t n)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < n; i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), seccomp_syscall_resolve_name(name),
                                  1, SCMP_CMP(at, SCMP_CMP_MASKED_EQ, ANY_BITS, values[i]));
    return result;
}

/* The process dies with its host, is not opened to other processes again, and shares no processor with one of its
 * choice. */
static int add_prctl(scmp_filter_ctx filter)
{
    static const scmp_datum_t options[] = {PR_SET_PDEATHSIG, PR_SET_DUMPABLE,
                                           PR_SET_CHILD_SUBREAPER, PR_SET_PTRACER, PR_SCHED_CORE};
    return add_values(filter, "prctl", 0, options, COUNT(options));
}

/* Calls that are refused for some values of an argument. Upper halves of registers that the kernel
 * ignores must not lead past a rule: what is compared whole is refused unless it is equal. */
static int add_some(scmp_filter_ctx filter)
{
    static const char *const fcntls[] = {"fcntl", "fcntl64"};
    const scmp_datum_t own = (scmp_datum_t)getpid();
    const struct {
        const char *name;
        struct scmp_arg_cmp when;
    } rules[] = {
        {"clone", SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0)},
        {"clone", SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NEWNS, CLONE_NEWNS)},
        {"clone", SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NEWNET, CLONE_NEWNET)},
        {"kill", SCMP_A0(SCMP_CMP_NE, own, 0)},
        {"tgkill", SCMP_A0(SCMP_CMP_NE, own, 0)},
        {"rt_sigqueueinfo", SCMP_A0(SCMP_CMP_NE, own, 0)},
        {"rt_tgsigqueueinfo", SCMP_A0(SCMP_CMP_NE, own, 0)},
        {"setpriority", SCMP_A0(SCMP_CMP_NE, PRIO_PROCESS, 0)},
        {"setpriority", SCMP_A1(SCMP_CMP_NE, 0, 0)},
        {"ioprio_set", SCMP_A0(SCMP_CMP_NE, IOPRIO_WHO_PROCESS, 0)},
        {"ioprio_set", SCMP_A1(SCMP_CMP_NE, 0, 0)},
        {"sched_setscheduler", SCMP_A0(SCMP_CMP_NE, 0, 0)},
        {"sched_setparam", SCMP_A0(SCMP_CMP_NE, 0, 0)},
        {"sched_setattr", SCMP_A0(SCMP_CMP_NE, 0, 0)},
        {"sched_setaffinity", SCMP_A0(SCMP_CMP_NE, 0, 0)},
        {"prlimit64", SCMP_A2(SCMP_CMP_NE, 0, 0)},
        {"personality", SCMP_A0(SCMP_CMP_NE, NOTHING_IS_SET, 0)},
    };
    int result = 0;
    for (size_t i = 0; result == 0 && i < COUNT(rules); i++)
        result =
            seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EPERM),
                                   seccomp_syscall_resolve_name(rules[i].name), 1, &rules[i].when);
    /* A descriptor that sends signals does so to an owner of one's choice, past the rules of kill(). */
    for (size_t i = 0; result == 0 && i < COUNT(fcntls); i++)
        result =
            seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), seccomp_syscall_resolve_name(fcntls[i]),
                             2, SCMP_A1(SCMP_CMP_MASKED_EQ, ANY_BITS, F_SETFL),
                             SCMP_A2(SCMP_CMP_MASKED_EQ, O_ASYNC, O_ASYNC));
    return result;
}

/* Changing files and folders, where no domain judges. */
static int add_making(scmp_filter_ctx filter)
{
    int result = add_all(filter, SCMP_ACT_ERRNO(EPERM), making, COUNT(making));
    if (result == 0)
        result = add_open(filter, "open", 1);
    return result == 0 ? add_open(filter, "openat", 2) : result;
}

bool worker_seccomp_is_built(void)
{
    return true;
}

static int make_confined_filter(scmp_filter_ctx filter)
{
    int result = add_all(filter, SCMP_ACT_ERRNO(EPERM), refused, COUNT(refused));
    if (result == 0)
        result = add_all(filter, SCMP_ACT_ERRNO(ENOSYS), absent, COUNT(absent));
    if (result == 0)
        result = add_all(filter, SCMP_ACT_KILL_PROCESS, fatal, COUNT(fatal));
    if (result == 0)
        result = add_some(filter);
    return result == 0 ? add_prctl(filter) : result;
}

static int make_filter(scmp_filter_ctx filter)
{
    const int result = make_confined_filter(filter);
    return result == 0 ? add_making(filter) : result;
}

static int make_filter_of_files(scmp_filter_ctx filter)
{
    static const char *const files[] = {"memfd_create", "memfd_secret"};
    return add_all(filter, SCMP_ACT_ERRNO(ENOSYS), files, COUNT(files));
}

static model_status enter(int (*make)(scmp_filter_ctx filter), struct model_error *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (filter == NULL)
        return error_no_memory(err, "the filter of system calls");
    int result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (result == 0)
        result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    if (result == 0)
        result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree, not a list */
    if (result == 0)
        result = make(filter);
    if (result == 0)
        result = seccomp_load(filter);
    seccomp_release(filter);
    if (result == UNKNOWN_CALL)
        return error_set(err, MODEL_UNSUPPORTED,
                         "libseccomp does not know a system call that is to be refused; it needs "
                         "version 2.5.0 or later");
    if (result != 0)
        return error_set(err, MODEL_UNSUPPORTED,
                         "the kernel does not take the filter of system calls (%s); it needs "
                         "CONFIG_SECCOMP_FILTER",
                         strerror(-result));
    return MODEL_OK;
}

model_status worker_seccomp_enter(bool is_confined, struct model_error *err)
{
    model_status status = worker_filter_enter(err);
    return status == MODEL_OK ? enter(is_confined ? make_confined_filter : make_filter, err)
                              : status;
}

model_status worker_seccomp_refuse_files(struct model_error *err)
{
    return enter(make_filter_of_files, err);
}

#else

bool worker_seccomp_is_built(void)
{
    return false;
}

model_status worker_seccomp_enter(bool is_confined, struct model_error *err)
{
    (void)is_confined;
    (void)err;
    return MODEL_OK;
}

model_status worker_seccomp_refuse_files(struct model_error *err)
{
    (void)err;
    return MODEL_OK;
}
#endif
