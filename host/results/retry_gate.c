/* retry_gate.c - see retry_gate.h. */
#include "retry_gate.h"

bool retry_gate_is_open(const struct retry_gate *gate, int64_t now_ns)
{
    return gate->wait_ns == 0 || now_ns >= gate->closed_until_ns;
}

void retry_gate_failed(struct retry_gate *gate, int64_t now_ns)
{
    if (gate->wait_ns == 0)
        gate->wait_ns = gate->first_wait_ns;
    else
        gate->wait_ns =
            gate->wait_ns > gate->last_wait_ns / 2 ? gate->last_wait_ns : gate->wait_ns * 2;
    gate->closed_until_ns = now_ns + gate->wait_ns;
}

void retry_gate_succeeded(struct retry_gate *gate)
{
    gate->wait_ns = 0;
}
