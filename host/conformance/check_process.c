/* check_process.c - see check_process.h. No SIGCHLD and no loop: a short poll of the pipes and a look at
 * the child, because grandchildren may hold the pipes open when it is gone. */
#include "check_process.h"
#include "check_record.h"
#include "clock.h"
#include "errors.h"
#include "left_processes.h"
#include "worker_environment.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_RECORD_BYTES ((size_t)64 << 10)
#define MAX_OUTPUT_BYTES ((size_t)16 << 10)
#define KEPT_BYTES       ((size_t)4 << 10)
#define MAX_PICKED_BYTES ((size_t)1 << 10)
#define POLL_MS          10
#define MAX_READS        256 /* at a time, of a child that writes as fast as it is read; a full pipe */

/* The C library counts freed blocks in a thread's cache as used, more of them for thousands of rounds: without such caches
 * it counts exactly. */
#define EXACT_HEAP "GLIBC_TUNABLES=glibc.malloc.tcache_count=0"

extern char **environ;

/* What the child gets, each with a number above those that it has there. */
struct pipes {
    int record[2], output[2], input[2];
    int given[CHECK_PROCESS_MAX_GIVEN];
    size_t n_given;
    int lowest; /* the least of such numbers */
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static void close_pipes(struct pipes *pipes)
{
    for (int i = 0; i < 2; i++) {
        close_fd(&pipes->record[i]);
        close_fd(&pipes->output[i]);
        close_fd(&pipes->input[i]);
    }
    while (pipes->n_given > 0)
        close_fd(&pipes->given[--pipes->n_given]);
}

static bool copy_given(struct pipes *pipes, const struct check_process_input *input)
{
    while (pipes->n_given < input->n_fds) {
        const int copy = fcntl(input->fds[pipes->n_given], F_DUPFD_CLOEXEC, pipes->lowest);
        if (copy < 0)
            return false;
        pipes->given[pipes->n_given++] = copy;
    }
    return true;
}

static bool make_pipe(int ends[2], int lowest)
{
    if (pipe(ends) != 0) {
        ends[0] = ends[1] = -1;
        return false;
    }
    for (int i = 0; i < 2; i++)
        if (ends[i] < lowest) {
            const int moved = fcntl(ends[i], F_DUPFD_CLOEXEC, lowest);
            (void)close(ends[i]);
            ends[i] = moved;
        } else {
            (void)fcntl(ends[i], F_SETFD, FD_CLOEXEC);
        }
    return ends[0] >= 0 && ends[1] >= 0 && fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0;
}

/* What the child reads first, all of it in the pipe already. */
static bool make_input(const char *text, int ends[2], int lowest)
{
    const size_t n = text != NULL ? strlen(text) : 0;
    if (!make_pipe(ends, lowest))
        return false;
    (void)fcntl(ends[0], F_SETFL, 0);
    const bool good = write(ends[1], text, n) == (ssize_t)n;
    close_fd(&ends[1]);
    return good;
}

/* All signals as they are by default, none blocked, a session of its own. */
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    int errnum = posix_spawnattr_setsigmask(attributes, &none);
    if (errnum == 0)
        errnum = posix_spawnattr_setsigdefault(attributes, &all);
    if (errnum == 0)
        errnum = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
                                                          POSIX_SPAWN_SETSIGDEF);
    return errnum;
}

static int start_with(const char *const *argv, char **environment, const struct pipes *pipes,
                      pid_t *ret)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int errnum = posix_spawn_file_actions_init(&actions);
    if (errnum != 0)
        return errnum;
    if ((errnum = posix_spawnattr_init(&attributes)) != 0) {
        (void)posix_spawn_file_actions_destroy(&actions);
        return errnum;
    }
    errnum = set_attributes(&attributes);
    if (errnum == 0)
        errnum = posix_spawn_file_actions_adddup2(&actions, pipes->input[0], 0);
    for (int fd = 1; fd <= CHECK_PROCESS_RECORD_FD && errnum == 0; fd++)
        errnum = posix_spawn_file_actions_adddup2(
            &actions, fd == CHECK_PROCESS_RECORD_FD ? pipes->record[1] : pipes->output[1], fd);
    for (size_t i = 0; i < pipes->n_given && errnum == 0; i++)
        errnum = posix_spawn_file_actions_adddup2(&actions, pipes->given[i],
                                                  CHECK_PROCESS_GIVEN_FD + (int)i);
#ifdef __linux__
    if (errnum == 0)
        errnum = posix_spawn_file_actions_addclosefrom_np(&actions, CHECK_PROCESS_GIVEN_FD +
                                                                        (int)pipes->n_given);
#endif
    if (errnum == 0)
        errnum = posix_spawn(ret, argv[0], &actions, &attributes, (char *const *)(uintptr_t)argv,
                             environment);
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&actions);
    return errnum;
}

static int start(const char *const *argv, const struct pipes *pipes, pid_t *ret)
{
    char **environment = worker_environment_make(environ, EXACT_HEAP);
    const int errnum = environment != NULL ? start_with(argv, environment, pipes, ret) : ENOMEM;
    free(environment);
    return errnum;
}

/* Of whole lines that are dropped from a record, the last one of each kind, in their order: what was going on is
 * not forgotten because much is said of it, nor is a failure. Returns their bytes. */
