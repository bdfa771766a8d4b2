/* read_speed.h - how fast this machine reads memory, for the limit of work that is bound by it. */
#ifndef READ_SPEED_H
#define READ_SPEED_H

#include <stddef.h>
#include <stdint.h>

/* Each of n_threads (1 to 64) reads its share of size_bytes again and again; the best of a few rounds in GB/s
 * over all threads. A size that fits a cache gives the speed of that cache. 0 where there is no memory for
 * it. Takes about 0.3 s. */
double read_speed_gbs(uint32_t n_threads, size_t size_bytes);

#endif
