/* random_stream.c - see random_stream.h. */
#include "random_stream.h"

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t rotate(uint64_t x, int n)
{
    return x << n | x >> (64 - n);
}

void random_stream_init(struct random_stream *stream, uint64_t seed, uint64_t number)
{
    uint64_t state = number;
    state = seed ^ splitmix64(&state);
    for (int i = 0; i < 4; i++)
        stream->state[i] = splitmix64(&state);
}

double random_stream_uniform(struct random_stream *stream)
{
    uint64_t *s = stream->state;
    const uint64_t result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return (double)(result >> 11) * 0x1p-53;
}
