/* worker_process.c - see worker_process.h. */
#include "worker_process.h"
#include "errors.h"
#include "worker_environment.h"
#include "worker_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif

extern char **environ;

static int open_pidfd(pid_t pid)
{
#if defined(__linux__) && defined(SYS_pidfd_open)
    return (int)syscall(SYS_pidfd_open, pid, 0);
#else
    (void)pid;
    return -1;
#endif
}

/* 0, 1, 2: nothing in, the pipe, the pipe; 3: the socket; no others. */
static int set_files(posix_spawn_file_actions_t *files, int socket, int output)
{
    int code = posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDONLY, 0);
    for (int fd = 1; fd <= 2 && code == 0; fd++)
        code = posix_spawn_file_actions_adddup2(files, output, fd);
    if (code == 0)
        code = posix_spawn_file_actions_adddup2(files, socket, WORKER_CHILD_SOCKET);
#ifdef __linux__
    if (code == 0)
        code = posix_spawn_file_actions_addclosefrom_np(files, WORKER_CHILD_SOCKET + 1);
#endif
    return code;
}

/* Signals as a new program expects them, whatever the application does with its own; and a session without a
 * terminal, so that the operator's keys are nothing to it, nor it to them. */
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t all, none;
    (void)sigfillset(&all);
    (void)sigemptyset(&none);
    short flags = POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
#ifdef POSIX_SPAWN_CLOEXEC_DEFAULT
    flags |= POSIX_SPAWN_CLOEXEC_DEFAULT;
#endif
    int code = posix_spawnattr_setflags(attributes, flags);
    if (code == 0)
        code = posix_spawnattr_setsigdefault(attributes, &all);
    return code == 0 ? posix_spawnattr_setsigmask(attributes, &none) : code;
}

static int spawn_with(const char *path, int socket, int output, char **environment, pid_t *ret)
{
    char *const arguments[] = {(char *)(uintptr_t) "modelhost", (char *)(uintptr_t) "worker", NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    int code = posix_spawn_file_actions_init(&files);
    if (code != 0)
        return code;
    code = posix_spawnattr_init(&attributes);
    if (code == 0) {
        code = set_files(&files, socket, output);
        if (code == 0)
            code = set_attributes(&attributes);
        if (code == 0)
            code = posix_spawn(ret, path, &files, &attributes, arguments, environment);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&files);
    return code;
}

static int spawn(const char *path, int socket, int output, pid_t *ret)
{
    char **environment = worker_environment_make(environ, NULL);
    const int code =
        environment != NULL ? spawn_with(path, socket, output, environment, ret) : ENOMEM;
    free(environment);
    return code;
}

/* A descriptor above those that the child's ends are moved to: moving onto itself would leave it closed at
 * exec, and moving one end could close the other. */
static int move_up(int fd)
{
    const int above = fcntl(fd, F_DUPFD_CLOEXEC, WORKER_CHILD_SOCKET + 1);
    const int why = errno;
    (void)close(fd);
    errno = why;
    return above;
}

static model_status move_all_up(int ends[4], struct model_error *err)
{
    int why = 0;
    for (int i = 0; i < 4; i++) {
        ends[i] = move_up(ends[i]);
        if (ends[i] < 0)
            why = errno;
    }
    if (why == 0)
        return MODEL_OK;
    for (int i = 0; i < 4; i++)
        if (ends[i] >= 0)
            (void)close(ends[i]);
    return error_set_errno(err, why, "cannot make a pipe for a worker");
}

static model_status make_ends(int sockets[2], int outputs[2], struct model_error *err)
{
    model_status status = worker_socket_pair(sockets, err);
    if (status != MODEL_OK)
        return status;
#ifdef __linux__
    const int piped = pipe2(outputs, O_CLOEXEC);
#else
    const int piped = pipe(outputs);
#endif
    if (piped != 0) {
        status = error_set_errno(err, errno, "cannot make a pipe for a worker");
        (void)close(sockets[0]);
        (void)close(sockets[1]);
        return status;
    }
    int ends[] = {sockets[0], sockets[1], outputs[0], outputs[1]};
    status = move_all_up(ends, err);
    if (status != MODEL_OK)
        return status;
    memcpy(sockets, ends, 2 * sizeof *ends);
    memcpy(outputs, ends + 2, 2 * sizeof *ends);
    (void)fcntl(outputs[0], F_SETFL, O_NONBLOCK);
    (void)fcntl(sockets[0], F_SETFL, O_NONBLOCK);
    return MODEL_OK;
}

model_status worker_process_start(const char *path, struct worker_process *ret,
                                  struct model_error *err)
{
    int sockets[2], outputs[2];
    pid_t pid = -1;
    model_status status = make_ends(sockets, outputs, err);
    if (status != MODEL_OK)
        return status;
    const bool has_mutex = uv_mutex_init(&ret->mutex) == 0;
    const int code = has_mutex ? spawn(path, sockets[1], outputs[1], &pid) : ENOMEM;
    (void)close(sockets[1]);
    (void)close(outputs[1]);
    if (code != 0) {
        (void)close(sockets[0]);
        (void)close(outputs[0]);
        if (has_mutex)
            uv_mutex_destroy(&ret->mutex);
        (void)error_set_errno(err, code, "cannot start the worker %s", path);
        error_advise(err, "workers are run by the modelhost command: set worker_path to it");
        return MODEL_IO;
    }
    ret->pid = pid;
    ret->socket = sockets[0];
    ret->output = outputs[0];
    ret->pidfd = open_pidfd(pid);
    ret->reaped = false;
    return MODEL_OK;
}

/* Under the mutex. A descriptor of the process cannot mean another one that has its number by now. */
static void send_kill(struct worker_process *process)
{
#if defined(__linux__) && defined(SYS_pidfd_send_signal)
    if (process->pidfd >= 0) {
        (void)syscall(SYS_pidfd_send_signal, process->pidfd, SIGKILL, NULL, 0);
        return;
    }
#endif
    (void)kill(process->pid, SIGKILL);
}

void worker_process_kill(struct worker_process *process)
{
    uv_mutex_lock(&process->mutex);
    if (!process->reaped)
        send_kill(process);
    uv_mutex_unlock(&process->mutex);
}

struct worker_end worker_process_reap(struct worker_process *process)
{
    struct worker_end end = {.is_known = false};
    siginfo_t info = {.si_pid = 0};
    struct pollfd ended = {process->pidfd, POLLIN, 0};
    while (process->pidfd >= 0 && poll(&ended, 1, -1) < 0 && errno == EINTR)
        continue;
    /* It stays a zombie meanwhile, so that its number is not given away before the lock is held. */
    while (waitid(P_PID, (id_t)process->pid, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR)
        continue;
    uv_mutex_lock(&process->mutex);
    pid_t reaped;
    do
        reaped = waitpid(process->pid, &end.wait_status, WNOHANG);
    while (reaped < 0 && errno == EINTR);
    end.is_known = reaped == process->pid;
    process->reaped = true;
    uv_mutex_unlock(&process->mutex);
    return end;
}

void worker_process_finish(struct worker_process *process)
{
    (void)close(process->socket);
    (void)close(process->output);
    if (process->pidfd >= 0)
        (void)close(process->pidfd);
    uv_mutex_destroy(&process->mutex);
}
