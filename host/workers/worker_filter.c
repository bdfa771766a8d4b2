/* worker_filter.c - see worker_filter.h. Each program is read whole by the kernel before it is taken: jumps go
 * forward only, over at most 255 instructions. */
#include "worker_filter.h"
#include "errors.h"

#ifdef __linux__
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* From 424 on a call has the same number on all processors but for what is added to all of a processor's. */
#define NUMBER_OF(number_) (SYS_pidfd_send_signal - 424 + (number_))

/* futex_requeue, of Linux 6.7. What came later up to 6.18 was looked at: statmount, listmount, lsm_*, mseal, *xattrat,
 * open_tree_attr, file_getattr, file_setattr. Some change files, and no plugin needs any. */
#define NEWEST_CALL NUMBER_OF(456)

/* linux/fcntl.h, of which older systems have a part. */
#define DUPFD_QUERY   1027 /* Linux 6.10 */
#define CREATED_QUERY 1028 /* Linux 6.12 */

/* Each file system and each device has requests of its own, some of which change files that are open for reading
 * (attributes, keys, snapshots) or the terminal. */
static const uint32_t requests[] = {TCGETS, TIOCGWINSZ, FIONREAD, FIONBIO, FIOCLEX, FIONCLEX};

/* No locks, no leases, no owner or signal of one's choice, no hints for a file. O_ASYNC is worker_seccomp.c's. */
static const uint32_t commands[] = {F_DUPFD,     F_DUPFD_CLOEXEC, F_GETFD,      F_SETFD,
                                    F_GETFL,     F_SETFL,         F_GETLK,      F_OFD_GETLK,
                                    F_GETOWN,    F_GETPIPE_SZ,    F_SETPIPE_SZ, F_ADD_SEALS,
                                    F_GET_SEALS, DUPFD_QUERY,     CREATED_QUERY};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* Calls of which some values of an argument are allowed. The kernel reads 32 bits of each. */
static const struct {
    uint32_t call, argument;
    const uint32_t *values;
    uint32_t n_values;
} choices[] = {
    {SYS_ioctl, 1, requests, COUNT(requests)},
    {SYS_fcntl, 1, commands, COUNT(commands)},
#ifdef SYS_fcntl64
    {SYS_fcntl64, 1, commands, COUNT(commands)},
#endif
};

#define MAX_INSTRUCTIONS 80

struct program {
    struct sock_filter code[MAX_INSTRUCTIONS];
    unsigned short n;
};

static void add(struct program *program, struct sock_filter instruction)
{
    if (program->n < MAX_INSTRUCTIONS)
        program->code[program->n] = instruction;
    program->n++;
}

static void add_load(struct program *program, size_t offset)
{
    add(program, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void add_end(struct program *program, uint32_t action)
{
    add(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

/* Goes on n_true or n_false instructions further. */
static void add_test(struct program *program, uint16_t test, uint32_t value, uint32_t n_true,
                     uint32_t n_false)
{
    add(program, (struct sock_filter)BPF_JUMP((uint16_t)(BPF_JMP | BPF_K | test), value,
                                              (uint8_t)n_true, (uint8_t)n_false));
}

/* Where the lower half of an argument lies. */
static size_t argument_offset(uint32_t argument)
{
    const size_t upper_first = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? sizeof(uint32_t) : 0;
    return offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t) + upper_first;
}

static void write_program(struct program *program)
{
    add_load(program, offsetof(struct seccomp_data, nr));
    add_test(program, BPF_JGT, NEWEST_CALL, 0, 1);
    add_end(program, SECCOMP_RET_ERRNO | ENOSYS);
    for (size_t i = 0; i < COUNT(choices); i++) {
        const uint32_t n = choices[i].n_values;
        add_test(program, BPF_JEQ, choices[i].call, 0, n + 3); /* to the next choice */
        add_load(program, argument_offset(choices[i].argument));
        for (uint32_t k = 0; k < n; k++)
            add_test(program, BPF_JEQ, choices[i].values[k], n - k, 0); /* behind the refusal */
        add_end(program, SECCOMP_RET_ERRNO | EPERM);
        add_end(program, SECCOMP_RET_ALLOW);
    }
    add_end(program, SECCOMP_RET_ALLOW);
}

model_status worker_filter_enter(struct model_error *err)
{
    struct program program = {.n = 0};
    write_program(&program);
    const struct sock_fprog whole = {program.n, program.code};
    const bool fits = program.n <= MAX_INSTRUCTIONS;
    errno = E2BIG;
    if (fits &&
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &whole) == 0)
        return MODEL_OK;
    return error_set(err, MODEL_UNSUPPORTED,
                     "the kernel does not take the filter of new system calls (%s); it needs "
                     "CONFIG_SECCOMP_FILTER",
                     strerror(errno));
}

#else

model_status worker_filter_enter(struct model_error *err)
{
    (void)err;
    return MODEL_OK;
}
#endif
