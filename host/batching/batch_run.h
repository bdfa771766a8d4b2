/* batch_run.h - running several requests of one model together, on a lane.
 *
 * Each request is prepared by itself, those that fit are joined, and each caller gets what is his as soon as it is
 * there. When a joint run fails, its requests run again one by one: the error is then the culprit's alone. A
 * request that is given up leaves the others as they are. [lane-thread] */
#ifndef BATCH_RUN_H
#define BATCH_RUN_H

#include "lane.h"

/* Answers all of lane->company by lane_answer(); there are several, of one model. */
void execute_batch(struct lane *lane);

#endif
