/* rate_limit.h - a token bucket: so many bytes per second, shared by all who take from it. Time is the
 * caller's, so that it needs no clock. Pure. One thread at a time. */
#ifndef RATE_LIMIT_H
#define RATE_LIMIT_H

#include <stdint.h>

struct rate_limit {
    uint64_t bytes_per_s; /* 0: no limit */
    int64_t credit_bytes; /* below 0: a debt that time pays */
    int64_t filled_ns;    /* when the credit was last counted */
};

/* Starts full: a tenth of a second's bytes may come at once. */
void rate_limit_init(struct rate_limit *limit, uint64_t bytes_per_s, int64_t now_ns);
/* Notes bytes that have come. How long nothing more should come, in milliseconds; 0: go on. */
int64_t rate_limit_take(struct rate_limit *limit, uint64_t size_bytes, int64_t now_ns);
/* The same without taking. */
int64_t rate_limit_wait_ms(struct rate_limit *limit, int64_t now_ns);

#endif
