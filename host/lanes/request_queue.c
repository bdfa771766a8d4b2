/* request_queue.c - see request_queue.h. Few models and fewer priorities wait at a time, so lists do; a
 * group that was emptied is kept, so that adding a request usually allocates nothing. */
#include "request_queue.h"
#include "loaded_model.h"

#include <stdlib.h>

/* Behind all groups of its priority. */
static void append_group(struct request_queue *queue, struct request_group *group)
{
    struct request_group *before = queue->last;
    while (before != NULL && before->priority < group->priority)
        before = before->previous;
    group->previous = before;
    group->next = before != NULL ? before->next : queue->first;
    *(before != NULL ? &before->next : &queue->first) = group;
    *(group->next != NULL ? &group->next->previous : &queue->last) = group;
}

static void unlink_group(struct request_queue *queue, struct request_group *group)
{
    *(group->previous != NULL ? &group->previous->next : &queue->first) = group->next;
    *(group->next != NULL ? &group->next->previous : &queue->last) = group->previous;
}

static struct request_group *find_group(const struct modelhost_model *model, int32_t priority)
{
    struct request_group *group = model->lane_account.waiting;
    while (group != NULL && group->priority != priority)
        group = group->next_of_model;
    return group;
}

static struct request_group *open_group(struct request_queue *queue, struct modelhost_model *model,
                                        int32_t priority)
{
    struct request_group *group = queue->spare;
    if (group != NULL)
        queue->spare = group->next;
    else if ((group = malloc(sizeof *group)) == NULL)
        return NULL;
    *group = (struct request_group){.model = model, .priority = priority};
    group->next_of_model = model->lane_account.waiting;
    model->lane_account.waiting = group;
    append_group(queue, group);
    return group;
}

static void close_group(struct request_queue *queue, struct request_group *group)
{
    struct request_group **link = &group->model->lane_account.waiting;
    while (*link != group)
        link = &(*link)->next_of_model;
    *link = group->next_of_model;
    unlink_group(queue, group);
    group->next = queue->spare;
    queue->spare = group;
}

void request_queue_finish(struct request_queue *queue)
{
    for (struct request_group *group = queue->spare, *next = NULL; group != NULL; group = next) {
        next = group->next;
        free(group);
    }
    queue->spare = NULL;
}

bool request_queue_is_full(const struct request_queue *queue)
{
    return (uint64_t)queue->n_requests + queue->n_held >= queue->max_requests;
}

/* Behind `previous`, which is in its group; NULL: before all. */
static void link_request(struct request_queue *queue, struct request_group *group,
                         struct modelhost_request *previous, struct modelhost_request *request)
{
    struct modelhost_request **link = previous != NULL ? &previous->next : &group->first;
    request->group = group;
    request->previous = previous;
    request->next = *link;
    *(request->next != NULL ? &request->next->previous : &group->last) = request;
    *link = request;
    group->n_requests++;
    queue->n_requests++;
}

static struct request_group *group_of(struct request_queue *queue,
                                      const struct modelhost_request *request)
{
    struct request_group *group = find_group(request->model, request->priority);
    return group != NULL ? group : open_group(queue, request->model, request->priority);
}

model_status request_queue_add(struct request_queue *queue, struct modelhost_request *request)
{
    struct request_group *group = group_of(queue, request);
    if (group == NULL)
        return MODEL_OUT_OF_MEMORY;
    link_request(queue, group, group->last, request);
    return MODEL_OK;
}

model_status request_queue_add_first(struct request_queue *queue, struct modelhost_request *request)
{
    struct request_group *group = group_of(queue, request);
    if (group == NULL)
        return MODEL_OUT_OF_MEMORY;
    link_request(queue, group, NULL, request);
    return MODEL_OK;
}

struct modelhost_request *request_queue_first(const struct request_queue *queue)
{
    return queue->first != NULL ? queue->first->first : NULL;
}

void request_queue_take(struct request_queue *queue, struct modelhost_request *const *requests,
                        uint32_t n)
{
    struct request_group *group = requests[0]->group;
    const bool goes_on = group->n_requests > n;
    for (uint32_t i = 0; i < n; i++)
        request_queue_remove(queue, requests[i]);
    if (goes_on && group->next != NULL && group->next->priority == group->priority) {
        unlink_group(queue, group);
        append_group(queue, group);
    }
}

void request_queue_hold(struct request_queue *queue, struct modelhost_request *request)
{
    request->is_held = true;
    request->previous = queue->last_held;
    request->next = NULL;
    *(queue->last_held != NULL ? &queue->last_held->next : &queue->first_held) = request;
    queue->last_held = request;
    queue->n_held++;
}

static void remove_held(struct request_queue *queue, struct modelhost_request *request)
{
    *(request->previous != NULL ? &request->previous->next : &queue->first_held) = request->next;
    *(request->next != NULL ? &request->next->previous : &queue->last_held) = request->previous;
    request->previous = request->next = NULL;
    request->is_held = false;
    queue->n_held--;
}

void request_queue_remove(struct request_queue *queue, struct modelhost_request *request)
{
    struct request_group *group = request->group;
    if (request->is_held) {
        remove_held(queue, request);
        return;
    }
    *(request->previous != NULL ? &request->previous->next : &group->first) = request->next;
    *(request->next != NULL ? &request->next->previous : &group->last) = request->previous;
    request->previous = request->next = NULL;
    request->group = NULL;
    queue->n_requests--;
    if (--group->n_requests == 0)
        close_group(queue, group);
}
