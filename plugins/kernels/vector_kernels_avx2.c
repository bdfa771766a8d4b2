/* vector_kernels_avx2.c - the inner loops for AVX2 and FMA; compiled with those flags on x86-64. */
#if defined(__AVX2__) && defined(__FMA__)
#define VECTOR_BYTES   32
#define VECTOR_COLUMNS 2
#include "vector_kernels_body.h"

static const struct vector_kernels avx2_kernels = VECTOR_KERNELS("avx2");

const struct vector_kernels *vector_kernels_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &avx2_kernels : NULL;
}
#else
#include "vector_kernels.h"

const struct vector_kernels *vector_kernels_avx2(void)
{
    return NULL;
}
#endif