static size_t pick_lines(const char *data, size_t size_bytes,
                         char ret[CHECK_RECORD_KINDS * MAX_PICKED_BYTES])
{
    static const char kinds[] = CHECK_RECORD_KIND_LETTERS;
    const char *last[CHECK_RECORD_KINDS] = {NULL}, *end;
    size_t n = 0;
    for (const char *at = data; (end = memchr(at, '\n', size_bytes - (size_t)(at - data))) != NULL;
         at = end + 1)
        for (size_t i = 0; i < CHECK_RECORD_KINDS; i++)
            if (*at == kinds[i])
                last[i] = at;
    for (;;) {
        const char **first = NULL;
        for (size_t i = 0; i < CHECK_RECORD_KINDS; i++)
            if (last[i] != NULL && (first == NULL || last[i] < *first))
                first = &last[i];
        if (first == NULL)
            return n;
        const size_t left_bytes = size_bytes - (size_t)(*first - data);
        size_t line_bytes = (size_t)((const char *)memchr(*first, '\n', left_bytes) - *first);
        line_bytes = line_bytes < MAX_PICKED_BYTES - 1 ? line_bytes : MAX_PICKED_BYTES - 1;
        memcpy(ret + n, *first, line_bytes);
        n += line_bytes;
        ret[n++] = '\n';
        *first = NULL;
    }
}

/* A full buffer keeps its last lines: the verdict and the last words come at the end. */
static void make_room(struct buffer *into, bool is_record)
{
    char picked[CHECK_RECORD_KINDS * MAX_PICKED_BYTES];
    const size_t kept = into->size < KEPT_BYTES ? into->size : KEPT_BYTES;
    const char *tail = into->data + (into->size - kept);
    const char *line = memchr(tail, '\n', kept);
    const size_t n = line != NULL ? kept - (size_t)(line + 1 - tail) : 0;
    const size_t n_picked = is_record ? pick_lines(into->data, into->size - n, picked) : 0;
    memmove(into->data + n_picked, into->data + (into->size - n), n);
    memcpy(into->data, picked, n_picked);
    into->size = n_picked + n;
    into->data[into->size] = '\0';
}

/* Takes what is there, but comes back; closes the pipe at its end. */
static void drain(int *fd, struct buffer *into, bool is_record)
{
    char bytes[4096];
    for (int i = 0; i < MAX_READS && *fd >= 0; i++) {
        const ssize_t n = read(*fd, bytes, sizeof bytes);
        if (n > 0) {
            if (into->size + (size_t)n > into->max_bytes)
                make_room(into, is_record);
            (void)buffer_append(into, bytes, (size_t)n);
        } else if (n == 0) {
            close_fd(fd);
        } else if (errno != EINTR) {
            if (errno != EAGAIN)
                close_fd(fd);
            return;
        }
    }
}

static bool has_ended(pid_t child)
{
    siginfo_t info = {.si_pid = 0};
    return waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == child;
}

/* Until it ends or the limit has passed. */
static void watch(pid_t child, struct pipes *pipes, int64_t end_ns, struct process_outcome *outcome)
{
    bool ended = false;
    while (!ended && clock_now_ns() < end_ns) {
        struct pollfd fds[2] = {{pipes->record[0], POLLIN, 0}, {pipes->output[0], POLLIN, 0}};
        (void)poll(fds, 2, POLL_MS);
        ended = has_ended(child);
        drain(&pipes->record[0], &outcome->record, true);
        drain(&pipes->output[0], &outcome->output, false);
    }
    outcome->timed_out = !ended;
}

/* The child is a zombie or runs, so its number is still its own: the group goes first. */
static void end_and_reap(pid_t child, struct process_outcome *outcome)
{
    int status = 0;
    pid_t reaped = -1;
    (void)kill(-child, SIGKILL);
    (void)kill(child, SIGKILL);
    do
        reaped = waitpid(child, &status, 0);
    while (reaped < 0 && errno == EINTR);
    outcome->exit_code = reaped == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    outcome->signal = reaped == child && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

model_status check_process_run(const char *const *argv, const struct check_process_input *input,
                               int64_t limit_ms, struct process_outcome *ret,
                               struct model_error *err)
{
    struct pipes pipes = {.record = {-1, -1}, .output = {-1, -1}, .input = {-1, -1}};
    struct left_processes left;
    pid_t child = -1;
    const int64_t start_ns = clock_now_ns();
    pipes.lowest = CHECK_PROCESS_GIVEN_FD + (int)input->n_fds;
    const bool has_pipes = copy_given(&pipes, input) && make_pipe(pipes.record, pipes.lowest) &&
                           make_pipe(pipes.output, pipes.lowest) &&
                           make_input(input->text, pipes.input, pipes.lowest);
    int errnum = has_pipes ? 0 : errno;
    left_processes_watch(&left);
    if (errnum == 0)
        errnum = start(argv, &pipes, &child);
    if (errnum != 0) {
        close_pipes(&pipes);
        return error_set_errno(err, errnum, "cannot start %s", argv[0]);
    }
    close_fd(&pipes.record[1]);
    close_fd(&pipes.output[1]);
    close_fd(&pipes.input[0]);
    *ret = (struct process_outcome){.record = BUFFER_INIT(MAX_RECORD_BYTES),
                                    .output = BUFFER_INIT(MAX_OUTPUT_BYTES)};
    watch(child, &pipes, start_ns + limit_ms * NS_PER_MS, ret);
    end_and_reap(child, ret);
    ret->n_left = left_processes_end(&left);
    drain(&pipes.record[0], &ret->record, true);
    drain(&pipes.output[0], &ret->output, false);
    ret->elapsed_ns = clock_now_ns() - start_ns;
    close_pipes(&pipes);
    return MODEL_OK;
}

void process_outcome_finish(struct process_outcome *outcome)
{
    buffer_finish(&outcome->record);
    buffer_finish(&outcome->output);
}
