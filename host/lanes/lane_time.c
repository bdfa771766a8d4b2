/* lane_time.c - see lane.h, lane_keep_time(): what the loop does about lanes that take too long. */
#include "clock.h"
#include "loaded_model.h"
#include "scheduler.h"

#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 4, 5))) static void note(struct lane_news *news,
                                                       struct modelhost_request *request,
                                                       int32_t level, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(news->lines[news->n_lines], sizeof news->lines[0], format, arguments);
    va_end(arguments);
    request_retain(news->requests[news->n_lines] = request);
    news->levels[news->n_lines++] = level;
}

void lane_tell(const struct scheduler *scheduler, struct lane_news *news)
{
    for (uint32_t i = 0; i < news->n_lines; i++) {
        struct modelhost_request *request = news->requests[i];
        const struct log_subject before = log_set_subject(request_subject(request));
        log_write(scheduler->options.log, news->levels[i], "%s", news->lines[i]);
        (void)log_set_subject(before);
        request_drop(request);
    }
    news->n_lines = 0;
}

/* From here on the lane belongs to itself; the loop starts another one for it. */
static void abandon(struct scheduler *scheduler, struct lane *lane, int64_t now_ns,
                    struct lane_news *news)
{
    struct modelhost_request *request = lane->running;
    struct lane_account *account = &request->model->lane_account;
    atomic_store(&request->is_abandoned, true);
    for (uint32_t i = 1; i < lane->n_company; i++)
        if (lane->company[i] != NULL)
            atomic_store(&lane->company[i]->is_abandoned, true);
    lane->is_abandoned = true;
    lane->is_late = false;
    account->n_abandoned++;
    model_metrics_lane_abandoned(&request->model->metrics);
    scheduler->n_busy--;
    scheduler->n_missing_lanes++;
    note(news, request, MODEL_LOG_ERROR,
         "the plugin did not stop %lld ms after it was told to; its lane is abandoned and replaced "
         "(%u stuck)%s",
         (long long)((now_ns - lane->given_up_ns) / NS_PER_MS), account->n_abandoned,
         lane_check_model(request->model, NULL) == MODEL_OK ? "" : ": the model takes no calls");
}

/* When the lane's grace is over. */
static int64_t abandon_due_ns(const struct lane *lane)
{
    return lane->given_up_ns == 0 || lane->is_direct || lane->scheduler->stopping ||
                   lane->running->model->lane_account.always_returns
               ? INT64_MAX
               : lane->given_up_ns + lane->scheduler->options.abandon_grace_ns;
}

static int64_t late_due_ns(const struct lane *lane)
{
    const struct modelhost_request *request = lane->running;
    return lane->is_late
               ? INT64_MAX
               : lane_watchdog_due_ns(&request->progress,
                                      modelhost_description(request->model)->estimated_run_ns);
}

static void report_late(struct lane *lane, int64_t now_ns, struct lane_news *news)
{
    struct modelhost_request *request = lane->running;
    const int64_t estimated_run_ns = modelhost_description(request->model)->estimated_run_ns;
    const int64_t begun_ns = atomic_load(&request->progress.at_ns);
    lane->is_late = true;
    if (estimated_run_ns > 0)
        note(
            news, request, MODEL_LOG_ERROR,
            "no progress for ten times the plugin's own estimate of %lld ms; the host is not ready",
            (long long)(estimated_run_ns / NS_PER_MS));
    else
        note(news, request, MODEL_LOG_ERROR, "no progress for %lld s; the host is not ready",
             (long long)((now_ns - begun_ns) / NS_PER_S));
}

int64_t lane_keep_time(struct scheduler *scheduler, int64_t now_ns, struct lane_news *news)
{
    int64_t next_ns = INT64_MAX;
    for (struct lane *lane = scheduler->lanes; lane != NULL; lane = lane->next) {
        if (lane->running == NULL || lane->is_abandoned)
            continue;
        if (news->n_lines + 2 > LANE_MAX_NEWS)
            return now_ns; /* the others in the next turn */
        if (late_due_ns(lane) <= now_ns)
            report_late(lane, now_ns, news);
        if (abandon_due_ns(lane) <= now_ns) {
            abandon(scheduler, lane, now_ns, news);
            continue;
        }
        if (abandon_due_ns(lane) < next_ns)
            next_ns = abandon_due_ns(lane);
        if (late_due_ns(lane) < next_ns)
            next_ns = late_due_ns(lane);
    }
    return next_ns;
}
