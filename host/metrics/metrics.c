/* metrics.c - see metrics.h. Where a family's numbers lie in a series' block is the same for all series; it
 * is worked out from the table when the metrics are made. Additions are relaxed: a reader sees each
 * number as it is at some moment of its reading, and needs no order between two of them. */
#include "metrics.h"
#include "buffer.h"
#include "errors.h"
#include "plugin_counters.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct metric_series {
    char *model, *backend; /* NULL: the host's */
    const uint32_t *places;
    uint32_t n_sources; /* guarded by the metrics' mutex */
    struct plugin_counters plugin;
    uint64_t *pushed;           /* (n_numbers), a reader's */
    _Atomic uint64_t numbers[]; /* (n_numbers) */
};

struct metrics {
    _Atomic uint32_t references;
    uint32_t places[N_METRICS + 1]; /* of each family in a series' numbers; the last: n_numbers */
    struct metric_series *host, *other;
    uv_mutex_t mutex;                                     /* guards what follows */
    struct metric_series *series[METRICS_MAX_SERIES + 1]; /* (n_series), ordered; `other` is one */
    uint32_t n_series;
    struct metric_source *sources;
};

static void free_series(struct metric_series *series)
{
    if (series == NULL)
        return;
    plugin_counters_finish(&series->plugin);
    free(series->pushed);
    free(series->model);
    free(series->backend);
    free(series);
}

/* model NULL: the host's. NULL without memory. */
static struct metric_series *new_series(const struct metrics *metrics, const char *model,
                                        const char *backend)
{
    const size_t n_numbers = metrics->places[N_METRICS];
    struct metric_series *series =
        calloc(1, sizeof *series + n_numbers * sizeof series->numbers[0]);
    if (series == NULL || plugin_counters_init(&series->plugin) != 0) {
        free(series);
        return NULL;
    }
    series->places = metrics->places;
    series->pushed = calloc(n_numbers, sizeof *series->pushed);
    if (model != NULL) {
        series->model = text_format("%s", model);
        series->backend = text_format("%s", backend);
    }
    if (series->pushed != NULL &&
        (model == NULL || (series->model != NULL && series->backend != NULL)))
        return series;
    free_series(series);
    return NULL;
}

static int compare(const struct metric_series *series, const char *model, const char *backend)
{
    const int order = strcmp(series->model, model);
    return order != 0 ? order : strcmp(series->backend, backend);
}

/* Under the mutex (or before anyone else knows the metrics). There is room. */
static void insert(struct metrics *metrics, struct metric_series *series)
{
    uint32_t at = metrics->n_series++;
    for (; at > 0 && compare(metrics->series[at - 1], series->model, series->backend) > 0; at--)
        metrics->series[at] = metrics->series[at - 1];
    metrics->series[at] = series;
}

model_status metrics_create(struct metrics **ret, struct model_error *err)
{
    struct metrics *metrics = calloc(1, sizeof *metrics);
    if (metrics == NULL || uv_mutex_init(&metrics->mutex) != 0) {
        free(metrics);
        return error_no_memory(err, "metrics");
    }
    atomic_store(&metrics->references, 1);
    for (int i = 0; i < N_METRICS; i++)
        metrics->places[i + 1] =
            metrics->places[i] + metric_families[i].n_values * metric_width(&metric_families[i]);
    metrics->host = new_series(metrics, NULL, NULL);
    metrics->other = new_series(metrics, "other", "other");
    if (metrics->other != NULL)
        insert(metrics, metrics->other);
    if (metrics->host == NULL || metrics->other == NULL) {
        metrics_drop(metrics);
        return error_no_memory(err, "metrics");
    }
    metrics_set(metrics->host, METRIC_BUILD, 0, 1);
    *ret = metrics;
    return MODEL_OK;
}

void metrics_retain(struct metrics *metrics)
{
    (void)atomic_fetch_add(&metrics->references, 1);
}

void metrics_drop(struct metrics *metrics)
{
    if (metrics == NULL || atomic_fetch_sub(&metrics->references, 1) != 1)
        return;
    for (uint32_t i = 0; i < metrics->n_series; i++)
        free_series(metrics->series[i]);
    free_series(metrics->host);
    uv_mutex_destroy(&metrics->mutex);
    free(metrics);
}

