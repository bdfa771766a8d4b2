/* stall_timer.h - whether something still comes: an exchange has stalled when no piece of time brought bytes at
 * the least rate for as long as its timeout. Time is the caller's, so that it needs no clock. Pure. One
 * thread at a time. */
#ifndef STALL_TIMER_H
#define STALL_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stall_timer {
    int64_t timeout_ns;
    uint64_t least_bytes_per_s;
    int64_t good_ns;  /* until then enough came */
    int64_t piece_ns; /* where the piece of time under way began */
    uint64_t piece_bytes;
};

void stall_timer_start(struct stall_timer *timer, int64_t timeout_ms, uint64_t least_bytes_per_s,
                       int64_t now_ns);
/* Notes bytes that have come. */
void stall_timer_note(struct stall_timer *timer, size_t size_bytes);
/* Begins anew: the exchange rested because we wanted it to. */
void stall_timer_excuse(struct stall_timer *timer, int64_t now_ns);
/* To be asked again and again, several times within the timeout. */
bool stall_timer_is_over(struct stall_timer *timer, int64_t now_ns);

#endif
