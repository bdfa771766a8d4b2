/* in_sandbox.h - a child of a test that enters the sandbox of workers and tries something there. Included
 * once by a test program; one thread. */
#ifndef IN_SANDBOX_H
#define IN_SANDBOX_H

#include "errors.h"
#include "testing.h"
#include "worker_sandbox.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

/* 0 when the call succeeds, else its error number. */
#define TRY(call) (errno = 0, (long)(call) >= 0 ? 0 : errno)

static const struct worker_limits *limits_of_child; /* NULL: the usual ones */
static uid_t user_of_child;                         /* 0: the test's own */

/* How a child ends that enters the sandbox and returns what `act` returns; 200 when it does not come in. */
static inline int inside(int (*act)(void))
{
    (void)fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct model_error err = MODEL_ERROR_INIT;
        if (user_of_child != 0 && setresuid(user_of_child, user_of_child, user_of_child) != 0)
            _exit(201);
        const model_status status = worker_sandbox_enter(limits_of_child, &err);
        if (status != MODEL_OK)
            (void)dprintf(STDERR_FILENO, "%s\n", err.message);
        _exit(status != MODEL_OK ? 200 : act());
    }
    int wait_status = 0;
    assert_int_equal(waitpid(child, &wait_status, 0), child);
    return wait_status;
}

/* Its exit code, or 1000 + the signal that ended it. */
static inline int code_inside(int (*act)(void))
{
    const int wait_status = inside(act);
    return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 1000 + WTERMSIG(wait_status);
}

#endif
