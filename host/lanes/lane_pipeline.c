/* lane_pipeline.c - see lane_pipeline.h. */
#include "lane_pipeline.h"
#include "clock.h"
#include "errors.h"
#include "execute.h"
#include "loaded_model.h"
#include "scheduler_loop.h"
#include "worker_ask.h"

#define MAX_NS (200 * NS_PER_US) /* that calls behind a first one may take together */

bool lane_pipeline_suits(const struct modelhost_model *model)
{
    return model->lane_account.always_returns && model->batching.max_items <= 1;
}

/* One that brings its tensors, and leaves nothing in an instance. */
static bool is_plain(const struct modelhost_request *request)
{
    return request->job == NULL && request->session == NULL && request->on_tensors == NULL;
}

bool lane_pipeline_spares_lane(const struct modelhost_request *request)
{
    return request->deadline_ns == INT64_MAX && is_plain(request) &&
           lane_pipeline_suits(request->model);
}

uint32_t lane_pipeline_gather(struct modelhost_request *first, struct modelhost_request **members)
{
    const int64_t mean_ns = lane_account_mean_ns(&first->model->lane_account);
    members[0] = first;
    if (!lane_pipeline_suits(first->model) || !is_plain(first) || mean_ns == 0)
        return 1;
    uint32_t n = 1;
    for (struct modelhost_request *next = first->next;
         next != NULL && is_plain(next) && n < WORKER_EXCHANGES && n * mean_ns <= MAX_NS;
         next = next->next)
        members[n++] = next;
    return n;
}

/* A request of the company that is to be run. */
struct item {
    struct modelhost_request **place;
    struct execution execution;
    struct schema_binding binding;
};

static void end(struct lane *lane, struct item *item, model_status status, struct model_error *err)
{
    struct modelhost_result *result = NULL;
    status = execute_end(*item->place, status, &item->execution, &result, err);
    lane_answer(lane, item->place, status, result, err);
}

/* What is logged from here on is about this request. */
static void about(const struct modelhost_request *request)
{
    (void)log_set_subject(request_subject(request));
}

/* Checks the inputs. Answers a request when they are wrong, or nothing is to be run. */
static bool begin(struct lane *lane, struct item *item)
{
    struct model_error err = MODEL_ERROR_INIT;
    const struct modelhost_request *request = *item->place;
    model_status status = (model_status)__atomic_load_n(&request->cancelled, __ATOMIC_RELAXED);
    item->execution = (struct execution){0};
    about(request);
    if (status != MODEL_OK)
        (void)error_set(&err, status, "the request was given up");
    else
        status = scheduler_hold_deadline(request, MODEL_OK, &err);
    if (status == MODEL_OK)
        status = execute_begin(*item->place, &item->binding, &item->execution, &err);
    if (status == MODEL_OK && !item->execution.is_found)
        return true;
    end(lane, item, status, &err);
    return false;
}

static void ask_ahead(struct hosted_instance *instance, const struct item *items, uint32_t n)
{
    struct worker_ahead ahead[WORKER_EXCHANGES];
    for (uint32_t i = 0; i < n; i++)
        ahead[i] = (struct worker_ahead){*items[i].place, items[i].execution.result};
    if (n > 1 && instance->is_in_worker)
        worker_ask_ahead(instance->plugin, ahead, n);
}

/* All of them on one instance, which goes back before the last answer. */
static void run_items(struct lane *lane, struct item *items, uint32_t n)
{
    struct modelhost_model *model = lane->running->model;
    struct hosted_instance *instance = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    model_status status = loaded_model_take_instance(model, NULL, 0, &instance, &err);
    if (status == MODEL_OK)
        ask_ahead(instance, items, n);
    for (uint32_t i = 0; i < n; i++) {
        struct model_error own = err;
        model_status ran = status;
        lane_progress_mark(&lane->running->progress, 0, clock_now_ns());
        about(*items[i].place);
        if (status == MODEL_OK) /* one that was given up, too: it may have been asked for */
            ran = execute_on(*items[i].place, &items[i].binding, instance,
                             items[i].execution.result, &own);
        if (i + 1 == n && instance != NULL)
            loaded_model_return_instance(model, instance);
        end(lane, &items[i], ran, &own);
    }
}

void lane_pipeline_run(struct lane *lane)
{
    struct item items[WORKER_EXCHANGES];
    const struct log_subject before = log_subject_now();
    uint32_t n = 0;
    for (uint32_t i = 0; i < lane->n_company; i++) {
        items[n].place = &lane->company[i];
        n += begin(lane, &items[n]);
    }
    if (n > 0)
        run_items(lane, items, n);
    (void)log_set_subject(before);
}
