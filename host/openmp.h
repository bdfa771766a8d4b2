/* openmp.h - OpenMP's library, libgomp, which oneDNN brings: opened, not linked.
 *
 * What it reads from the environment it reads as it is opened, and some can be said there only: how long threads spin
 * at a barrier before they sleep (GOMP_SPINCOUNT). So a program that links the host may still say it when main()
 * begins, as the modelhost command does with OPENMP_SPIN_COUNT. */
#ifndef OPENMP_H
#define OPENMP_H

/* Turns of libgomp's loop at a barrier, 40 to 60 cycles each, before a thread sleeps: 0.1 ms, about what it costs to wake
 * it. Its own 300,000 burn, on processors that others use too, the time that the awaited thread would need. */
#define OPENMP_SPIN_COUNT "8000"

/* Functions of libgomp, by its own names. */
struct openmp {
    void (*parallel)(void (*body)(void *argument), void *argument, unsigned n_threads,
                     unsigned flags); /* as compilers call it for a region */
    int (*thread_num)(void);
    void (*set_num_threads)(int n);
    int (*max_threads)(void);
    void (*set_dynamic)(int is_dynamic);
    int (*dynamic)(void);
};

/* The first call opens it. NULL: there is none, everything runs on the thread that calls. [any-thread] */
const struct openmp *openmp(void);

#endif
