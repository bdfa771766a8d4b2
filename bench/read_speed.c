/* read_speed.c - measures how fast a buffer is read.
 *
 * The loop sums vectors of 64 bytes in eight independent accumulators, in four streams a quarter of the buffer
 * apart, which is how the widest products read their weights. Threads read disjoint shares of one buffer at
 * the same time; their rates are added. GCC and clang turn the vector type into whatever the processor has. */
#include "read_speed.h"

#include "clock.h"

#include <pthread.h>
#include <stdlib.h>

#define MAX_THREADS 64
#define BURST_NS    (60 * NS_PER_MS)
#define N_BURSTS    5
#define VECTOR      64 /* bytes */
#define STREAMS     4

typedef uint64_t vector __attribute__((vector_size(VECTOR)));

struct share {
    const vector *data; /* (n) */
    size_t n;
    double gbs;
};

#if defined(__x86_64__)
__attribute__((target_clones("avx512f", "avx2", "default")))
#endif
static uint64_t
read_all(const vector *data, size_t n)
{
    const size_t quarter = n / STREAMS / 2 * 2;
    vector sums[2 * STREAMS] = {{0}};
    for (size_t i = 0; i < quarter; i += 2) {
        for (size_t k = 0; k < STREAMS; k++) {
            sums[2 * k] += data[k * quarter + i];
            sums[2 * k + 1] += data[k * quarter + i + 1];
        }
    }
    for (size_t k = 1; k < 2 * STREAMS; k++)
        sums[0] += sums[k];
    return sums[0][0] + sums[0][1] + sums[0][2] + sums[0][3] + sums[0][4] + sums[0][5] +
           sums[0][6] + sums[0][7];
}

static void *run_burst(void *argument)
{
    struct share *share = argument;
    volatile uint64_t sink = 0;
    int64_t n_calls = 0, elapsed_ns = 0;
    const int64_t start_ns = clock_now_ns();

    while (elapsed_ns < BURST_NS) {
        sink = sink + read_all(share->data, share->n);
        n_calls++;
        elapsed_ns = clock_now_ns() - start_ns;
    }
    share->gbs = (double)(share->n * VECTOR) * (double)n_calls / (double)elapsed_ns;
    return NULL;
}

static double run_bursts(const vector *data, size_t n, uint32_t n_threads)
{
    struct share shares[MAX_THREADS];
    pthread_t threads[MAX_THREADS];
    uint32_t n_started = 1;
    double gbs = 0;

    for (uint32_t i = 0; i < n_threads; i++)
        shares[i] = (struct share){data + i * (n / n_threads), n / n_threads, 0};
    while (n_started < n_threads &&
           pthread_create(&threads[n_started], NULL, run_burst, &shares[n_started]) == 0)
        n_started++;
    (void)run_burst(&shares[0]);
    for (uint32_t i = 1; i < n_started; i++)
        (void)pthread_join(threads[i], NULL);
    for (uint32_t i = 0; i < n_started; i++)
        gbs += shares[i].gbs;
    return gbs;
}

double read_speed_gbs(uint32_t n_threads, size_t size_bytes)
{
    const size_t n = size_bytes / VECTOR;
    if (n_threads < 1 || n_threads > MAX_THREADS || n / n_threads < 2 * STREAMS)
        return 0;
    vector *data = aligned_alloc(VECTOR, n * VECTOR);
    if (!data)
        return 0;
    for (size_t i = 0; i < n; i++) /* a page that nobody wrote is the page of zeros */
        data[i] = (vector){i, 1};
    double best = 0;
    for (int i = 0; i < N_BURSTS; i++) {
        const double gbs = run_bursts(data, n, n_threads);
        best = gbs > best ? gbs : best;
    }
    free(data);
    return best;
}
