/* vector_kernels_vnni.c - the inner loops for AVX-512 with VNNI, which multiplies bytes; compiled with those flags on
 * x86-64. */
#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512VNNI__)
#define VECTOR_BYTES   64
#define VECTOR_COLUMNS 4
#include "vector_kernels_body.h"

static const struct vector_kernels vnni_kernels = VECTOR_KERNELS("vnni");

const struct vector_kernels *vector_kernels_vnni(void)
{
    bool has = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512vnni");
    return has ? &vnni_kernels : NULL;
}
#else
#include "vector_kernels.h"

const struct vector_kernels *vector_kernels_vnni(void)
{
    return NULL;
}
#endif
