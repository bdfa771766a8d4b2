/* worker_domain.h - a Landlock domain for a worker: no look into other processes, no signals to them, and no devices. */
#ifndef WORKER_DOMAIN_H
#define WORKER_DOMAIN_H

#include "modelhost.h"

/* For the calling thread, and those that it makes, for good; needs "no new privileges". What the kernel does not have is
 * left out, all of it before Linux 5.13 and elsewhere. */
model_status worker_domain_enter(struct model_error *err);

#endif
