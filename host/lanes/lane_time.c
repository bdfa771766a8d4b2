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
    lane_free_place(lane);
    scheduler->n_missing_lanes += !lane->is_relieved;
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

static int64_t relief_due_ns(const struct lane *lane)
{
    const struct modelhost_request *request = lane->running;
    return lane->is_relieved
               ? INT64_MAX
               : lane_watchdog_relief_ns(&request->progress,
                                         modelhost_description(request->model)->estimated_run_ns);
}

/* Whether a request of another model could run in the lane's place. */
static bool others_wait(const struct lane *lane)
{
    const struct scheduler *scheduler = lane->scheduler;
    const uint32_t n_busy = scheduler->n_busy, n_lanes = scheduler->options.n_lanes;
    if (n_busy < n_lanes)
        return false;
    for (const struct request_group *group = scheduler->queue.first; group != NULL;
         group = group->next)
        if (group->model != lane->running->model &&
            n_busy - 1 + group->model->lane_account.n_relieved < n_lanes)
            return true;
    return false;
}

/* Its call goes on, with all its rights; its place is another thread's from here on. */
static void relieve(struct lane *lane, int64_t now_ns, struct lane_news *news)
{
    struct scheduler *scheduler = lane->scheduler;
    struct modelhost_request *request = lane->running;
    lane->is_relieved = true;
    request->model->lane_account.n_relieved++;
    scheduler->n_relieved++;
    scheduler->n_busy--;
    scheduler->n_missing_lanes += !lane->is_direct;
    struct lane *next = lane_to_wake(scheduler);
    if (next != NULL)
        wait_word_post(&next->work);
    note(news, request, MODEL_LOG_WARN,
         "no progress for %lld ms while other models' requests wait: another lane runs them",
         (long long)((now_ns - atomic_load(&request->progress.at_ns)) / NS_PER_MS));
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

/* Sees to one lane; returns when to look at it again. */
static int64_t keep_time_of(struct lane *lane, int64_t now_ns, struct lane_news *news)
{
    if (late_due_ns(lane) <= now_ns)
        report_late(lane, now_ns, news);
    if (abandon_due_ns(lane) <= now_ns) {
        abandon(lane->scheduler, lane, now_ns, news);
        return INT64_MAX;
    }
    const bool is_slow = relief_due_ns(lane) <= now_ns;
    if (is_slow && others_wait(lane))
        relieve(lane, now_ns, news);
    else if (is_slow)
        lane->scheduler->has_slow = true;
    int64_t next_ns = is_slow ? INT64_MAX : relief_due_ns(lane);
    next_ns = abandon_due_ns(lane) < next_ns ? abandon_due_ns(lane) : next_ns;
    return late_due_ns(lane) < next_ns ? late_due_ns(lane) : next_ns;
}

int64_t lane_keep_time(struct scheduler *scheduler, int64_t now_ns, struct lane_news *news)
{
    int64_t next_ns = INT64_MAX;
    scheduler->has_slow = false;
    for (struct lane *lane = scheduler->lanes; lane != NULL; lane = lane->next) {
        if (lane->running == NULL || lane->is_abandoned)
            continue;
        if (news->n_lines + 3 > LANE_MAX_NEWS)
            return now_ns; /* the others in the next turn */
        const int64_t look_ns = keep_time_of(lane, now_ns, news);
        next_ns = look_ns < next_ns ? look_ns : next_ns;
    }
    return next_ns;
}
