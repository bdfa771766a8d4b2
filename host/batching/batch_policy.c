/* batch_policy.c - see batch_policy.h. */
#include "batch_policy.h"
#include "size.h"

/* The latest time at which a candidate still wants to start. */
static int64_t patience_ns(const struct batch_limits *limits,
                           const struct batch_candidate *candidate)
{
    const int64_t delayed_ns = candidate->arrival_ns + limits->max_delay_ns;
    if (candidate->deadline_ns == INT64_MAX)
        return delayed_ns;
    const int64_t half_ns =
        candidate->arrival_ns + (candidate->deadline_ns - candidate->arrival_ns) / 2;
    return half_ns < delayed_ns ? half_ns : delayed_ns;
}

/* Whether a limit is reached, so that not even the smallest candidate would fit. */
static bool has_no_room(const struct batch_plan *plan)
{
    const struct batch_limits *limits = &plan->limits;
    return plan->key == 0 || plan->n_items >= limits->max_items ||
           (limits->max_tokens > 0 && plan->n_tokens >= limits->max_tokens);
}

void batch_plan_begin(struct batch_plan *plan, const struct batch_limits *limits,
                      const struct batch_candidate *first)
{
    *plan = (struct batch_plan){.limits = *limits,
                                .key = first->key,
                                .n_items = first->n_items,
                                .n_tokens = first->n_tokens,
                                .n_members = 1,
                                .run_at_ns = patience_ns(limits, first)};
    plan->is_full = has_no_room(plan);
}

bool batch_plan_add(struct batch_plan *plan, const struct batch_candidate *candidate)
{
    uint64_t n_items = 0, n_tokens = 0;
    if (plan->is_full || candidate->key != plan->key)
        return false;
    const bool fits = size_add(plan->n_items, candidate->n_items, &n_items) &&
                      size_add(plan->n_tokens, candidate->n_tokens, &n_tokens) &&
                      n_items <= plan->limits.max_items &&
                      (plan->limits.max_tokens == 0 || n_tokens <= plan->limits.max_tokens);
    if (!fits) {
        plan->is_full = true;
        return false;
    }
    const int64_t run_at_ns = patience_ns(&plan->limits, candidate);
    plan->n_items = n_items;
    plan->n_tokens = n_tokens;
    plan->n_members++;
    plan->run_at_ns = run_at_ns < plan->run_at_ns ? run_at_ns : plan->run_at_ns;
    plan->is_full = has_no_room(plan);
    return true;
}

bool batch_plan_is_due(const struct batch_plan *plan, int64_t now_ns)
{
    return plan->is_full || now_ns >= plan->run_at_ns;
}
