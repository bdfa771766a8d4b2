/* worker_seccomp.h - the filter of system calls of a worker process (Linux, libseccomp).
 *
 *   refused (EPERM)   sockets; running programs and other processes; debugging, killing or looking into
 *                     other processes; changing any file, folder or mount by its name; keys, performance
 *                     counters, queues and memory that outlive the process; raising limits; how other
 *                     threads are scheduled; typing into a terminal; descriptors that send signals
 *   absent (ENOSYS)   calls whose arguments a filter cannot see and that libraries do without
 *   fatal (SIGSYS)    changing the kernel itself, and calls of another instruction set
 *
 * Where the process is in a domain that lets it change one folder and nothing else (worker_domain.h), making, renaming,
 * removing and opening to write pass, for the domain to judge.
 *
 * A plugin meets the first two as errors of its own call. What was opened before stays usable. */
#ifndef WORKER_SECCOMP_H
#define WORKER_SECCOMP_H

#include "modelhost.h"

#include <stdbool.h>

/* Whether this build has the filter; without it worker_seccomp_enter() does nothing. [any-thread] */
bool worker_seccomp_is_built(void);

/* For all threads of the process and for good. is_confined: such a domain judges. MODEL_UNSUPPORTED: the kernel has no
 * such filters. */
model_status worker_seccomp_enter(bool is_confined, struct model_error *err);

/* The same way, besides: no more memory with a descriptor (ENOSYS). */
model_status worker_seccomp_refuse_files(struct model_error *err);

#endif
