/* route_text.c - see route_text.h. What does not fit into the buffer is left out, part by part. */
#include "route_text.h"
#include "clock.h"

static double seconds(int64_t ns)
{
    return (double)(ns > 0 ? ns : 0) / (double)NS_PER_S;
}

static void say_cause(const struct breaker *breaker, const char *last_failure, struct buffer *ret)
{
    const bool by_errors = breaker->by_probe || breaker->seen_bad > 0;
    if (breaker->by_probe)
        (void)buffer_append_text(ret, "a call that tried it again failed or was too slow");
    else if (breaker->seen_bad > 0)
        (void)buffer_printf(ret, "%u of %u calls failed", breaker->seen_bad, breaker->seen_calls);
    if (!breaker->by_probe && breaker->seen_slow > 0)
        (void)buffer_printf(ret, "%s%u of %u calls took longer than %lld ms",
                            breaker->seen_bad > 0 ? ", " : "", breaker->seen_slow,
                            breaker->seen_calls, (long long)(breaker->policy.sla_ns / NS_PER_MS));
    if (by_errors && last_failure[0] != '\0')
        (void)buffer_printf(ret, "; the last failure: %s", last_failure);
}

void route_text_refusal(const char *backend, const struct breaker *breaker,
                        const char *last_failure, int64_t now_ns, struct buffer *ret)
{
    if (ret->size > 0)
        (void)buffer_append_text(ret, "; ");
    if (breaker->state == BREAKER_HALF_OPEN) {
        (void)buffer_printf(ret, "backend '%s' is being tried again by %u calls", backend,
                            breaker->n_probes);
        return;
    }
    const int64_t since_ns = now_ns - breaker->changed_ns;
    if (since_ns >= NS_PER_S / 10)
        (void)buffer_printf(ret, "backend '%s' has taken no calls for %.1f s (", backend,
                            seconds(since_ns));
    else
        (void)buffer_printf(ret, "backend '%s' takes no calls (", backend);
    say_cause(breaker, last_failure, ret);
    (void)buffer_printf(ret, "); it is tried again in %.1f s", seconds(breaker->probe_ns - now_ns));
}

void route_text_demotion(const char *backend, const struct demotion *demotion, int64_t now_ns,
                         struct buffer *ret)
{
    (void)buffer_printf(ret, "%sbackend '%s' stands behind the others for %.1f s (",
                        ret->size > 0 ? "; " : "", backend, seconds(demotion->until_ns - now_ns));
    if (demotion->by_trial)
        (void)buffer_append_text(ret, "its breaker opened again when it was back in its place)");
    else
        (void)buffer_printf(
            ret, "its breaker opened %u time%s within %.1f s)", demotion->policy.n_openings,
            demotion->policy.n_openings == 1 ? "" : "s", seconds(demotion->policy.window_ns));
}
