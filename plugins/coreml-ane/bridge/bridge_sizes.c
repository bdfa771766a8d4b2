/* bridge_sizes.c - see bridge_sizes.h. */
#include "bridge_sizes.h"

void bridge_set_range(struct coreml_port *port, uint32_t i, uint64_t first, uint64_t n)
{
    const bool is_open = first > (uint64_t)INT64_MAX || n > (uint64_t)INT64_MAX - first;
    port->min[i] = first == 0 ? 1 : first > (uint64_t)INT64_MAX ? INT64_MAX : (int64_t)first;
    port->max[i] = is_open ? INT64_MAX : (int64_t)(first + n) - 1;
}

void bridge_widen(struct coreml_port *port, uint32_t i, int64_t size)
{
    port->min[i] = size < port->min[i] ? size : port->min[i];
    port->max[i] = size > port->max[i] ? size : port->max[i];
}
