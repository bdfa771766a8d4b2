/* lease_process.h - which machine this is, and which of its processes are alive: what leases are judged
 * by. [any-thread] */
#ifndef LEASE_PROCESS_H
#define LEASE_PROCESS_H

#include <stdint.h>

#define LEASE_MACHINE_BYTES 160

/* Names this boot of this machine and its space of process numbers, a container's own, say: a number
 * means the same process only where this is the same. Writes into text and returns it. */
const char *lease_machine(char text[LEASE_MACHINE_BYTES]);

/* When the process of a number started, as a text that only has to be compared; "" where the system does
 * not tell; NULL when there is no such process. */
const char *lease_process_started(void *unused, int64_t pid, char text[32]);

#endif
