/* statsd.h - the metrics as StatsD lines over UDP, pushed again and again.
 *
 *   modelhost.requests.google_bert.cpu.ok:3|c           what was counted since the last push
 *   modelhost.queued_requests:2|g                       gauges as they are
 *   modelhost.request_run_seconds.m.cpu.count:3|c       histograms: how many values came since the last push,
 *   modelhost.request_run_seconds.m.cpu.p50:0.0123|g    and their quantiles (also p99)
 *
 * Parts of names have letters, digits, _ and - only. A packet has at most 1,400 bytes of whole lines. Nothing
 * ever waits: what the socket does not take, or nobody receives, is lost. A metrics has one pusher.
 * One thread at a time. */
#ifndef STATSD_H
#define STATSD_H

#include "metrics.h"
#include "statsd_address.h"

#define STATSD_MAX_PACKET_BYTES 1400

struct statsd;

/* Holds a reference to the metrics. A numeric address is used at once; a name is looked up in the
 * background by `find` (NULL: the system), and again once a minute, since servers move. */
model_status statsd_create(struct metrics *metrics, const struct statsd_address *address,
                           statsd_find *find, struct statsd **ret, struct model_error *err);
/* Sends what has changed, unless the address is not known yet or another thread reads the metrics: then the
 * next push has it. */
void statsd_push(struct statsd *statsd, int64_t now_ns);
void statsd_destroy(struct statsd *statsd); /* NULL does nothing */

#endif
