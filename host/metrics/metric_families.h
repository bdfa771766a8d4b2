/* metric_families.h - what the host measures: one table of families, each with its name, meaning, type and
 * labels. docs/metrics.md says the same at length.
 *
 * A family of the host has one series; one of a model has a series for each model and backend, and both as
 * labels. A family may have a further label, whose values are fixed. Immutable. [any-thread] */
#ifndef METRIC_FAMILIES_H
#define METRIC_FAMILIES_H

#include "histogram.h"

#include <stdbool.h>

enum metric {
    METRIC_BUILD,
    METRIC_LANES,
    METRIC_LANES_BUSY,
    METRIC_QUEUED,
    METRIC_PROCESS_RESIDENT,
    METRIC_MODEL_CACHE_LOOKUPS,
    METRIC_MODEL_CACHE_EVICTIONS,
    METRIC_RESULT_CACHE_LOOKUPS,
    METRIC_RESULT_CACHE_EVICTIONS,
    METRIC_RESULT_CACHE_FAILURES,
    METRIC_LOADED,
    METRIC_MODEL_INFO,
    METRIC_LOADS,
    METRIC_LOAD_SECONDS,
    METRIC_REQUESTS,
    METRIC_QUEUE_SECONDS,
    METRIC_RUN_SECONDS,
    METRIC_CANCEL_SECONDS,
    METRIC_BATCH_SIZE,
    METRIC_FALLBACKS,
    METRIC_BREAKER_STATE,
    METRIC_BREAKER_CHANGES,
    METRIC_DEMOTIONS,
    METRIC_ACCELERATOR_STARTS,
    METRIC_WORKER_RESTARTS,
    METRIC_WORKERS_READY,
    METRIC_LANES_ABANDONED,
    METRIC_ABANDONED_LANES,
    METRIC_MAPPED,
    METRIC_RESIDENT,
    METRIC_PREPARED,
    METRIC_PACKED,
    METRIC_PROMPT_TOKENS,
    METRIC_PROPOSED_TOKENS,
    METRIC_PLUGIN_EVENTS, /* its label's values are the names that a plugin counts by */
    N_METRICS
};

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
enum metric_scope { METRIC_OF_HOST, METRIC_OF_MODEL };

struct metric_family {
    const char *name; /* Prometheus' */
    const char *help;
    enum metric_type type;
    enum metric_scope scope;
    const char *label;                /* NULL: none further */
    const char *const *values;        /* (n_values), without a second label */
    uint32_t n_values;                /* 1 without a label; of two labels the pairs */
    const char *second_label;         /* NULL: none; its value changes first from pair to pair */
    const char *const *second_values; /* (n_second) */
    uint32_t n_second;
    bool is_info;                          /* only what is not 0 is shown */
    bool is_read;                          /* a gauge: what the sources add up to when it is read */
    const struct histogram_bounds *bounds; /* of a histogram */
};

extern const struct metric_family metric_families[N_METRICS];

/* Values of the label of ... */
enum metric_load { LOAD_OK, LOAD_ERROR }; /* METRIC_LOADS, METRIC_ACCELERATOR_STARTS */
enum metric_outcome {                     /* METRIC_REQUESTS */
                      OUTCOME_OK,
                      OUTCOME_ERROR,
                      OUTCOME_TIMEOUT,
                      OUTCOME_CANCELLED,
                      OUTCOME_REJECTED, /* no room for it */
                      OUTCOME_INVALID,  /* the caller is at fault */
                      OUTCOME_CRASHED
};
enum metric_fallback { /* METRIC_FALLBACKS */
                       FALLBACK_BREAKER,
                       FALLBACK_LOAD,
                       FALLBACK_LOADING,
                       FALLBACK_DEMOTION
};
enum metric_breaker {
    STATE_CLOSED,
    STATE_HALF_OPEN,
    STATE_OPEN
}; /* METRIC_BREAKER_CHANGES; the value
                                                                       of METRIC_BREAKER_STATE */
enum metric_model_cache { MODEL_CACHE_HIT, MODEL_CACHE_MISS, MODEL_CACHE_SHARED };
/* METRIC_MODEL_CACHE_LOOKUPS; shared: another caller's load was waited for */
enum metric_result_cache { RESULT_CACHE_HIT, RESULT_CACHE_SHARED_HIT, RESULT_CACHE_MISS };
/* METRIC_RESULT_CACHE_LOOKUPS; shared: by Redis */

enum metric_packed { PACKED_KEPT, PACKED_MADE }; /* METRIC_PACKED */

enum metric_prompt { PROMPT_READ, PROMPT_CACHED };             /* METRIC_PROMPT_TOKENS */
enum metric_proposed { PROPOSED_ACCEPTED, PROPOSED_REJECTED }; /* METRIC_PROPOSED_TOKENS */

/* How many numbers a series of the family takes for one value of its label: 1, or a histogram's buckets
 * and the sum. */
uint32_t metric_width(const struct metric_family *family);
#define METRIC_MAX_WIDTH (HISTOGRAM_MAX_BOUNDS + 2)

#endif
