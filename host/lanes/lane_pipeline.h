/* lane_pipeline.h - short calls of a worker's model, handed over several at a time.
 *
 * Where a call takes less than waking a process does, a lane takes those that wait behind it, too, and asks for
 * all of them ahead (worker_ask.h): the worker makes them one after the other, and the lane answers each
 * as it ends. Each keeps its deadline, token and error. How many is a matter of how long calls of
 * the model took of late, so that nobody waits behind others for longer than a moment. */
#ifndef LANE_PIPELINE_H
#define LANE_PIPELINE_H

#include "lane.h"

/* Whether calls of the model may be handed over so at all. */
bool lane_pipeline_suits(const struct modelhost_model *model);

/* Whether a synchronous call had better be made by its caller's own thread, if a lane is free: no code of the plugin
 * runs on it, only the waiting for the worker, and nobody gives the call up meanwhile. */
bool lane_pipeline_spares_lane(const struct modelhost_request *request);

/* `first` and those behind it in its queue that go with it, into members, which have room for BATCH_MAX_ITEMS;
 * returns how many. Under the mutex. */
uint32_t lane_pipeline_gather(struct modelhost_request *first, struct modelhost_request **members);

/* Runs all of lane->company and answers them by lane_answer(). [lane-thread] */
void lane_pipeline_run(struct lane *lane);

#endif
