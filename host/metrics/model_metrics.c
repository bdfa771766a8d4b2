/* model_metrics.c - see model_metrics.h. */
#include "model_metrics.h"
#include "device_plan.h"
#include "memory_usage.h"

void model_metrics_init(struct model_metrics *m, struct metrics *metrics)
{
    metrics_retain(metrics);
    *m = (struct model_metrics){.metrics = metrics, .series = metrics_other(metrics)};
}

void model_metrics_finish(struct model_metrics *m)
{
    metrics_drop(m->metrics);
    m->metrics = NULL;
    m->series = NULL;
}

void model_metrics_name(struct model_metrics *m, const char *model, const char *backend)
{
    m->series = metrics_series(m->metrics, model, backend);
}

/* What is looked at when somebody asks. */
static void read_model(void *context, struct metric_series *series)
{
    const struct model_metrics *m = context;
    uint64_t mapped_bytes, resident_bytes;
    mapped_files_measure(m->files, &mapped_bytes, &resident_bytes);
    for (size_t i = 0; m->weights != NULL && i < weights_n_files(m->weights); i++) {
        const char *path = NULL;
        const struct file_map file = weights_file(m->weights, i, &path);
        mapped_bytes += file.size_bytes;
        resident_bytes += memory_usage_mapping(file.data, file.size_bytes);
    }
    metrics_add(series, METRIC_LOADED, 0, 1);
    if (m->plan != NULL && m->plan->struct_size > 0)
        metrics_set(series, METRIC_MODEL_INFO, device_plan_place(m->plan), 1);
    metrics_add(series, METRIC_MAPPED, 0, (int64_t)mapped_bytes);
    metrics_add(series, METRIC_RESIDENT, 0, (int64_t)resident_bytes);
    metrics_add(series, METRIC_PREPARED, 0, (int64_t)m->prepared_bytes);
}

void model_metrics_opened(struct model_metrics *m, const struct weights *weights,
                          const struct mapped_files *files, const struct model_device_plan *plan,
                          uint64_t prepared_bytes, int64_t load_ns)
{
    m->weights = weights;
    m->files = files;
    m->plan = plan;
    m->prepared_bytes = prepared_bytes;
    m->source = (struct metric_source){.series = m->series, .read = read_model, .context = m};
    metrics_attach(m->metrics, &m->source);
    metrics_add(m->series, METRIC_LOADS, LOAD_OK, 1);
    metrics_observe(m->series, METRIC_LOAD_SECONDS, load_ns);
}

void model_metrics_closed(struct model_metrics *m)
{
    if (m->metrics != NULL)
        metrics_detach(m->metrics, &m->source);
}

void model_metrics_load_failed(struct model_metrics *m)
{
    metrics_add(m->series, METRIC_LOADS, LOAD_ERROR, 1);
}

enum metric_outcome model_metrics_outcome(model_status status)
{
    switch (status) {
    case MODEL_OK:
        return OUTCOME_OK;
    case MODEL_DEADLINE:
        return OUTCOME_TIMEOUT;
    case MODEL_CANCELLED:
        return OUTCOME_CANCELLED;
    case MODEL_BUSY:
        return OUTCOME_REJECTED;
    case MODELHOST_CRASHED:
        return OUTCOME_CRASHED;
    case MODEL_INVALID_ARGUMENT:
    case MODEL_NOT_FOUND:
    case MODEL_UNSUPPORTED:
        return OUTCOME_INVALID;
    default:
        return OUTCOME_ERROR;
    }
}

void model_metrics_request_ended(struct model_metrics *m, model_status status, int64_t queue_ns,
                                 int64_t run_ns)
{
    metrics_add(m->series, METRIC_REQUESTS, model_metrics_outcome(status), 1);
    metrics_observe(m->series, METRIC_QUEUE_SECONDS, queue_ns);
    if (run_ns >= 0)
        metrics_observe(m->series, METRIC_RUN_SECONDS, run_ns);
}

void model_metrics_request_refused(struct model_metrics *m, model_status status)
{
    metrics_add(m->series, METRIC_REQUESTS, model_metrics_outcome(status), 1);
}

void model_metrics_cancel_ended(struct model_metrics *m, int64_t ns)
{
    metrics_observe(m->series, METRIC_CANCEL_SECONDS, ns);
}

void model_metrics_generated(struct model_metrics *m, int64_t n_read, int64_t n_cached,
                             int64_t n_proposed, int64_t n_accepted)
{
    metrics_add(m->series, METRIC_PROMPT_TOKENS, PROMPT_READ, n_read);
    metrics_add(m->series, METRIC_PROMPT_TOKENS, PROMPT_CACHED, n_cached);
    metrics_add(m->series, METRIC_PROPOSED_TOKENS, PROPOSED_ACCEPTED, n_accepted);
    metrics_add(m->series, METRIC_PROPOSED_TOKENS, PROPOSED_REJECTED, n_proposed - n_accepted);
}

void model_metrics_lane_abandoned(struct model_metrics *m)
{
    metrics_add(m->series, METRIC_LANES_ABANDONED, 0, 1);
    metrics_add(m->series, METRIC_ABANDONED_LANES, 0, 1);
}

void model_metrics_lane_returned(struct model_metrics *m)
{
    metrics_add(m->series, METRIC_ABANDONED_LANES, 0, -1);
}
