/* log_limit.c - see log_limit.h. Each line moves the moment at which the bucket is full again by one line's
 * time; the bucket is empty when that moment is a whole burst away (the generic cell rate algorithm of
 * ITU-T I.371). */
#include "log_limit.h"

#define LINE_NS  (INT64_C(1000000000) / LOG_LIMIT_RATE)
#define BURST_NS (LINE_NS * LOG_LIMIT_BURST)

bool log_limit_admit(struct log_limit *limit, int64_t now_ns)
{
    const int64_t from_ns = limit->free_ns > now_ns ? limit->free_ns : now_ns;
    if (from_ns + LINE_NS - now_ns > BURST_NS) {
        if (limit->n_omitted++ == 0)
            limit->said_ns = now_ns + LOG_LIMIT_SAY_NS;
        return false;
    }
    limit->free_ns = from_ns + LINE_NS;
    return true;
}

uint64_t log_limit_take_omitted(struct log_limit *limit, int64_t now_ns, bool force)
{
    const uint64_t n = limit->n_omitted;
    if (n == 0 || (!force && now_ns < limit->said_ns))
        return 0;
    limit->n_omitted = 0;
    return n;
}

int64_t log_limit_due_ns(const struct log_limit *limit)
{
    return limit->n_omitted > 0 ? limit->said_ns : INT64_MAX;
}
