/* metrics.h - the numbers of a host: counted by whoever does the work, read all at once.
 *
 * A series is a block of atomic numbers, one or a histogram's for each family (metric_families.h): the
 * host's own, and one for each model and backend. Adding is an atomic addition without a lock. A series stays
 * when its model is released, so that counts never go back. Their number is bounded: what comes
 * when METRICS_MAX_SERIES are there counts as model "other".
 *
 * Reference-counted: the host and each model hold one, since models may outlive their host. */
#ifndef METRICS_H
#define METRICS_H

#include "metric_families.h"
#include "modelhost.h"

struct metrics;
struct metric_series;
struct plugin_counters;

#define METRICS_MAX_SERIES 256

model_status metrics_create(struct metrics **ret, struct model_error *err);
void metrics_retain(struct metrics *metrics);
void metrics_drop(struct metrics *metrics); /* NULL does nothing */

/* The series of a model and backend, made when new; never NULL. It lives as long as the metrics.
 * [any-thread] */
struct metric_series *metrics_series(struct metrics *metrics, const char *model,
                                     const char *backend);
/* Where models are counted that have no name yet, or one too many. */
struct metric_series *metrics_other(struct metrics *metrics);
struct metric_series *metrics_host(struct metrics *metrics);
struct plugin_counters *metrics_plugin_counters(struct metric_series *series);

/* `value` is the place of the label's value, 0 without one. A NULL series takes anything. [any-thread] */
void metrics_add(struct metric_series *series, enum metric metric, uint32_t value, int64_t delta);
void metrics_set(struct metric_series *series, enum metric metric, uint32_t value, int64_t number);
void metrics_observe(struct metric_series *series, enum metric histogram, int64_t value);

/* A counter or gauge now; a histogram's quantile in its unit (seconds), NaN when it is empty.
 * [any-thread] */
int64_t metrics_number(const struct metric_series *series, enum metric metric, uint32_t value);
double metrics_quantile(const struct metric_series *series, enum metric histogram, double q);

/* Something that knows numbers which are only read when somebody asks: an open model, the scheduler.
 * read() adds to the series' families that are is_read, with metrics_add(). */
struct metric_source {
    struct metric_source *next;
    struct metric_series *series;
    void (*read)(void *context, struct metric_series *series); /* short; must not use the metrics */
    void *context;
};
void metrics_attach(struct metrics *metrics, struct metric_source *source);
/* read() does not run any more when this returns. One that was never attached is fine. */
void metrics_detach(struct metrics *metrics, struct metric_source *source);

/* What is read: the numbers of one family, series and label value, at one moment. */
struct metric_sample {
    const struct metric_family *family;
    const char *model, *backend; /* NULL: the host's */
    const char *value;           /* of family->label; NULL: it has none */
    const char *second_value;    /* of family->second_label, the same */
    const uint64_t *numbers;     /* (metric_width(family)): a number, or buckets and sum */
    uint64_t *pushed; /* (the same), the reader's own; 0 at first. One reader alone uses it. */
    bool is_first;    /* of its family */
};

enum metrics_wait { METRICS_WAIT, METRICS_TRY };

/* Hands all samples over, family by family, ordered by model and backend; gauges of models only while such a
 * model is open. Ends at the first status that is none of MODEL_OK, and returns it. METRICS_TRY: MODEL_BUSY
 * when another thread reads. [any-thread] */
model_status metrics_visit(struct metrics *metrics, enum metrics_wait wait,
                           model_status (*visit)(void *context, const struct metric_sample *sample),
                           void *context);

#endif
