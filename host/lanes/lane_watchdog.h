/* lane_watchdog.h - whether a plugin takes so long that somebody should look: the rule, on a given clock.
 *
 * A plugin may estimate how long one item takes. A call that shows no progress (no new run(), nothing
 * emitted) for ten times that, a second at least and an hour at most, is late. Without an estimate, or with one
 * that is none, a call is late after a minute. */
#ifndef LANE_WATCHDOG_H
#define LANE_WATCHDOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The last sign of life of a call; written by its lane, read by the loop. */
struct lane_progress {
    _Atomic int64_t at_ns; /* 0: not begun */
    _Atomic int64_t n_items;
};

/* A sign of life, of a run() over n_items (0: as many as before). */
void lane_progress_mark(struct lane_progress *progress, int64_t n_items, int64_t now_ns);

/* When the call will be late; INT64_MAX: it has not begun. estimated_run_ns is the model's for one item, hostile;
 * 0 and less: unknown. */
int64_t lane_watchdog_due_ns(const struct lane_progress *progress, int64_t estimated_run_ns);
/* When the call has kept its lane for so long that other models should not wait for it any more: when it is late, or
 * before that, after five seconds without a sign. INT64_MAX: it has not begun. */
int64_t lane_watchdog_relief_ns(const struct lane_progress *progress, int64_t estimated_run_ns);

#endif
