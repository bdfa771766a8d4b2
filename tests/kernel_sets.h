/* kernel_sets.h - the inner loops in every instruction set that this machine has, for tests of them. */
#ifndef KERNEL_SETS_H
#define KERNEL_SETS_H

#include "vector_kernels.h"

static const struct vector_kernels *sets[5];

/* Fills sets(n); returns n. */
static inline size_t find_sets(void)
{
    const struct vector_kernels *all[] = {vector_kernels_base(), vector_kernels_avx2(),
                                          vector_kernels_avx512(), vector_kernels_vnni(),
                                          vector_kernels_bf16()};
    size_t n = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i] != NULL)
            sets[n++] = all[i];
    return n;
}

#endif
