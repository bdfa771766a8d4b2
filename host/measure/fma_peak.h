/* fma_peak.h - what the processor can do at most, for the share-of-peak column. */
#ifndef FMA_PEAK_H
#define FMA_PEAK_H

#include <stdint.h>

/* The fastest of a few short bursts of fused multiply-adds on f32, in GFLOP/s over `n_threads`
 * threads (1 to 64); the widest vectors that the processor has. 0 where no loop is written for it.
 * ret_name: "AVX-512", "AVX2", "NEON" or "none". Takes about 0.3 s. */
double fma_peak_gflops(uint32_t n_threads, const char **ret_name);

#endif
