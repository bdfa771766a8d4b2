/* model_metrics.h - what a model counts, and the gauges that it is asked for while it is open.
 *
 * The one place where statuses and times of the host become metrics. Embedded in the model. */
#ifndef MODEL_METRICS_H
#define MODEL_METRICS_H

#include "mapped_files.h"
#include "metrics.h"
#include "model_extensions.h"
#include "weights.h"

struct model_metrics {
    struct metrics *metrics;      /* holds a reference */
    struct metric_series *series; /* "other" until the model has a name */
    struct metric_source source;
    const struct weights *weights;        /* of the open model; NULL: none */
    const struct mapped_files *files;     /* that its plugin reads by itself */
    const struct model_device_plan *plan; /* of its devices; struct_size 0 or NULL: none */
    uint64_t prepared_bytes;
};

void model_metrics_init(struct model_metrics *m, struct metrics *metrics);
/* Behind the last count; all zero is fine, too. */
void model_metrics_finish(struct model_metrics *m);

/* Under which model and backend it counts from here on. */
void model_metrics_name(struct model_metrics *m, const char *model, const char *backend);

/* It is open, and its gauges are shown until model_metrics_closed(). Weights, files and plan must live so long. */
void model_metrics_opened(struct model_metrics *m, const struct weights *weights,
                          const struct mapped_files *files, const struct model_device_plan *plan,
                          uint64_t prepared_bytes, int64_t load_ns);
void model_metrics_closed(struct model_metrics *m);
void model_metrics_load_failed(struct model_metrics *m);

enum metric_outcome model_metrics_outcome(model_status status);

/* The end of a request: how long it waited, and ran on a lane (-1: it did not). [any-thread] */
void model_metrics_request_ended(struct model_metrics *m, model_status status, int64_t queue_ns,
                                 int64_t run_ns);
/* One that was refused before it could wait. [any-thread] */
void model_metrics_request_refused(struct model_metrics *m, model_status status);
/* The plugin came back this long after its request was given up. [any-thread] */
void model_metrics_cancel_ended(struct model_metrics *m, int64_t ns);
/* What a request that generates has read and guessed. [any-thread] */
void model_metrics_generated(struct model_metrics *m, int64_t n_read, int64_t n_cached,
                             int64_t n_proposed, int64_t n_accepted);
/* A lane was replaced while its plugin did not stop, and came back from it. [any-thread] */
void model_metrics_lane_abandoned(struct model_metrics *m);
void model_metrics_lane_returned(struct model_metrics *m);

#endif
