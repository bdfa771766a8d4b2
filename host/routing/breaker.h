/* breaker.h - a circuit breaker: whether a backend may be asked, by how its last calls ended.
 *
 * Closed: every call passes, and its end is written into a window of the last calls. When too few of them
 * were good, or too many slow, it opens: no call passes for a cool-down, which doubles each time that it
 * opens again soon. Then it is half-open: a few calls at a time are probes; enough good ones close
 * it, a bad one opens it again. The pattern is Nygard's (Release It!, "Circuit Breaker").
 *
 * Pure: time is the argument now_ns, which must not go back. The owner's lock guards it. */
#ifndef BREAKER_H
#define BREAKER_H

#include "modelhost.h"

#include <stdbool.h>

#define BREAKER_MAX_WINDOW 4096

struct breaker_policy {
    uint32_t window_calls; /* 1 to BREAKER_MAX_WINDOW */
    int64_t window_ns;     /* older calls do not count */
    uint32_t min_calls;    /* fewer say nothing; 1 to window_calls */
    double success_rate;   /* below this it opens; 0: errors never open it */
    int64_t sla_ns;        /* p99 of durations above this opens it; 0: none */
    int64_t cooldown_ns;   /* after the first opening */
    int64_t max_cooldown_ns;
    uint32_t max_probes;  /* at a time */
    uint32_t good_probes; /* that close it */
};

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

enum breaker_outcome {
    BREAKER_GOOD,
    BREAKER_BAD,
    BREAKER_HOPELESS, /* bad, and so were those before it: errors open it without min_calls */
    BREAKER_NEUTRAL   /* says nothing about the backend: cancelled, refused, the caller's mistake */
};

/* What a call that passed takes along. */
struct breaker_ticket {
    uint64_t epoch; /* 0: none */
    int64_t start_ns;
};

struct breaker_call {
    int64_t end_ns;
    bool is_bad, is_slow;
};

struct breaker {
    struct breaker_policy policy;
    enum breaker_state state;
    uint64_t epoch; /* counts the changes of state: ends of calls from before one do not count */

    struct breaker_call *calls; /* (policy.window_calls), a ring */
    uint32_t first, n_calls, n_bad, n_slow;

    int64_t changed_ns;        /* the state's beginning */
    int64_t probe_ns;          /* open: when it is tried again */
    uint32_t n_doublings;      /* of the cool-down */
    uint32_t n_probes, n_good; /* half-open: under way, ended well */

    /* Why it opened last. */
    uint32_t seen_calls, seen_bad, seen_slow;
    bool by_probe;
    uint64_t n_openings;
};

model_status breaker_init(struct breaker *breaker, const struct breaker_policy *policy,
                          int64_t now_ns, struct model_error *err);
void breaker_finish(struct breaker *breaker);

/* Whether a call may pass; then breaker_end() must follow, once. */
bool breaker_admit(struct breaker *breaker, int64_t now_ns, struct breaker_ticket *ret);
/* Whether breaker_admit() would let a call pass. */
bool breaker_would_admit(const struct breaker *breaker, int64_t now_ns);
/* The end of a call; true when it changed the state. The ticket is void then; a void one does nothing. */
bool breaker_end(struct breaker *breaker, struct breaker_ticket *ticket,
                 enum breaker_outcome outcome, int64_t now_ns);

#endif