struct metric_series *metrics_series(struct metrics *metrics, const char *model,
                                     const char *backend)
{
    struct metric_series *found = NULL;
    uv_mutex_lock(&metrics->mutex);
    for (uint32_t i = 0; i < metrics->n_series && found == NULL; i++)
        if (compare(metrics->series[i], model, backend) == 0)
            found = metrics->series[i];
    if (found == NULL && metrics->n_series <= METRICS_MAX_SERIES) {
        found = new_series(metrics, model, backend);
        if (found != NULL)
            insert(metrics, found);
    }
    uv_mutex_unlock(&metrics->mutex);
    return found != NULL ? found : metrics->other;
}

struct metric_series *metrics_other(struct metrics *metrics)
{
    return metrics->other;
}

struct metric_series *metrics_host(struct metrics *metrics)
{
    return metrics->host;
}

struct plugin_counters *metrics_plugin_counters(struct metric_series *series)
{
    return &series->plugin;
}

/* ---- counting */

void metrics_add(struct metric_series *series, enum metric metric, uint32_t value, int64_t delta)
{
    if (series != NULL)
        (void)atomic_fetch_add_explicit(&series->numbers[series->places[metric] + value],
                                        (uint64_t)delta, memory_order_relaxed);
}

void metrics_set(struct metric_series *series, enum metric metric, uint32_t value, int64_t number)
{
    if (series != NULL)
        atomic_store_explicit(&series->numbers[series->places[metric] + value], (uint64_t)number,
                              memory_order_relaxed);
}

void metrics_observe(struct metric_series *series, enum metric histogram, int64_t value)
{
    if (series == NULL)
        return;
    const struct histogram_bounds *bounds = metric_families[histogram].bounds;
    _Atomic uint64_t *numbers = &series->numbers[series->places[histogram]];
    value = value > 0 ? value : 0;
    (void)atomic_fetch_add_explicit(&numbers[histogram_bucket(bounds, value)], 1,
                                    memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&numbers[bounds->n_bounds + 1], (uint64_t)value,
                                    memory_order_relaxed);
}

/* ---- reading */

int64_t metrics_number(const struct metric_series *series, enum metric metric, uint32_t value)
{
    return (int64_t)atomic_load_explicit(&series->numbers[series->places[metric] + value],
                                         memory_order_relaxed);
}

static void copy_numbers(const struct metric_series *series, uint32_t place, uint32_t width,
                         uint64_t *ret)
{
    for (uint32_t i = 0; i < width; i++)
        ret[i] = atomic_load_explicit(&series->numbers[place + i], memory_order_relaxed);
}

double metrics_quantile(const struct metric_series *series, enum metric histogram, double q)
{
    const struct metric_family *family = &metric_families[histogram];
    uint64_t numbers[METRIC_MAX_WIDTH];
    copy_numbers(series, series->places[histogram], metric_width(family), numbers);
    return histogram_quantile(family->bounds, numbers, q) / (double)family->bounds->per_unit;
}

void metrics_attach(struct metrics *metrics, struct metric_source *source)
{
    uv_mutex_lock(&metrics->mutex);
    source->next = metrics->sources;
    metrics->sources = source;
    source->series->n_sources++;
    uv_mutex_unlock(&metrics->mutex);
}

void metrics_detach(struct metrics *metrics, struct metric_source *source)
{
    uv_mutex_lock(&metrics->mutex);
    struct metric_source **link = &metrics->sources;
    while (*link != NULL && *link != source)
        link = &(*link)->next;
    if (*link != NULL) {
        *link = source->next;
        source->series->n_sources--;
    }
    uv_mutex_unlock(&metrics->mutex);
}

/* Under the mutex: what is read becomes what the sources add up to. */
static void read_sources(struct metrics *metrics)
{
    for (enum metric m = 0; m < N_METRICS; m++) {
        const struct metric_family *family = &metric_families[m];
        for (uint32_t value = 0; value < family->n_values && family->is_read; value++) {
            metrics_set(metrics->host, m, value, 0);
            for (uint32_t i = 0; i < metrics->n_series; i++)
                metrics_set(metrics->series[i], m, value, 0);
        }
    }
    for (struct metric_source *source = metrics->sources; source != NULL; source = source->next)
        source->read(source->context, source->series);
}

