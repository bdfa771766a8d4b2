/* demotion.c - see demotion.h. No locks, no clock. */
#include "demotion.h"

void demotion_init(struct demotion *demotion, const struct demotion_policy *policy)
{
    *demotion = (struct demotion){.policy = *policy, .until_ns = INT64_MIN};
}

/* Whether the opening completes a row of so many within the window. */
static bool note(struct demotion *demotion, int64_t now_ns)
{
    const uint32_t wanted = demotion->policy.n_openings;
    if (demotion->n_openings == wanted) {
        demotion->first = (demotion->first + 1) % wanted;
        demotion->n_openings--;
    }
    demotion->openings_ns[(demotion->first + demotion->n_openings) % wanted] = now_ns;
    demotion->n_openings++;
    return demotion->n_openings == wanted &&
           now_ns - demotion->openings_ns[demotion->first] <= demotion->policy.window_ns;
}

bool demotion_opened(struct demotion *demotion, int64_t now_ns)
{
    if (demotion->policy.n_openings == 0 || now_ns < demotion->until_ns)
        return false;
    if (!demotion->is_on_trial && !note(demotion, now_ns))
        return false;
    demotion->by_trial = demotion->is_on_trial;
    demotion->is_on_trial = true;
    demotion->n_openings = 0;
    demotion->until_ns = now_ns + demotion->policy.duration_ns;
    return true;
}

void demotion_closed(struct demotion *demotion)
{
    demotion->is_on_trial = false;
}
