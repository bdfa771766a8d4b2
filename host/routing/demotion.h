/* demotion.h - when a backend goes behind the package's others, and for how long.
 *
 * A breaker tries its backend again every few minutes at the least, and each of these calls may fail or hang. A backend
 * whose breaker keeps opening is therefore demoted: calls try the others first. When the time is over it is in its place
 * again, on trial: if its breaker opens before it has closed, it is demoted anew.
 *
 * Pure: time is the argument now_ns, which must not go back. The owner's lock guards it. */
#ifndef DEMOTION_H
#define DEMOTION_H

#include <stdbool.h>
#include <stdint.h>

#define DEMOTION_MAX_OPENINGS 16

struct demotion_policy {
    uint32_t n_openings; /* of the breaker, up to DEMOTION_MAX_OPENINGS; 0: never */
    int64_t window_ns;   /* in which they come */
    int64_t duration_ns;
};

struct demotion {
    struct demotion_policy policy;
    int64_t openings_ns[DEMOTION_MAX_OPENINGS]; /* (policy.n_openings), a ring */
    uint32_t first, n_openings;
    int64_t until_ns; /* it is demoted; in the past: it is not */
    bool is_on_trial; /* it was demoted, and its breaker has not closed since */
    bool by_trial;    /* why it was demoted last */
};

void demotion_init(struct demotion *demotion, const struct demotion_policy *policy);
/* The breaker has opened; true: the backend is demoted from now on. */
bool demotion_opened(struct demotion *demotion, int64_t now_ns);
/* The breaker has closed. */
void demotion_closed(struct demotion *demotion);

#endif
