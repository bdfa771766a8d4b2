/* kernel_random.h - the numbers that tests of kernels compute with: the same in each run, and in each file from the start. One
 * thread. */
#ifndef KERNEL_RANDOM_H
#define KERNEL_RANDOM_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* 24 bits. */
static inline uint32_t next_random(void)
{
    static uint32_t state = 1;
    state = state * 1664525u + 1013904223u;
    return state >> 8;
}

/* In [-1, 1). */
static inline float random_float(void)
{
    return (float)next_random() * 0x1p-23f - 1.0f;
}

/* n in [-scale, scale), to be freed. */
static inline float *random_floats(size_t n, float scale)
{
    float *x = malloc((n > 0 ? n : 1) * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = random_float() * scale;
    return x;
}

#endif
