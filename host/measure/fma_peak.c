/* fma_peak.c - measures the peak rate of fused multiply-adds.
 *
 * Twelve independent accumulators hide the latency (4 cycles, 2 units) with registers to spare. Each
 * x = x * a + b runs towards a fixed point near 1, so no step meets a denormal or an infinity. The
 * instruction set is chosen at run time: the file is compiled for the baseline, each loop for its own
 * target. Threads measure their own rate over the same time; the rates are added. */
#include "fma_peak.h"

#include "clock.h"

#include <pthread.h>
#include <stddef.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define MAX_THREADS    64
#define BURST_NS       (60 * NS_PER_MS)
#define N_BURSTS       5
#define STEPS          20000
#define N_ACCUMULATORS 12

/* Runs STEPS multiply-adds on each accumulator; returns something of them all, so none is dropped. */
typedef float (*fma_loop)(void);

struct fma_kind {
    const char *name;
    fma_loop loop;
    int lanes; /* floats in a vector */
};

struct burst {
    const struct fma_kind *kind;
    double gflops;
};

#define EACH(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)

#if defined(__x86_64__)

#define DECLARE(i) __m512 x##i = _mm512_set1_ps(0.5f + 0.01f * (float)i);
#define STEP(i)    x##i = _mm512_fmadd_ps(x##i, a, b);
#define SUM(i)     total = _mm512_add_ps(total, x##i);
__attribute__((target("avx512f"))) static float loop_avx512(void)
{
    const __m512 a = _mm512_set1_ps(0.875f), b = _mm512_set1_ps(0.125f);
    EACH(DECLARE)
    for (int step = 0; step < STEPS; step++) {
        EACH(STEP)
    }
    __m512 total = _mm512_setzero_ps();
    EACH(SUM)
    return _mm512_reduce_add_ps(total);
}
#undef DECLARE
#undef STEP
#undef SUM

#define DECLARE(i) __m256 x##i = _mm256_set1_ps(0.5f + 0.01f * (float)i);
#define STEP(i)    x##i = _mm256_fmadd_ps(x##i, a, b);
#define SUM(i)     total = _mm256_add_ps(total, x##i);
__attribute__((target("avx2,fma"))) static float loop_avx2(void)
{
    const __m256 a = _mm256_set1_ps(0.875f), b = _mm256_set1_ps(0.125f);
    EACH(DECLARE)
    for (int step = 0; step < STEPS; step++) {
        EACH(STEP)
    }
    __m256 total = _mm256_setzero_ps();
    EACH(SUM)
    float out[8];
    _mm256_storeu_ps(out, total);
    return out[0] + out[7];
}

static struct fma_kind best_kind(void)
{
    if (__builtin_cpu_supports("avx512f"))
        return (struct fma_kind){"AVX-512", loop_avx512, 16};
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return (struct fma_kind){"AVX2", loop_avx2, 8};
    return (struct fma_kind){"none", NULL, 0};
}

#elif defined(__aarch64__)

#define DECLARE(i) float32x4_t x##i = vdupq_n_f32(0.5f + 0.01f * (float)i);
#define STEP(i)    x##i = vfmaq_f32(b, x##i, a);
#define SUM(i)     total = vaddq_f32(total, x##i);
static float loop_neon(void)
{
    const float32x4_t a = vdupq_n_f32(0.875f), b = vdupq_n_f32(0.125f);
    EACH(DECLARE)
    for (int step = 0; step < STEPS; step++) {
        EACH(STEP)
    }
    float32x4_t total = vdupq_n_f32(0);
    EACH(SUM)
    return vaddvq_f32(total);
}

static struct fma_kind best_kind(void)
{
    return (struct fma_kind){"NEON", loop_neon, 4};
}

#else

static struct fma_kind best_kind(void)
{
    return (struct fma_kind){"none", NULL, 0};
}

#endif

static void *run_burst(void *argument)
{
    struct burst *burst = argument;
    volatile float sink = 0;
    int64_t n_calls = 0, elapsed_ns = 0;
    int64_t start_ns = clock_now_ns();

    while (elapsed_ns < BURST_NS) {
        sink = sink + burst->kind->loop();
        n_calls++;
        elapsed_ns = clock_now_ns() - start_ns;
    }
    double flops = 2.0 * burst->kind->lanes * N_ACCUMULATORS * STEPS * (double)n_calls;
    burst->gflops = flops / (double)elapsed_ns;
    return NULL;
}

static double run_bursts(const struct fma_kind *kind, uint32_t n_threads)
{
    struct burst bursts[MAX_THREADS];
    pthread_t threads[MAX_THREADS];
    uint32_t n_started = 1;
    double gflops = 0;

    for (uint32_t i = 0; i < n_threads; i++)
        bursts[i] = (struct burst){kind, 0};
    while (n_started < n_threads &&
           pthread_create(&threads[n_started], NULL, run_burst, &bursts[n_started]) == 0)
        n_started++;
    (void)run_burst(&bursts[0]);
    for (uint32_t i = 1; i < n_started; i++)
        (void)pthread_join(threads[i], NULL);
    for (uint32_t i = 0; i < n_started; i++)
        gflops += bursts[i].gflops;
    return gflops;
}

double fma_peak_gflops(uint32_t n_threads, const char **ret_name)
{
    const struct fma_kind kind = best_kind();
    double best = 0;

    *ret_name = kind.name;
    if (!kind.loop || n_threads < 1 || n_threads > MAX_THREADS)
        return 0;
    for (int i = 0; i < N_BURSTS; i++) {
        double gflops = run_bursts(&kind, n_threads);
        best = gflops > best ? gflops : best;
    }
    return best;
}
