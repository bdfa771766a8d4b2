/* worker_process.h - one child process: started, killed, reaped.
 *
 * It is started with posix_spawn: never a bare fork, which in a process of many threads copies locks that
 * nobody will open. The child has the socket as descriptor WORKER_CHILD_SOCKET, what it prints goes into a pipe,
 * and everything else is closed; of the environment it has what worker_environment.h lists. It is in a process group of its own, so that an interrupt from a terminal is
 * the host's to handle. Only the own child is ever waited for, so that an application's children stay its
 * own; an application that ignores SIGCHLD, or waits for all children, only takes away how it ended. */
#ifndef WORKER_PROCESS_H
#define WORKER_PROCESS_H

#include "modelhost.h"

#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

#define WORKER_CHILD_SOCKET 3

struct worker_process {
    pid_t pid;
    int socket, output; /* the host's ends, which never block */
    int pidfd;          /* readable when it has ended; -1: there is none on this system */
    uv_mutex_t mutex;   /* guards what follows: nobody is killed who has been reaped */
    bool reaped;
};

/* How a process ended. */
struct worker_end {
    bool is_known; /* whether wait_status is */
    int wait_status;
};

/* Runs `path` with the argument "worker". */
model_status worker_process_start(const char *path, struct worker_process *ret,
                                  struct model_error *err);

/* Whatever it does, it ends now. [any-thread] */
void worker_process_kill(struct worker_process *process);

/* Waits until it has ended and removes it from the system's table, once; then only finish() may follow. */
struct worker_end worker_process_reap(struct worker_process *process);

/* Closes the descriptors. Behind worker_process_reap(). */
void worker_process_finish(struct worker_process *process);

#endif
