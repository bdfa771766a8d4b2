/* stall_timer.c - see stall_timer.h. The rate is that of pieces of time, not of the whole: a transfer that was
 * fast and stands still has stalled, whatever its mean. */
#include "stall_timer.h"
#include "clock.h"

#define PIECE_NS          NS_PER_S
#define PIECES_IN_TIMEOUT 4 /* at least, of a short one */

void stall_timer_excuse(struct stall_timer *timer, int64_t now_ns)
{
    timer->good_ns = timer->piece_ns = now_ns;
    timer->piece_bytes = 0;
}

void stall_timer_start(struct stall_timer *timer, int64_t timeout_ms, uint64_t least_bytes_per_s,
                       int64_t now_ns)
{
    *timer = (struct stall_timer){.timeout_ns = timeout_ms * NS_PER_MS,
                                  .least_bytes_per_s = least_bytes_per_s};
    stall_timer_excuse(timer, now_ns);
}

void stall_timer_note(struct stall_timer *timer, size_t size_bytes)
{
    timer->piece_bytes += size_bytes;
}

bool stall_timer_is_over(struct stall_timer *timer, int64_t now_ns)
{
    const int64_t share_ns = timer->timeout_ns / PIECES_IN_TIMEOUT;
    const int64_t piece_ns = share_ns < PIECE_NS ? share_ns : PIECE_NS;
    const int64_t passed_ns = now_ns - timer->piece_ns;
    if (passed_ns >= piece_ns) {
        const double least_bytes =
            (double)timer->least_bytes_per_s * (double)passed_ns / (double)NS_PER_S;
        if (timer->piece_bytes > 0 && (double)timer->piece_bytes >= least_bytes)
            timer->good_ns = now_ns;
        timer->piece_ns = now_ns;
        timer->piece_bytes = 0;
    }
    return now_ns - timer->good_ns >= timer->timeout_ns;
}
