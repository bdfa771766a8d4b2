/* metrics_cost.c - see metrics_cost.h. Counts what scheduler.c counts at the end of a request that was given up
 * while it ran, the dearest one, with the subject of its log lines and its number. */
#include "metrics_cost.h"
#include "clock.h"
#include "log.h"
#include "model_metrics.h"
#include "prometheus.h"

#include <pthread.h>
#include <stdio.h>

#define N_BURSTS   7
#define N_REQUESTS 200000

struct counting {
    struct model_metrics model;
    pthread_barrier_t begin;
    _Atomic uint64_t last_id;
};

static void *count(void *argument)
{
    struct counting *counting = argument;
    (void)pthread_barrier_wait(&counting->begin);
    for (int64_t i = 0; i < N_REQUESTS; i++) {
        const uint64_t id = ++counting->last_id;
        const struct log_subject before = log_set_subject((struct log_subject){"model", id});
        model_metrics_request_ended(&counting->model, MODEL_DEADLINE, i * 17 % (5 * NS_PER_MS),
                                    i * 1009 % (200 * NS_PER_MS));
        model_metrics_cancel_ended(&counting->model, i % NS_PER_MS);
        (void)log_set_subject(before);
    }
    return NULL;
}

/* One burst; 0 when there are no threads to be had. */
static double burst_ns(struct counting *counting, uint32_t n_threads)
{
    pthread_t threads[64];
    uint32_t n = 0;
    if (pthread_barrier_init(&counting->begin, NULL, n_threads + 1) != 0)
        return 0;
    while (n < n_threads && pthread_create(&threads[n], NULL, count, counting) == 0)
        n++;
    if (n < n_threads) /* those that wait at the barrier cannot be helped */
        return 0;
    (void)pthread_barrier_wait(&counting->begin);
    const int64_t start_ns = clock_now_ns();
    for (uint32_t i = 0; i < n; i++)
        (void)pthread_join(threads[i], NULL);
    const int64_t end_ns = clock_now_ns();
    (void)pthread_barrier_destroy(&counting->begin);
    return (double)(end_ns - start_ns) / N_REQUESTS;
}

double metrics_cost_ns(uint32_t n_threads)
{
    struct metrics *metrics = NULL;
    struct counting counting = {.last_id = 0};
    double best_ns = -1;
    if (metrics_create(&metrics, NULL) != MODEL_OK)
        return -1;
    model_metrics_init(&counting.model, metrics);
    model_metrics_name(&counting.model, "model", "cpu");
    for (int i = 0; i < N_BURSTS; i++) {
        const double ns = burst_ns(&counting, n_threads);
        if (ns > 0 && (best_ns < 0 || ns < best_ns))
            best_ns = ns;
    }
    model_metrics_finish(&counting.model);
    metrics_drop(metrics);
    return best_ns;
}

double metrics_cost_text_us(uint32_t n_models)
{
    struct metrics *metrics = NULL;
    struct buffer text = BUFFER_INIT(PROMETHEUS_MAX_BYTES);
    double best_us = -1;
    char name[32];
    if (metrics_create(&metrics, NULL) != MODEL_OK)
        return -1;
    for (uint32_t i = 0; i < n_models; i++) {
        (void)snprintf(name, sizeof name, "organisation/model-%u", i);
        (void)metrics_series(metrics, name, "cpu");
    }
    for (int i = 0; i < N_BURSTS; i++) {
        buffer_clear(&text);
        const int64_t start_ns = clock_now_ns();
        if (prometheus_write(metrics, &text, NULL) != MODEL_OK)
            break;
        const double us = (double)(clock_now_ns() - start_ns) / NS_PER_US;
        if (best_us < 0 || us < best_us)
            best_us = us;
    }
    buffer_finish(&text);
    metrics_drop(metrics);
    return best_us;
}
