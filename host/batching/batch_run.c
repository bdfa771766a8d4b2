/* batch_run.c - see batch_run.h. */
#include "batch_run.h"
#include "batch_axes.h"
#include "batch_merge.h"
#include "batch_split.h"
#include "clock.h"
#include "errors.h"
#include "execute.h"
#include "loaded_model.h"

#include <stdlib.h>

/* A group of requests that run together. */
struct group {
    struct modelhost_request ***places; /* (n) among all */
    struct batch_member *members;       /* (n) */
    struct execution *executions;       /* (n) */
    uint32_t n;
};

/* ---- one by one */

static bool is_given_up(const struct modelhost_request *request)
{
    return __atomic_load_n(&request->cancelled, __ATOMIC_RELAXED) != 0;
}

/* The end of a request's execution. */
static void end(struct lane *lane, struct modelhost_request **place, model_status status,
                struct execution *execution, struct model_error *err)
{
    struct modelhost_result *result = NULL;
    (void)log_set_subject(request_subject(*place));
    status = execute_end(*place, status, execution, &result, err);
    lane_answer(lane, place, status, result, err);
}

/* A request by itself, whose inputs are there. */
static void run_alone(struct lane *lane, struct modelhost_request **place,
                      struct execution *execution)
{
    struct modelhost_request *request = *place;
    struct model_error err = MODEL_ERROR_INIT;
    struct schema_binding binding;
    model_status status = MODEL_OK;
    (void)log_set_subject(request_subject(request));
    if (is_given_up(request))
        status = error_set(&err, MODEL_CANCELLED, "the request was cancelled");
    if (status == MODEL_OK)
        status = schema_check_inputs(modelhost_description(request->model), request->inputs,
                                     request->n_inputs, &binding, &err);
    if (status == MODEL_OK) {
        lane_progress_mark(&lane->running->progress, schema_batch(&binding), clock_now_ns());
        status = execute_alone(request, &binding, execution, &err);
    }
    end(lane, place, status, execution, &err);
}

/* ---- together */

/* The latest deadline: until then somebody waits. */
static int64_t last_deadline(const struct group *group)
{
    int64_t last_ns = INT64_MIN;
    for (uint32_t i = 0; i < group->n; i++)
        if ((*group->places[i])->deadline_ns > last_ns)
            last_ns = (*group->places[i])->deadline_ns;
    return last_ns;
}

/* One run() on the joint inputs. */
static model_status run_merged(struct lane *lane, struct modelhost_request *first,
                               const struct batch_merge *merge, const struct joint_run *joint,
                               int64_t deadline_ns, struct modelhost_result *result,
                               struct model_error *err)
{
    struct schema_binding binding;
    struct plugin_call call = {.inputs = merge->inputs,
                               .n_inputs = merge->n_inputs,
                               .plugin = &first->model->plugin.file,
                               .binding = &binding,
                               .progress = &lane->running->progress,
                               .cancelled = &joint->cancelled,
                               .deadline_ns = deadline_ns};
    model_status status = schema_check_inputs(modelhost_description(first->model), call.inputs,
                                              call.n_inputs, &binding, err);
    if (status == MODEL_OK)
        status = loaded_model_take_instance(first->model, NULL, 0, &call.instance, err);
    if (status != MODEL_OK)
        return status;
    status = execute_call(&call, result, err);
    request_return_instance(first, call.instance);
    return status;
}

static model_status run_joint(struct lane *lane, const struct group *group,
                              const struct joint_run *joint, struct modelhost_result **ret_result,
                              struct model_error *err)
{
    struct modelhost_request *first = *group->places[0];
    const struct model_description *description = modelhost_description(first->model);
    struct batch_merge *merge = NULL;
    struct modelhost_result *result = NULL;
    model_status status = result_create(description, (const char *const *)first->output_names,
                                        first->n_output_names, &result, err);
    if (status == MODEL_OK)
        status = batch_merge_create(description, group->members, group->n, &merge, err);
    if (status == MODEL_OK)
        status = run_merged(lane, first, merge, joint, last_deadline(group), result, err);
    batch_merge_destroy(merge);
    if (status == MODEL_OK)
        *ret_result = result;
    else
        modelhost_result_destroy(result);
    return status;
}

/* A member's own part of the joint result. */
static void hand_out(struct lane *lane, struct modelhost_request **place,
                     const struct batch_member *member, struct execution *execution,
                     struct modelhost_result *joint)
{
    struct model_error err = MODEL_ERROR_INIT;
    model_status status = is_given_up(*place)
                              ? error_set(&err, MODEL_CANCELLED, "the request was cancelled")
                              : batch_split(joint, member, execution->result, &err);
    end(lane, place, status, execution, &err);
}

