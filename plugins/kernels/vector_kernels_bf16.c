/* vector_kernels_bf16.c - the inner loops for AVX-512 with VNNI and BF16, which multiply bytes and bfloat16; compiled
 * with those flags on x86-64. */
#if defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512VNNI__) &&                    \
    defined(__AVX512BF16__)
#define VECTOR_BYTES   64
#define VECTOR_COLUMNS 4
#include "vector_kernels_body.h"

static const struct vector_kernels bf16_kernels = VECTOR_KERNELS("bf16");

const struct vector_kernels *vector_kernels_bf16(void)
{
    bool has = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bf16");
    return has ? &bf16_kernels : NULL;
}
#else
#include "vector_kernels.h"

const struct vector_kernels *vector_kernels_bf16(void)
{
    return NULL;
}
#endif
