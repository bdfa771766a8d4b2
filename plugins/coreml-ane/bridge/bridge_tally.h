/* bridge_tally.h - where the operations of a plan are, counted and weighed. Plain C without state, any thread. */
#ifndef BRIDGE_TALLY_H
#define BRIDGE_TALLY_H

#include "coreml_bridge.h"

enum bridge_device { BRIDGE_CPU, BRIDGE_GPU, BRIDGE_NEURAL_ENGINE, BRIDGE_N_DEVICES };

struct bridge_tally {
    uint32_t n[BRIDGE_N_DEVICES];
    double cost[BRIDGE_N_DEVICES];
};

/* One operation more, of an estimated cost: below 0, or no number, counts as 0, which is how a plan says that it knows none. */
void bridge_tally_add(struct bridge_tally *tally, enum bridge_device device, double cost);
struct coreml_plan_counts bridge_tally_counts(const struct bridge_tally *tally);

#endif
