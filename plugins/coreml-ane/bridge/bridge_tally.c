/* bridge_tally.c - see bridge_tally.h. */
#include "bridge_tally.h"

void bridge_tally_add(struct bridge_tally *tally, enum bridge_device device, double cost)
{
    tally->n[device]++;
    tally->cost[device] += cost > 0 ? cost : 0;
}

struct coreml_plan_counts bridge_tally_counts(const struct bridge_tally *tally)
{
    const uint32_t *n = tally->n;
    struct coreml_plan_counts counts = {.struct_size = sizeof counts,
                                        .n_operators =
                                            n[BRIDGE_CPU] + n[BRIDGE_GPU] + n[BRIDGE_NEURAL_ENGINE],
                                        .n_neural_engine = n[BRIDGE_NEURAL_ENGINE],
                                        .n_gpu = n[BRIDGE_GPU],
                                        .n_cpu = n[BRIDGE_CPU]};
    const double cost =
        tally->cost[BRIDGE_CPU] + tally->cost[BRIDGE_GPU] + tally->cost[BRIDGE_NEURAL_ENGINE];
    if (cost > 0)
        counts.neural_engine_share = tally->cost[BRIDGE_NEURAL_ENGINE] / cost;
    else if (counts.n_operators > 0)
        counts.neural_engine_share = (double)counts.n_neural_engine / counts.n_operators;
    return counts;
}
