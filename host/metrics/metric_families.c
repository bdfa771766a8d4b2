/* metric_families.c - see metric_families.h. Names follow Prometheus' conventions: base units, "_total"
 * behind what only grows. */
#include "metric_families.h"
#include "device_plan.h"
#include "modelhost.h"

#define N(array_) (sizeof(array_) / sizeof *(array_))

static const char *const versions[] = {MODELHOST_VERSION};
static const char *const loads[] = {"ok", "error"};
static const char *const outcomes[] = {"ok",       "error",   "timeout", "cancelled",
                                       "rejected", "invalid", "crashed"};
static const char *const reasons[] = {"breaker", "load", "loading", "demotion"};
static const char *const states[] = {"closed", "half_open", "open"};
static const char *const packed[] = {"kept", "made"};
static const char *const prompts[] = {"read", "cached"};
static const char *const proposals[] = {"accepted", "rejected"};
static const char *const model_lookups[] = {"hit", "miss", "shared"};
static const char *const result_lookups[] = {"hit", "shared_hit", "miss"};

#define HOST_GAUGE(name_, help_)                                                                   \
    {                                                                                              \
        .name = name_, .help = help_, .type = METRIC_GAUGE, .scope = METRIC_OF_HOST,               \
        .n_values = 1, .is_read = true                                                             \
    }
#define HOST_COUNTER(name_, help_)                                                                 \
    {                                                                                              \
        .name = name_, .help = help_, .type = METRIC_COUNTER, .scope = METRIC_OF_HOST,             \
        .n_values = 1, .is_read = true                                                             \
    }
#define HOST_COUNTERS(name_, help_, label_, values_)                                               \
    {                                                                                              \
        .name = name_, .help = help_, .type = METRIC_COUNTER, .scope = METRIC_OF_HOST,             \
        .label = label_, .values = values_, .n_values = N(values_), .is_read = true                \
    }
#define GAUGE(name_, help_, is_read_)                                                              \
    {                                                                                              \
        .name = name_, .help = help_, .type = METRIC_GAUGE, .scope = METRIC_OF_MODEL,              \
        .n_values = 1, .is_read = is_read_                                                         \
    }
#define COUNTER(name_, help_)                                                                      \
    {                                                                                              \
        .name = name_, .help = help_, .type = METRIC_COUNTER, .scope = METRIC_OF_MODEL,            \
        .n_values = 1                                                                              \
    }
#define COUNTERS(name_, help_, label_, values_)                                                    \
    {                                                                                              \
        .name = name_, .help = help_, .type = METRIC_COUNTER, .scope = METRIC_OF_MODEL,            \
        .label = label_, .values = values_, .n_values = N(values_)                                 \
    }
#define HISTOGRAM(name_, help_, bounds_)                                                           \
    {                                                                                              \
        .name = name_, .help = help_, .type = METRIC_HISTOGRAM, .scope = METRIC_OF_MODEL,          \
        .n_values = 1, .bounds = bounds_                                                           \
    }

