/* lane_place.h - which processors a lane stays on, where threads are pinned. */
#ifndef LANE_PLACE_H
#define LANE_PLACE_H

#include "lane.h"

/* Under the mutex: the first place that no lane has, but for those that another one stands in for. */
uint32_t lane_find_place(const struct scheduler *scheduler);
/* Keeps the calling thread, which is the lane's, where its place is; nothing unless the scheduler pins threads. [lane-thread],
 * before its team has helpers */
void lane_pin(const struct lane *lane);

#endif
