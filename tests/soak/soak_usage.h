/* soak_usage.h - what this process holds of the system, sampled over time, and whether that is flat.
 *
 * Read from /proc; elsewhere everything is 0 and so flat. One thread at a time. */
#ifndef SOAK_USAGE_H
#define SOAK_USAGE_H

#include <stdbool.h>
#include <stddef.h>

enum soak_quantity {
    USAGE_RESIDENT_KB,
    USAGE_DESCRIPTORS,
    USAGE_THREADS,
    USAGE_CHILDREN,
    USAGE_ZOMBIES,
    USAGE_SHARED_MEMORIES, /* mapped memfds of workers */
    N_USAGES
};

struct soak_usage {
    double values[N_USAGES];
};

/* What a sanitizer keeps back says nothing of what a program holds. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SOAK_MEMORY_COUNTS false
#else
#define SOAK_MEMORY_COUNTS true
#endif

#define SOAK_MAX_SAMPLES 1024

/* Starts empty; when it is full every other sample goes, so that a run may last as long as it likes. */
struct soak_series {
    double at_s[SOAK_MAX_SAMPLES];
    struct soak_usage samples[SOAK_MAX_SAMPLES];
    size_t n, stride, n_offered;
};

struct soak_usage soak_usage_now(void);
void soak_series_add(struct soak_series *series, double at_s, const struct soak_usage *usage);

/* Prints a line for each quantity: its mean and what it grows by over the second half (the slope of least
 * squares times the time); false: one of them grows by more than its bound. */
bool soak_series_is_flat(const struct soak_series *series);

/* Prints what differs between two quiet moments; false: something is held that was not before, or a child is
 * there. Memory is not compared. */
bool soak_usage_is_back(const struct soak_usage *before, const struct soak_usage *after);

void soak_usage_print(double at_s, const struct soak_usage *usage);

#endif
