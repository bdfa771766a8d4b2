/* lane_lost.h - when a plugin ends the thread of a lane, by pthread_exit(). */
#ifndef LANE_LOST_H
#define LANE_LOST_H

#include "lane.h"

/* For thread_guard_run(), around all that a lane does: answers the requests that it runs, and has the loop start another
 * lane in its place. The instance that ran is in the middle of something for ever: it is left in memory.
 * [the lane's thread, as the last thing] */
void lane_lost(void *lane);

#endif
