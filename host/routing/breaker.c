/* breaker.c - see breaker.h. The window is a ring with counts beside it, so that a call costs the same
 * whatever the window holds; p99 is a count too: with n calls it is above the SLA when more than n / 100 of
 * them are. No locks, no clock. */
#include "breaker.h"
#include "errors.h"

#include <stdlib.h>

#define MAX_DOUBLINGS 32
#define ROUNDING      1e-9 /* calls: 0.07 x 100 is a little more than 7 */

model_status breaker_init(struct breaker *breaker, const struct breaker_policy *policy,
                          int64_t now_ns, struct model_error *err)
{
    struct breaker_call *calls = calloc(policy->window_calls, sizeof *calls);
    if (calls == NULL)
        return error_no_memory(err, "a breaker");
    *breaker =
        (struct breaker){.policy = *policy, .epoch = 1, .calls = calls, .changed_ns = now_ns};
    return MODEL_OK;
}

void breaker_finish(struct breaker *breaker)
{
    free(breaker->calls);
    breaker->calls = NULL;
}

/* ---- the window */

static void forget_first(struct breaker *breaker)
{
    const struct breaker_call *call = &breaker->calls[breaker->first];
    breaker->n_bad -= call->is_bad;
    breaker->n_slow -= call->is_slow;
    breaker->first = (breaker->first + 1) % breaker->policy.window_calls;
    breaker->n_calls--;
}

static void forget_old(struct breaker *breaker, int64_t now_ns)
{
    while (breaker->n_calls > 0 &&
           now_ns - breaker->calls[breaker->first].end_ns > breaker->policy.window_ns)
        forget_first(breaker);
}

static void remember(struct breaker *breaker, struct breaker_call call)
{
    if (breaker->n_calls == breaker->policy.window_calls)
        forget_first(breaker);
    breaker->calls[(breaker->first + breaker->n_calls) % breaker->policy.window_calls] = call;
    breaker->n_calls++;
    breaker->n_bad += call.is_bad;
    breaker->n_slow += call.is_slow;
}

/* One slow call is no percentile: of fewer than 200 it takes two. */
static bool is_unwell(const struct breaker *breaker)
{
    const uint32_t n = breaker->n_calls;
    if (n < breaker->policy.min_calls)
        return false;
    const uint32_t allowed_slow = n / 100 > 1 ? n / 100 : 1;
    return (double)(n - breaker->n_bad) < breaker->policy.success_rate * (double)n - ROUNDING ||
           breaker->n_slow > allowed_slow;
}

/* ---- the states */

static void enter(struct breaker *breaker, enum breaker_state state, int64_t now_ns)
{
    breaker->state = state;
    breaker->epoch++;
    breaker->changed_ns = now_ns;
    breaker->n_probes = breaker->n_good = 0;
}

static void forget_all(struct breaker *breaker)
{
    breaker->first = breaker->n_calls = breaker->n_bad = breaker->n_slow = 0;
}

static int64_t cooldown_ns(const struct breaker *breaker)
{
    int64_t cooldown = breaker->policy.cooldown_ns;
    for (uint32_t i = 0; i < breaker->n_doublings; i++) {
        if (cooldown > breaker->policy.max_cooldown_ns / 2)
            return breaker->policy.max_cooldown_ns;
        cooldown *= 2;
    }
    return cooldown;
}

/* `again`: it was open a moment ago, so the cool-down was too short. */
static void trip(struct breaker *breaker, bool again, bool by_probe, int64_t now_ns)
{
    breaker->n_doublings = !again                                 ? 0
                           : breaker->n_doublings < MAX_DOUBLINGS ? breaker->n_doublings + 1
                                                                  : MAX_DOUBLINGS;
    breaker->by_probe = by_probe;
    if (!by_probe) {
        breaker->seen_calls = breaker->n_calls;
        breaker->seen_bad = breaker->n_bad;
        breaker->seen_slow = breaker->n_slow;
    }
    forget_all(breaker);
    enter(breaker, BREAKER_OPEN, now_ns);
    breaker->probe_ns = now_ns + cooldown_ns(breaker);
    breaker->n_openings++;
}

bool breaker_would_admit(const struct breaker *breaker, int64_t now_ns)
{
    return breaker->state == BREAKER_CLOSED ||
           (breaker->state == BREAKER_OPEN && now_ns >= breaker->probe_ns) ||
           (breaker->state == BREAKER_HALF_OPEN && breaker->n_probes < breaker->policy.max_probes);
}

bool breaker_admit(struct breaker *breaker, int64_t now_ns, struct breaker_ticket *ret)
{
    if (!breaker_would_admit(breaker, now_ns))
        return false;
    if (breaker->state == BREAKER_OPEN)
        enter(breaker, BREAKER_HALF_OPEN, now_ns);
    if (breaker->state == BREAKER_HALF_OPEN)
        breaker->n_probes++;
    *ret = (struct breaker_ticket){breaker->epoch, now_ns};
    return true;
}

static bool end_probe(struct breaker *breaker, enum breaker_outcome outcome, bool is_slow,
                      int64_t now_ns)
{
    breaker->n_probes--;
    if (outcome == BREAKER_NEUTRAL)
        return false;
    if (outcome != BREAKER_GOOD || is_slow) {
        trip(breaker, true, true, now_ns);
        return true;
    }
    if (++breaker->n_good < breaker->policy.good_probes)
        return false;
    enter(breaker, BREAKER_CLOSED, now_ns);
    return true;
}

static bool end_usual(struct breaker *breaker, enum breaker_outcome outcome, bool is_slow,
                      int64_t now_ns)
{
    if (outcome == BREAKER_NEUTRAL)
        return false;
    forget_old(breaker, now_ns);
    remember(breaker, (struct breaker_call){now_ns, outcome != BREAKER_GOOD, is_slow});
    const bool is_hopeless = outcome == BREAKER_HOPELESS && breaker->policy.success_rate > 0;
    if (!is_hopeless && !is_unwell(breaker))
        return false;
    const bool again =
        breaker->n_openings > 0 && now_ns - breaker->changed_ns < breaker->policy.window_ns;
    trip(breaker, again, false, now_ns);
    return true;
}

bool breaker_end(struct breaker *breaker, struct breaker_ticket *ticket,
                 enum breaker_outcome outcome, int64_t now_ns)
{
    const struct breaker_ticket ended = *ticket;
    ticket->epoch = 0;
    if (ended.epoch != breaker->epoch)
        return false;
    const bool is_slow =
        breaker->policy.sla_ns > 0 && now_ns - ended.start_ns > breaker->policy.sla_ns;
    return breaker->state == BREAKER_HALF_OPEN ? end_probe(breaker, outcome, is_slow, now_ns)
                                               : end_usual(breaker, outcome, is_slow, now_ns);
}
