/* worker_domain.h - a Landlock domain for a worker: no look into other processes, no signals to them, and no devices. */
#ifndef WORKER_DOMAIN_H
#define WORKER_DOMAIN_H

#include "modelhost.h"

#include <stdbool.h>

/* Whether a domain can let a process change one folder and nothing else: with Landlock since Linux 6.2. Elsewhere than on
 * Linux there is no sandbox that would have to, and it is true. [any-thread] */
bool worker_domain_confines_writing(void);

/* For the calling thread, and those that it makes, for good; needs "no new privileges". What the kernel does not have is
 * left out, all of it before Linux 5.13 and elsewhere. With writable_folder, which is absolute, files and folders can be made,
 * changed and removed below it alone; MODEL_UNSUPPORTED where that cannot be had. NULL: whether they can is not
 * this domain's to say. */
model_status worker_domain_enter(const char *writable_folder, struct model_error *err);

#endif
