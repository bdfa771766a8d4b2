/* random_stream.h - random numbers by seed: the same on every machine, whatever else runs.
 *
 * xoshiro256** of Blackman and Vigna (2018), its state filled by splitmix64 as its authors advise.
 * Belongs to one thread. */
#ifndef RANDOM_STREAM_H
#define RANDOM_STREAM_H

#include <stdint.h>

struct random_stream {
    uint64_t state[4];
};

/* Streams of one seed with different numbers are independent. */
void random_stream_init(struct random_stream *stream, uint64_t seed, uint64_t number);
/* Uniform in [0, 1), all 53 bits. */
double random_stream_uniform(struct random_stream *stream);

#endif
