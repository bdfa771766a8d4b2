/* host_metrics.c - see host_metrics.h. */
#include "errors.h"
#include "host.h"
#include "memory_usage.h"
#include "result_cache.h"
#include "statsd_timer.h"

#define STATSD_INTERVAL_MS     10000
#define STATSD_MIN_INTERVAL_MS 10
#define STATSD_MAX_INTERVAL_MS 86400000

model_status host_metrics_init(struct host_metrics *m, struct model_error *err)
{
    model_status status = model_names_init(&m->names, err);
    if (status != MODEL_OK)
        return status;
    status = metrics_create(&m->metrics, err);
    if (status != MODEL_OK)
        model_names_finish(&m->names);
    return status;
}

void host_metrics_finish(struct host_metrics *m)
{
    if (m->metrics == NULL)
        return;
    model_names_finish(&m->names);
    metrics_drop(m->metrics);
    m->metrics = NULL;
}

static void read_results(struct result_cache *results, struct metric_series *series)
{
    if (results == NULL)
        return;
    const struct result_cache_counts counts = result_cache_count(results);
    const struct {
        enum metric metric;
        uint32_t value;
        uint64_t number;
    } rows[] = {
        {METRIC_RESULT_CACHE_LOOKUPS, RESULT_CACHE_HIT, counts.hits},
        {METRIC_RESULT_CACHE_LOOKUPS, RESULT_CACHE_SHARED_HIT, counts.shared_hits},
        {METRIC_RESULT_CACHE_LOOKUPS, RESULT_CACHE_MISS, counts.misses},
        {METRIC_RESULT_CACHE_EVICTIONS, 0, counts.evictions},
        {METRIC_RESULT_CACHE_FAILURES, 0, counts.shared_failures},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        metrics_add(series, rows[i].metric, rows[i].value, (int64_t)rows[i].number);
}

static void read_models(struct model_cache *cache, struct metric_series *series)
{
    if (cache == NULL)
        return;
    const struct model_cache_counters counters = model_cache_counters(cache);
    metrics_add(series, METRIC_MODEL_CACHE_LOOKUPS, MODEL_CACHE_HIT, (int64_t)counters.hits);
    metrics_add(series, METRIC_MODEL_CACHE_LOOKUPS, MODEL_CACHE_MISS, (int64_t)counters.misses);
    metrics_add(series, METRIC_MODEL_CACHE_LOOKUPS, MODEL_CACHE_SHARED,
                (int64_t)counters.shared_loads);
    metrics_add(series, METRIC_MODEL_CACHE_EVICTIONS, 0, (int64_t)counters.evictions);
}

static void read_host(void *context, struct metric_series *series)
{
    const struct modelhost *host = context;
    uint32_t n_queued = 0, n_running = 0;
    scheduler_count(host->scheduler, &n_queued, &n_running);
    metrics_add(series, METRIC_LANES, 0, host->lanes);
    metrics_add(series, METRIC_LANES_BUSY, 0, n_running);
    metrics_add(series, METRIC_QUEUED, 0, n_queued);
    metrics_add(series, METRIC_PROCESS_RESIDENT, 0, (int64_t)memory_usage_process());
    read_results(host->results, series);
    read_models(host->cache, series);
}

model_status host_metrics_check_interval(int64_t interval_ms, struct model_error *err)
{
    if (interval_ms == 0 ||
        (interval_ms >= STATSD_MIN_INTERVAL_MS && interval_ms <= STATSD_MAX_INTERVAL_MS))
        return MODEL_OK;
    return error_set(
        err, MODEL_INVALID_ARGUMENT, "statsd_interval_ms is %lld, want %d to %d, or 0 for %d",
        (long long)interval_ms, STATSD_MIN_INTERVAL_MS, STATSD_MAX_INTERVAL_MS, STATSD_INTERVAL_MS);
}

static model_status start_statsd(struct modelhost *host, const char *address_text,
                                 int64_t interval_ms, struct model_error *err)
{
    struct statsd_address address;
    struct statsd *statsd = NULL;
    model_status status = host_metrics_check_interval(interval_ms, err);
    if (status == MODEL_OK)
        status = statsd_address_parse(address_text, &address, err);
    if (status == MODEL_OK)
        status = statsd_create(host->metrics.metrics, &address, NULL, &statsd, err);
    if (status == MODEL_OK)
        status =
            statsd_timer_start(host->scheduler, statsd, interval_ms, &host->metrics.statsd, err);
    if (status != MODEL_OK)
        statsd_destroy(statsd);
    return status;
}

model_status host_metrics_start(struct modelhost *host, const struct modelhost_options *options,
                                struct model_error *err)
{
    struct host_metrics *m = &host->metrics;
    m->source = (struct metric_source){
        .series = metrics_host(m->metrics), .read = read_host, .context = host};
    metrics_attach(m->metrics, &m->source);
    if (!MODEL_HAS(struct modelhost_options, options, statsd_interval_ms) ||
        options->statsd_address == NULL)
        return MODEL_OK;
    return start_statsd(
        host, options->statsd_address,
        options->statsd_interval_ms != 0 ? options->statsd_interval_ms : STATSD_INTERVAL_MS, err);
}

void host_metrics_stop(struct modelhost *host)
{
    statsd_timer_stop(host->metrics.statsd);
    host->metrics.statsd = NULL;
    metrics_detach(host->metrics.metrics, &host->metrics.source);
}

void host_metrics_load_failed(struct modelhost *host)
{
    metrics_add(metrics_other(host->metrics.metrics), METRIC_LOADS, LOAD_ERROR, 1);
}
