/* lane_place.c - see lane_place.h. Covered by tests/unit/test_lane_pinning.c. */
#include "lane_place.h"
#include "parallel.h"
#include "scheduler.h"

uint32_t lane_find_place(const struct scheduler *scheduler)
{
    for (uint32_t place = 0;; place++) {
        const struct lane *lane = scheduler->lanes;
        while (lane != NULL &&
               (lane->place != place || lane->is_direct || lane->is_abandoned || lane->is_relieved))
            lane = lane->next;
        if (lane == NULL)
            return place;
    }
}

void lane_pin(const struct lane *lane)
{
    const struct scheduler_options *options = &lane->scheduler->options;
    if (options->pins_threads)
        parallel_pin(&options->cpus, lane->place, options->threads);
}