struct visitor {
    model_status (*visit)(void *context, const struct metric_sample *sample);
    void *context;
    struct metric_sample sample;
};

static model_status visit_sample(struct visitor *visitor, const char *value,
                                 const uint64_t *numbers, uint64_t *pushed)
{
    visitor->sample.value = value;
    visitor->sample.numbers = numbers;
    visitor->sample.pushed = pushed;
    const model_status status = visitor->visit(visitor->context, &visitor->sample);
    visitor->sample.is_first = false;
    return status;
}

static model_status visit_plugin(struct visitor *visitor, struct plugin_counters *plugin)
{
    model_status status = MODEL_OK;
    uv_mutex_lock(&plugin->mutex);
    for (uint32_t i = 0; i < plugin->n_counters && status == MODEL_OK; i++) {
        struct plugin_counter *counter = &plugin->counters[i];
        status = visit_sample(visitor, counter->name, &counter->value, &counter->pushed);
    }
    uv_mutex_unlock(&plugin->mutex);
    return status;
}

/* The labels of a family's value number `at`. */
static const char *label_value(struct visitor *visitor, const struct metric_family *family,
                               uint32_t at)
{
    const bool is_pair = family->second_label != NULL;
    visitor->sample.second_value = is_pair ? family->second_values[at % family->n_second] : NULL;
    return family->label == NULL ? NULL : family->values[is_pair ? at / family->n_second : at];
}

/* The samples of a family in one series. */
static model_status visit_series(struct visitor *visitor, enum metric metric,
                                 struct metric_series *series)
{
    const struct metric_family *family = &metric_families[metric];
    const uint32_t width = metric_width(family);
    model_status status = MODEL_OK;
    visitor->sample.model = series->model;
    visitor->sample.backend = series->backend;
    if (metric == METRIC_PLUGIN_EVENTS)
        return visit_plugin(visitor, &series->plugin);
    for (uint32_t i = 0; i < family->n_values && status == MODEL_OK; i++) {
        uint64_t numbers[METRIC_MAX_WIDTH];
        const uint32_t place = series->places[metric] + i * width;
        copy_numbers(series, place, width, numbers);
        if (!family->is_info || numbers[0] != 0)
            status = visit_sample(visitor, label_value(visitor, family, i), numbers,
                                  &series->pushed[place]);
    }
    return status;
}

/* Whether a family of models shows in a series: `other` when something was counted there. */
static bool is_shown(const struct metrics *metrics, const struct metric_series *series,
                     const struct metric_family *family)
{
    if (family->type == METRIC_GAUGE && series->n_sources == 0)
        return false;
    bool is_used = series != metrics->other;
    for (uint32_t i = 0; i < metrics->places[N_METRICS] && !is_used; i++)
        is_used = atomic_load_explicit(&series->numbers[i], memory_order_relaxed) != 0;
    return is_used;
}

model_status metrics_visit(struct metrics *metrics, enum metrics_wait wait,
                           model_status (*visit)(void *context, const struct metric_sample *sample),
                           void *context)
{
    model_status status = MODEL_OK;
    if (wait == METRICS_TRY && uv_mutex_trylock(&metrics->mutex) != 0)
        return MODEL_BUSY;
    if (wait == METRICS_WAIT)
        uv_mutex_lock(&metrics->mutex);
    read_sources(metrics);
    for (enum metric m = 0; m < N_METRICS && status == MODEL_OK; m++) {
        const struct metric_family *family = &metric_families[m];
        struct visitor visitor = {visit, context, {.family = family, .is_first = true}};
        if (family->scope == METRIC_OF_HOST)
            status = visit_series(&visitor, m, metrics->host);
        for (uint32_t i = 0; i < metrics->n_series && family->scope == METRIC_OF_MODEL; i++)
            if (status == MODEL_OK && is_shown(metrics, metrics->series[i], family))
                status = visit_series(&visitor, m, metrics->series[i]);
    }
    uv_mutex_unlock(&metrics->mutex);
    return status;
}
