/* vector_kernels_base.c - the inner loops in 16-byte vectors (SSE2, NEON), and the choice of a set. */
#define VECTOR_BYTES   16
#define VECTOR_COLUMNS 2
#include "vector_kernels_body.h"

static const struct vector_kernels base_kernels = VECTOR_KERNELS("base");

const struct vector_kernels *vector_kernels_base(void)
{
    return &base_kernels;
}

const struct vector_kernels *vector_kernels_best(void)
{
    const struct vector_kernels *const sets[] = {vector_kernels_bf16(), vector_kernels_vnni(),
                                                 vector_kernels_avx512(), vector_kernels_avx2()};
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        if (sets[i] != NULL)
            return sets[i];
    return &base_kernels;
}
