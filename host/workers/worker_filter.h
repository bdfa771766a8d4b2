/* worker_filter.h - a second filter of system calls, for what the first (worker_seccomp.h) cannot say: a list of what is
 * allowed. Calls that are newer than those that were looked at do not exist (ENOSYS), so that a new kernel brings a worker
 * nothing; of ioctl() and fcntl() all requests but a few are refused (EPERM). It does not look at the processor's kind:
 * the other one does. */
#ifndef WORKER_FILTER_H
#define WORKER_FILTER_H

#include "modelhost.h"

/* For all threads of the process and for good; needs "no new privileges". MODEL_UNSUPPORTED when the kernel does not
 * have it. Nothing elsewhere than on Linux. */
model_status worker_filter_enter(struct model_error *err);

#endif