static void run_group(struct lane *lane, const struct group *group)
{
    struct joint_run joint = {0};
    struct modelhost_result *result = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    model_status status = MODEL_INTERNAL;
    if (group->n > 1) {
        (void)log_set_subject(request_subject(*group->places[0])); /* it stands for all of them */
        lane_join(lane, group->places, group->n, &joint);
        status = run_joint(lane, group, &joint, &result, &err);
        lane_part(lane, group->places, group->n);
    }
    for (uint32_t i = 0; i < group->n; i++) {
        if (status == MODEL_OK)
            hand_out(lane, group->places[i], &group->members[i], &group->executions[i], result);
        else
            run_alone(lane, group->places[i], &group->executions[i]);
    }
    modelhost_result_destroy(result);
}

/* ---- which run together */

/* Makes a request's inputs. Answers it when that fails, or nothing is to be run. */
static bool begin(struct lane *lane, struct modelhost_request **place,
                  struct batch_member *ret_member, struct execution *ret)
{
    struct modelhost_request *request = *place;
    struct model_error err = MODEL_ERROR_INIT;
    struct schema_binding binding;
    struct execution execution = {0};
    model_status status = MODEL_OK;
    (void)log_set_subject(request_subject(request));
    if (is_given_up(request) || clock_now_ns() >= request->deadline_ns)
        status = error_set(&err, MODEL_CANCELLED, "the request was cancelled");
    if (status == MODEL_OK)
        status = execute_begin(request, &binding, &execution, &err);
    if (status != MODEL_OK || execution.is_found) {
        end(lane, place, status, &execution, &err);
        return false;
    }
    *ret = execution;
    *ret_member = (struct batch_member){.inputs = request->inputs,
                                        .n_inputs = request->n_inputs,
                                        .n_items = schema_batch(&binding),
                                        .length = schema_size(&binding, SEQUENCE_DIMENSION)};
    return true;
}

/* What is known exactly, now that the tensors are there. */
static struct batch_candidate candidate_of(const struct modelhost_request *request,
                                           const struct batch_member *member)
{
    struct batch_candidate candidate = request->candidate;
    candidate.n_items = (uint64_t)member->n_items;
    candidate.n_tokens = (uint64_t)member->n_items;
    if (member->length > 0)
        candidate.n_tokens *= (uint64_t)member->length;
    return candidate;
}

static void add(struct group *group, const struct group *from, uint32_t index)
{
    group->members[group->n] = from->members[index];
    group->executions[group->n] = from->executions[index];
    group->places[group->n++] = from->places[index];
}

/* Moves the first of `left` and those that fit it into `group`; the others move up. */
static void choose_group(const struct batch_limits *limits,
                         const struct model_description *description, struct group *left,
                         struct group *group)
{
    struct batch_plan plan;
    struct batch_candidate candidate = candidate_of(*left->places[0], &left->members[0]);
    const uint32_t n = left->n;
    batch_plan_begin(&plan, limits, &candidate);
    left->n = group->n = 0;
    add(group, left, 0);
    for (uint32_t i = 1; i < n; i++) {
        candidate = candidate_of(*left->places[i], &left->members[i]);
        const bool joins = !plan.is_full &&
                           batch_members_fit(description, &group->members[0], &left->members[i]) &&
                           batch_plan_add(&plan, &candidate);
        add(joins ? group : left, left, i);
    }
}

static void run_groups(struct lane *lane, struct modelhost_model *model, struct group *left,
                       struct group *group)
{
    while (left->n > 0) {
        choose_group(&model->batching, modelhost_description(model), left, group);
        metrics_observe(model->metrics.series, METRIC_BATCH_SIZE, group->n);
        run_group(lane, group);
    }
}

static struct group group_with_room(uint32_t n)
{
    return (struct group){.places = calloc(n, sizeof(void *)),
                          .members = calloc(n, sizeof(struct batch_member)),
                          .executions = calloc(n, sizeof(struct execution))};
}

static bool has_room(const struct group *group)
{
    return group->places != NULL && group->members != NULL && group->executions != NULL;
}

static void free_group(struct group *group)
{
    free(group->places);
    free(group->members);
    free(group->executions);
}

void execute_batch(struct lane *lane)
{
    const uint32_t n = lane->n_company;
    const struct log_subject before = log_subject_now();
    struct group left = group_with_room(n), group = group_with_room(n);
    const bool joins = has_room(&left) && has_room(&group);
    for (uint32_t i = 0; i < n; i++) {
        struct modelhost_request **place = &lane->company[i];
        struct batch_member member;
        struct execution execution;
        if (!begin(lane, place, &member, &execution))
            continue;
        if (!joins) {
            run_alone(lane, place, &execution);
            continue;
        }
        left.members[left.n] = member;
        left.executions[left.n] = execution;
        left.places[left.n++] = place;
    }
    run_groups(lane, lane->running->model, &left, &group);
    (void)log_set_subject(before);
    free_group(&left);
    free_group(&group);
}
