/* crash_report.h - what is said when the process of a plugin has ended during a call.
 *
 *   plugin crashed: SIGSEGV in run; its last log lines: "reading row 7" | "row 8 is odd"
 *   plugin called exit(3) in run
 *   plugin was killed (SIGKILL) in run: by the system (out of memory?) or by an operator; its last
 *   log line: "row 8" */
#ifndef CRASH_REPORT_H
#define CRASH_REPORT_H

#include "modelhost.h"

#include <stdbool.h>

/* The exit code of a worker whose plugin ended the thread that it was called on. */
#define CRASH_EXIT_THREAD_ENDED 94

/* Writes the sentence of MODELHOST_CRASHED. `wait_status` is waitpid()'s, `doing` the function of the plugin
 * that ran ("run", "create_model"; NULL: none, it was idle). Of the n_lines last lines that the process
 * wrote, oldest first, as many of the newest as fit are quoted; they may hold any bytes. `killed_by_host`: the
 * SIGKILL was the host's own, because the call did not come back. [any-thread] */
void crash_report_write(struct model_error *err, int wait_status, const char *doing,
                        const char *const *last_lines, size_t n_lines, bool killed_by_host);

#endif
