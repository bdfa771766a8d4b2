/* host_metrics.h - a host's metrics, from its options to its end: the registry, what is asked of the host
 * itself when somebody reads, and the pushing of StatsD lines. */
#ifndef HOST_METRICS_H
#define HOST_METRICS_H

#include "metrics.h"
#include "model_names.h"

struct statsd_timer;

struct host_metrics {
    struct metrics *metrics; /* holds a reference */
    struct model_names names;
    struct metric_source source;
    struct statsd_timer *statsd; /* NULL: none */
};

model_status host_metrics_init(struct host_metrics *m, struct model_error *err);
void host_metrics_finish(struct host_metrics *m); /* all zero is fine */

/* MODEL_INVALID_ARGUMENT for a statsd_interval_ms that is none. [any-thread] */
model_status host_metrics_check_interval(int64_t interval_ms, struct model_error *err);
/* Once the scheduler runs. MODEL_INVALID_ARGUMENT: a StatsD address or interval that makes no sense. */
model_status host_metrics_start(struct modelhost *host, const struct modelhost_options *options,
                                struct model_error *err);
/* Before it stops, also when the start failed. The last lines are pushed. */
void host_metrics_stop(struct modelhost *host);

/* Of a package that was not found. */
void host_metrics_load_failed(struct modelhost *host);

#endif
