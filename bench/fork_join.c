/* fork_join.c - what a region of parallel threads costs beyond its work; a part of `make bench` (overhead).
 *
 *   fork_join [THREADS]     default 2
 *
 * The work is a loop in registers that is divided evenly, so that it would take a THREADS-th of its time alone. Between
 * regions the caller works alone, or sleeps: a team spins for a while before it sleeps (OpenMP's barrier), and waking it
 * costs more than waiting for it. The last column is how small a piece of work gains by a team at all. */
#include "openmp.h"
#include "parallel.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS 400

static double now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec * 1e-3;
}

static atomic_uint sink;

/* `n` dependent multiplications and additions. */
static void work(long n)
{
    unsigned value = 1;
    for (long i = 0; i < n; i++)
        value = value * 1664525u + 1013904223u;
    atomic_fetch_add_explicit(&sink, value, memory_order_relaxed);
}

static long steps_per_us(void)
{
    long best = 0;
    for (int i = 0; i < 20; i++) {
        const double start = now_us();
        work(1000000);
        const long rate = (long)(1000000 / (now_us() - start));
        best = rate > best ? rate : best;
    }
    return best > 0 ? best : 1;
}

static void piece(void *argument, size_t index)
{
    (void)index;
    work(*(const long *)argument);
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct pause {
    const char *name;
    long alone_us, sleep_us; /* between two regions */
};

/* The median time of a region beyond its share of the work. */
static double cost_us(uint32_t threads, long work_us, const struct pause *pause, long rate)
{
    static double times[ROUNDS];
    long steps = work_us * rate / threads;
    const struct timespec sleep = {pause->sleep_us / 1000000, pause->sleep_us % 1000000 * 1000};
    const int rounds = pause->sleep_us > 10000 ? ROUNDS / 10 : ROUNDS;
    for (int i = 0; i < rounds; i++) {
        if (pause->sleep_us > 0)
            (void)nanosleep(&sleep, NULL);
        work(pause->alone_us * rate);
        parallel_spread();
        const double start = now_us();
        parallel_run(threads, threads, piece, &steps);
        times[i] = now_us() - start - (double)work_us / threads;
    }
    qsort(times, (size_t)rounds, sizeof *times, by_value);
    return times[rounds / 2];
}

int main(int argc, char **argv)
{
    static const struct pause pauses[] = {{"at once", 0, 0},
                                          {"after 20 us alone", 20, 0},
                                          {"after 500 us alone", 500, 0},
                                          {"after 1 ms of sleep", 0, 1000},
                                          {"after 50 ms of sleep", 0, 50000}};
    const uint32_t threads = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 2;
    if (threads < 2 || threads > 64) {
        (void)fprintf(stderr, "usage: fork_join [THREADS]   2 to 64\n");
        return 2;
    }
    const long rate = steps_per_us();
    (void)setenv("GOMP_SPINCOUNT", OPENMP_SPIN_COUNT, 0); /* as the command has it */
    parallel_adopt_thread(threads);
    (void)printf("a region of %u threads          cost  pays from\n", (unsigned)threads);
    for (size_t i = 0; i < sizeof pauses / sizeof *pauses; i++) {
        const double us = cost_us(threads, 100, &pauses[i], rate);
        /* work w alone takes w, in a region w / threads + us */
        (void)printf("%-22s %10.2f us %7.1f us of work\n", pauses[i].name, us,
                     us * threads / (threads - 1));
    }
    return 0;
}
