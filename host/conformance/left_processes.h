/* left_processes.h - the processes that a child left behind: what leaves its group by a session of its own.
 *
 * While this process adopts (Linux), orphans of its descendants become its children, so that nobody gets out
 * of sight by forking twice. For commands, which start nothing else meanwhile: adopting is the whole
 * process's, and whatever is its child and was not before is ended. Elsewhere nothing is adopted or found. */
#ifndef LEFT_PROCESSES_H
#define LEFT_PROCESSES_H

#include <stddef.h>
#include <sys/types.h>

#define LEFT_MAX_KNOWN 64

struct left_processes {
    pid_t known[LEFT_MAX_KNOWN]; /* children of before, which stay */
    size_t n_known;
};

/* Before the child is started: notes the children that there are, and adopts from now on. */
void left_processes_watch(struct left_processes *ret);
/* When the child has been reaped: kills and reaps all others, those that they leave in turn too. Returns how
 * many there were. */
size_t left_processes_end(const struct left_processes *watched);

#endif
