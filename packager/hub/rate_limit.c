/* rate_limit.c - see rate_limit.h. What has come cannot be sent back, so taking may make a debt; the
 * bucket holds a tenth of a second, so that a pause is not followed by a flood. */
#include "rate_limit.h"
#include "clock.h"

#define BURST_PER_S 10
#define MAX_RATE    (1ull << 40)

static int64_t full(const struct rate_limit *limit)
{
    int64_t burst_bytes = (int64_t)(limit->bytes_per_s / BURST_PER_S);
    return burst_bytes > 0 ? burst_bytes : 1;
}

void rate_limit_init(struct rate_limit *limit, uint64_t bytes_per_s, int64_t now_ns)
{
    *limit = (struct rate_limit){
        .bytes_per_s = bytes_per_s < MAX_RATE ? bytes_per_s : 0, /* no network is that fast */
        .filled_ns = now_ns,
    };
    limit->credit_bytes = full(limit);
}

static void fill(struct rate_limit *limit, int64_t now_ns)
{
    int64_t passed_ns = now_ns - limit->filled_ns;
    if (passed_ns <= 0)
        return;
    double gained = (double)passed_ns * (double)limit->bytes_per_s / (double)NS_PER_S;
    if (gained < 1)
        return; /* time adds up until it is a byte */
    limit->filled_ns = now_ns;
    if (gained >= (double)(full(limit) - limit->credit_bytes))
        limit->credit_bytes = full(limit);
    else
        limit->credit_bytes += (int64_t)gained;
}

int64_t rate_limit_wait_ms(struct rate_limit *limit, int64_t now_ns)
{
    if (limit->bytes_per_s == 0)
        return 0;
    fill(limit, now_ns);
    if (limit->credit_bytes >= 0)
        return 0;
    double debt_ms = (double)-limit->credit_bytes * 1000.0 / (double)limit->bytes_per_s;
    return (int64_t)debt_ms + 1;
}

int64_t rate_limit_take(struct rate_limit *limit, uint64_t size_bytes, int64_t now_ns)
{
    if (limit->bytes_per_s == 0)
        return 0;
    fill(limit, now_ns);
    if (size_bytes < MAX_RATE && limit->credit_bytes > -(int64_t)MAX_RATE)
        limit->credit_bytes -= (int64_t)size_bytes;
    return rate_limit_wait_ms(limit, now_ns);
}
