/* retry_gate.h - whether to ask again what has just failed: after each failure in a row it waits twice as
 * long. Plain data; the caller brings the time. */
#ifndef RETRY_GATE_H
#define RETRY_GATE_H

#include <stdbool.h>
#include <stdint.h>

struct retry_gate {
    int64_t first_wait_ns, last_wait_ns; /* the shortest and the longest */
    int64_t wait_ns;                     /* 0: the last try succeeded */
    int64_t closed_until_ns;
};

#define RETRY_GATE_INIT(first_, last_)                                                             \
    {                                                                                              \
        .first_wait_ns = (first_), .last_wait_ns = (last_)                                         \
    }

bool retry_gate_is_open(const struct retry_gate *gate, int64_t now_ns);
void retry_gate_failed(struct retry_gate *gate, int64_t now_ns);
void retry_gate_succeeded(struct retry_gate *gate);

#endif
