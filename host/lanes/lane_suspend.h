/* lane_suspend.h - a long request that lets others have their turn on its lane.
 *
 * A job that asks lane_may_suspend() between two of its calls, and is told so, returns from run() at once with MODEL_OK
 * and no result, and keeps what it has. Its request goes to the end of its queue, and run() is called again when its
 * turn comes, maybe on another lane. It may be given up meanwhile: then the job is destroyed without another run().
 * A model has only so many of them, as each holds an instance: where there are enough, its next request is not begun, but
 * those that have begun go on taking turns, and other models have theirs. */
#ifndef LANE_SUSPEND_H
#define LANE_SUSPEND_H

#include "lane.h"

enum lane_turn {
    LANE_TURN_OF_ANYBODY,
    LANE_TURN_OF_NEW_ONES /* who has not begun need not wait until a turn is over */
};

/* Whether one of these waits, and is next. [lane-thread] */
bool lane_may_suspend(struct modelhost_request *request, enum lane_turn whose);

/* Under the mutex, when run() has returned: puts what the lane runs back into the queue, with the lane's reference.
 * false: it was given up meanwhile, or there is no place, and is to run on. */
bool lane_suspend(struct lane *lane);
/* Under the mutex: a suspended request has left the queue. */
void lane_suspend_ended(struct modelhost_request *request);

#endif
