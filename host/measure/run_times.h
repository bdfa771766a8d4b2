/* run_times.h - a list of measured times, and what is said of it. One thread at a time. */
#ifndef RUN_TIMES_H
#define RUN_TIMES_H

#include "model_abi.h"

#include <stddef.h>
#include <stdint.h>

/* All zero is an empty list. */
struct run_times {
    int64_t *ns; /* (n) of (capacity), owned */
    size_t n, capacity;
};

/* MODEL_OUT_OF_MEMORY. */
model_status run_times_add(struct run_times *times, int64_t ns, struct model_error *err);
void run_times_finish(struct run_times *times);

/* The time that `share` (0 to 1) of them do not exceed: the smallest of the measured ones with at least that share at or
 * below it (nearest rank). 0 for an empty list. Sorts the list. */
int64_t run_times_percentile(struct run_times *times, double share);

#endif
