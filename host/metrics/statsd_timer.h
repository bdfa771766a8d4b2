/* statsd_timer.h - pushes StatsD lines at an interval, on the host's loop. */
#ifndef STATSD_TIMER_H
#define STATSD_TIMER_H

#include "scheduler.h"
#include "statsd.h"

struct statsd_timer;

/* Takes the client over on success. The scheduler must outlive the timer. Not on the loop. */
model_status statsd_timer_start(struct scheduler *scheduler, struct statsd *statsd,
                                int64_t interval_ms, struct statsd_timer **ret,
                                struct model_error *err);
/* Pushes what came since the last time, and ends. NULL does nothing. Not on the loop. */
void statsd_timer_stop(struct statsd_timer *timer);

#endif
