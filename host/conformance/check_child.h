/* check_child.h - one check, in the process that was started for it. */
#ifndef CHECK_CHILD_H
#define CHECK_CHILD_H

#include "subject.h"

struct check_child_options {
    struct subject_options subject;
    uint32_t number; /* of the check; CHECK_CHILD_PROBE and CHECK_CHILD_HANG are none */
    int64_t rounds, time_ms;
    /* Where its token comes from (check_record.h), and behind it the names of what was decrypted of the package
     * (checked_package.h); nothing is left to read there. */
    int token_fd;
};

#define CHECK_CHILD_PROBE 0  /* whether the plugin runs the package at all */
#define CHECK_CHILD_HANG  99 /* never returns: by it the kill is proven */

#define CHECK_CHILD_UNHEARD 98 /* an exit code: the plugin has closed what verdicts go to */

/* Runs it and writes its verdict. 0 when there is one; with what it returns the process should end then. The process is changed:
 * it dies with its parent, has handlers, and is in the sandbox of a worker. */
int check_child_run(const struct check_child_options *options);

#endif
