/* vector_kernels_avx512.c - the inner loops for AVX-512; compiled with those flags on x86-64. */
#if defined(__AVX512F__) && defined(__AVX512DQ__)
#define VECTOR_BYTES   64
#define VECTOR_COLUMNS 4
#include "vector_kernels_body.h"

static const struct vector_kernels avx512_kernels = VECTOR_KERNELS("avx512");

const struct vector_kernels *vector_kernels_avx512(void)
{
    bool has = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    return has ? &avx512_kernels : NULL;
}
#else
#include "vector_kernels.h"

const struct vector_kernels *vector_kernels_avx512(void)
{
    return NULL;
}
#endif