const struct metric_family metric_families[N_METRICS] = {
    [METRIC_BUILD] = {.name = "modelhost_build_info",
                      .help = "Always 1; the version is a label.",
                      .type = METRIC_GAUGE,
                      .scope = METRIC_OF_HOST,
                      .label = "version",
                      .values = versions,
                      .n_values = N(versions)},
    [METRIC_LANES] = HOST_GAUGE("modelhost_lanes", "Threads that run requests."),
    [METRIC_LANES_BUSY] = HOST_GAUGE("modelhost_lanes_busy", "Lanes that run a request now."),
    [METRIC_QUEUED] = HOST_GAUGE("modelhost_queued_requests", "Requests that wait for a lane."),
    [METRIC_PROCESS_RESIDENT] = HOST_GAUGE("modelhost_process_resident_bytes",
                                           "Memory of the host's process that is in use."),
    [METRIC_MODEL_CACHE_LOOKUPS] = HOST_COUNTERS(
        "modelhost_model_cache_lookups_total",
        "Models asked for; shared: while another caller was loading it.", "outcome", model_lookups),
    [METRIC_MODEL_CACHE_EVICTIONS] = HOST_COUNTER("modelhost_model_cache_evictions_total",
                                                  "Models freed to keep the cache's bounds."),
    [METRIC_RESULT_CACHE_LOOKUPS] = HOST_COUNTERS(
        "modelhost_result_cache_lookups_total",
        "Results looked for; shared_hit: another host had computed it.", "outcome", result_lookups),
    [METRIC_RESULT_CACHE_EVICTIONS] = HOST_COUNTER("modelhost_result_cache_evictions_total",
                                                   "Results dropped to make room for others."),
    [METRIC_RESULT_CACHE_FAILURES] =
        HOST_COUNTER("modelhost_result_cache_failures_total",
                     "Questions that the shared server did not answer."),
    [METRIC_LOADED] = GAUGE("modelhost_models_loaded", "Models that are open.", true),
    [METRIC_MODEL_INFO] = {.name = "modelhost_model_info",
                           .help = "Always 1, of open models that a framework may compute; which "
                                   "devices were asked for and are planned are labels.",
                           .type = METRIC_GAUGE,
                           .scope = METRIC_OF_MODEL,
                           .label = "requested_units",
                           .values = device_plan_requested,
                           .n_values = DEVICE_PLAN_REQUESTED * DEVICE_PLAN_PLANNED,
                           .second_label = "planned_units",
                           .second_values = device_plan_planned,
                           .n_second = DEVICE_PLAN_PLANNED,
                           .is_info = true,
                           .is_read = true},
    [METRIC_LOADS] =
        COUNTERS("modelhost_loads_total", "Models opened, by how it ended.", "outcome", loads),
    [METRIC_LOAD_SECONDS] = HISTOGRAM(
        "modelhost_load_seconds", "Time to open a model, when it succeeded.", &histogram_seconds),
    [METRIC_REQUESTS] =
        COUNTERS("modelhost_requests_total", "Requests, by how they ended.", "outcome", outcomes),
    [METRIC_QUEUE_SECONDS] =
        HISTOGRAM("modelhost_request_queue_seconds",
                  "Time from a call until a lane took it, or it was given up.", &histogram_seconds),
    [METRIC_RUN_SECONDS] =
        HISTOGRAM("modelhost_request_run_seconds",
                  "Time from when a lane took a request to its answer.", &histogram_seconds),
    [METRIC_CANCEL_SECONDS] =
        HISTOGRAM("modelhost_cancel_seconds",
                  "Time from when a running request was given up until the plugin stopped.",
                  &histogram_seconds),
    [METRIC_BATCH_SIZE] =
        HISTOGRAM("modelhost_batch_size", "Requests that ran together in one call of the plugin.",
                  &histogram_sizes),
    [METRIC_FALLBACKS] =
        COUNTERS("modelhost_fallbacks_total",
                 "Requests for this backend that another one of the package served, by why.",
                 "reason", reasons),
    [METRIC_BREAKER_STATE] = GAUGE("modelhost_breaker_state",
                                   "The circuit breaker: 0 closed, 1 half open, 2 open.", false),
    [METRIC_BREAKER_CHANGES] =
        COUNTERS("modelhost_breaker_changes_total",
                 "Changes of the circuit breaker, by its new state.", "state", states),
    [METRIC_DEMOTIONS] = COUNTER("modelhost_backend_demotions_total",
                                 "Times that the backend went behind the package's others."),
    [METRIC_ACCELERATOR_STARTS] = COUNTERS(
        "modelhost_accelerator_starts_total",
        "Times that the backend was opened while another one served; error: that one goes on.",
        "outcome", loads),
    [METRIC_WORKER_RESTARTS] = COUNTER("modelhost_worker_restarts_total",
                                       "Worker processes started in place of one that ended."),
    [METRIC_WORKERS_READY] =
        GAUGE("modelhost_workers_ready", "Worker processes that have the model open.", false),
    [METRIC_LANES_ABANDONED] =
        COUNTER("modelhost_lanes_abandoned_total", "Lanes replaced because a plugin did not stop."),
    [METRIC_ABANDONED_LANES] = GAUGE("modelhost_abandoned_lanes",
                                     "Lanes that were replaced and are still in a plugin.", false),
    [METRIC_MAPPED] =
        GAUGE("modelhost_model_mapped_bytes", "Size of the mapped weights files.", true),
    [METRIC_RESIDENT] =
        GAUGE("modelhost_model_resident_bytes",
              "Part of the mapped weights files that is in memory (sampled).", true),
    [METRIC_PREPARED] = GAUGE("modelhost_model_prepared_bytes",
                              "Memory of prepared weights beside the mapped files.", true),
    [METRIC_PACKED] = COUNTERS(
        "modelhost_packed_weights_total",
        "Prepared weights that models in this process asked for; kept: found in the store.",
        "source", packed),
    [METRIC_PROMPT_TOKENS] = COUNTERS(
        "modelhost_prompt_tokens_total",
        "Tokens of prompts to be continued; cached: a slot had read them for an earlier request.",
        "source", prompts),
    [METRIC_PROPOSED_TOKENS] = COUNTERS(
        "modelhost_proposed_tokens_total",
        "Tokens that speculative decoding proposed, by what became of them.", "outcome", proposals),
    [METRIC_PLUGIN_EVENTS] = {.name = "modelhost_plugin_events_total",
                              .help = "What the plugin counts, by its own names.",
                              .type = METRIC_COUNTER,
                              .scope = METRIC_OF_MODEL,
                              .label = "name"},
};

uint32_t metric_width(const struct metric_family *family)
{
    return family->type == METRIC_HISTOGRAM ? family->bounds->n_bounds + 2 : 1;
}
