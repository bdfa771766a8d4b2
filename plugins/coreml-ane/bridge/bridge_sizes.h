/* bridge_sizes.h - sizes that inputs and outputs may have, out of how Core ML tells them. Plain C without state, any thread. */
#ifndef BRIDGE_SIZES_H
#define BRIDGE_SIZES_H

#include "coreml_bridge.h"

#include <stdbool.h>

/* Dimension i is of n sizes from `first` on; of as many as there can be: without bound. Of size 0 there are no tensors. */
void bridge_set_range(struct coreml_port *port, uint32_t i, uint64_t first, uint64_t n);
/* Dimension i may be of this size, too. */
void bridge_widen(struct coreml_port *port, uint32_t i, int64_t size);

#endif
