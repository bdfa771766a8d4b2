/* check_process.h - a child process with a time limit that holds: started with spawn and exec in a session
 * and process group of its own, its output captured and bounded, killed with its whole group at the limit
 * or when it ends, and reaped, with what left the group (left_processes.h). For commands, one thread at a time: it
 * takes every new child of this process for the child's. */
#ifndef CHECK_PROCESS_H
#define CHECK_PROCESS_H

#include "buffer.h"

#include <stdbool.h>

#define CHECK_PROCESS_RECORD_FD       3 /* in the child */
#define CHECK_PROCESS_GIVEN_FD        (CHECK_PROCESS_RECORD_FD + 1)
#define CHECK_PROCESS_MAX_GIVEN       256
#define CHECK_PROCESS_MAX_INPUT_BYTES (48 << 10) /* less than a pipe holds */

/* What a child is given. */
struct check_process_input {
    const char *text; /* its stdin, of at most CHECK_PROCESS_MAX_INPUT_BYTES; NULL: nothing */
    const int *fds;   /* (n_fds): open there, from CHECK_PROCESS_GIVEN_FD on, in this order */
    size_t n_fds;     /* at most CHECK_PROCESS_MAX_GIVEN */
};

struct process_outcome {
    int exit_code; /* -1: it was ended by a signal */
    int signal;    /* 0: none */
    bool timed_out;
    size_t n_left; /* processes that it left behind, ended by now */
    int64_t elapsed_ns;
    struct buffer record; /* what it wrote to CHECK_PROCESS_RECORD_FD */
    struct buffer output; /* the last of what it wrote to stdout and stderr */
};

/* Runs argv[0], a path, with what a worker process gets of the environment (worker_environment.h), a heap that counts
 * exactly, and no other open files than `input` says, and waits. limit_ms > 0.
 * Fails only when the process cannot be started; else *ret is to be finished. */
model_status check_process_run(const char *const *argv, const struct check_process_input *input,
                               int64_t limit_ms, struct process_outcome *ret,
                               struct model_error *err);
void process_outcome_finish(struct process_outcome *outcome);

#endif
