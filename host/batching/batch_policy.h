/* batch_policy.h - which waiting requests of a model run together, and when.
 *
 * Pure: no clock, no memory, no request. What is known of each is a struct batch_candidate; the caller
 * offers them in the order of its queue and says what time it is. Belongs to the caller; one thread.
 *
 * The first candidate leads. Those behind it with the same key are added until the next one would break a
 * limit: then the batch is full, and nothing overtakes the one that did not fit. A batch that is not full may
 * wait for more until its oldest member has waited max_delay_ns, or one has used up half of the time that it
 * had until its deadline. */
#ifndef BATCH_POLICY_H
#define BATCH_POLICY_H

#include <stdbool.h>
#include <stdint.h>

/* At most so many items in a joint run, and so many members. */
#define BATCH_MAX_ITEMS 1024

struct batch_limits {
    uint32_t max_items;   /* of a joint run, 0 or 1: nothing is joined; up to BATCH_MAX_ITEMS */
    uint64_t max_tokens;  /* the sum of the lengths of its items, without padding; 0: no limit */
    int64_t max_delay_ns; /* that a request waits for others */
};

struct batch_candidate {
    uint64_t key;      /* equal ones may be joined; 0: runs alone */
    uint64_t n_items;  /* at least 1 */
    uint64_t n_tokens; /* of its items together */
    int64_t arrival_ns;
    int64_t deadline_ns; /* INT64_MAX: none */
};

struct batch_plan {
    struct batch_limits limits;
    uint64_t key, n_items, n_tokens;
    uint32_t n_members;
    bool is_full;
    int64_t run_at_ns; /* it is not full, and waits until then */
};

/* A batch of `first` alone. It may break limits by itself. */
void batch_plan_begin(struct batch_plan *plan, const struct batch_limits *limits,
                      const struct batch_candidate *first);

/* Whether the candidate has become a member. Once plan->is_full, no other one will. */
bool batch_plan_add(struct batch_plan *plan, const struct batch_candidate *candidate);

/* Whether the batch is to run at `now_ns`; if not, plan->run_at_ns is when. */
bool batch_plan_is_due(const struct batch_plan *plan, int64_t now_ns);

#endif
