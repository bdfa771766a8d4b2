/* request_queue.h - requests that wait for a lane, and whose turn it is.
 *
 * The highest priority goes first. Within a priority models take turns, so that one with many requests
 * cannot starve another; within model and priority the first that came goes first. A group is the requests
 * of one model and one priority; the groups that wait are one list in the order of their turns. A request
 * that waits for a backend is held: it has no turn. Bounded, and guarded by its user's mutex. */
#ifndef REQUEST_QUEUE_H
#define REQUEST_QUEUE_H

#include "request.h"

struct request_group {
    struct modelhost_model *model;
    int32_t priority;
    uint32_t n_requests;
    struct modelhost_request *first, *last;
    struct request_group *next, *previous; /* in turn; next: of the spare ones, too */
    struct request_group *next_of_model;
};

struct request_queue {
    uint32_t n_requests, n_held,
        max_requests; /* held ones are none of n_requests, but of the maximum */
    struct modelhost_request *first_held, *last_held;
    struct request_group *first, *last; /* whose turn is next, and who is last */
    struct request_group *spare;        /* emptied groups, to be used again */
};

/* Frees what it keeps; it must be empty. */
void request_queue_finish(struct request_queue *queue);

bool request_queue_is_full(const struct request_queue *queue);
/* At the end of its group, for which request->model and ->priority stand. Not into a full queue.
 * MODEL_OUT_OF_MEMORY leaves the queue as it was. */
model_status request_queue_add(struct request_queue *queue, struct modelhost_request *request);
/* The same at the beginning of its group. */
model_status request_queue_add_first(struct request_queue *queue,
                                     struct modelhost_request *request);
/* Whose turn it is, or NULL. */
struct modelhost_request *request_queue_first(const struct request_queue *queue);
/* Takes out n > 0 of one group; the next turn is another model's of this priority, if one waits. */
void request_queue_take(struct request_queue *queue, struct modelhost_request *const *requests,
                        uint32_t n);
/* At the end of those that are held. Not into a full queue. */
void request_queue_hold(struct request_queue *queue, struct modelhost_request *request);
/* Takes out one that is in it, whatever its turn, or is held. */
void request_queue_remove(struct request_queue *queue, struct modelhost_request *request);

#endif
