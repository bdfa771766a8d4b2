/* parallel.h - pieces of work on a team of threads, which is OpenMP's (openmp.h).
 *
 * oneDNN, which plugins compute with, brings OpenMP; a second team of threads beside it would fight for
 * the same CPUs. So the host's parallel_for runs on OpenMP too: one team per lane, one runtime per
 * process. */
#ifndef PARALLEL_H
#define PARALLEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Processors, the lowest number first. All 0: none are known. */
struct parallel_cpus {
    uint64_t bits[16];
};

/* Those that the calling thread may run on. False: this system does not say, or there are numbers beyond these. */
bool parallel_cpus_get(struct parallel_cpus *ret);
/* Keeps the calling thread, and the helpers that its team gets from now on, on `n` of them behind the first
 * `place * n`, from the beginning again where there are no more. Not one thread on each: a helper that OpenMP starts later
 * begins where its owner is. */
void parallel_pin(const struct parallel_cpus *cpus, uint32_t place, uint32_t n);

/* Opens OpenMP, as the first of the others would. */
void parallel_begin(void);

/* Sets the size of the calling thread's team, for everything on it that uses OpenMP. */
void parallel_adopt_thread(uint32_t threads);

/* The same for a while, on a thread that is somebody else's: what it had before. */
struct parallel_team {
    int dynamic, threads;
};
struct parallel_team parallel_lend_thread(uint32_t threads);
void parallel_return_thread(struct parallel_team team);

/* Keeps the helpers of the calling thread's team off the processor that it runs on, before a call that may use
 * them. In a virtual machine an idle processor looks busy to Linux (a halted virtual processor counts as
 * preempted), so that a sleeping helper is woken beside the thread that wakes it and waits there for its
 * turn, or takes it: a barrier then takes milliseconds, until the load is balanced. Costs a look at the
 * number of the processor as long as that is the same. Helpers are known from parallel_run(); those of
 * a lent thread may run anywhere again when it is returned. Elsewhere than on Linux nothing happens. */
void parallel_spread(void);

/* body(argument, i) for each i in [0, n_items) on at most `threads` threads, the caller's included. */
void parallel_run(uint32_t threads, size_t n_items, void (*body)(void *argument, size_t index),
                  void *argument);

#endif
