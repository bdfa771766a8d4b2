/* route_text.h - why a backend takes no calls, in words. No state, any thread. */
#ifndef ROUTE_TEXT_H
#define ROUTE_TEXT_H

#include "breaker.h"
#include "buffer.h"
#include "demotion.h"

#define ROUTE_FAILURE_BYTES 200

/* Adds "backend 'cpu' has taken no calls for 1.5 s (20 of 20 calls failed, the last with: ...); it is tried
 * again in 3.5 s", with "; " before it when there is something already. `last_failure` may be "". */
void route_text_refusal(const char *backend, const struct breaker *breaker,
                        const char *last_failure, int64_t now_ns, struct buffer *ret);

/* Adds "backend 'coreml' stands behind the others for 1799.0 s (its breaker opened 3 times within 600.0 s)" in the same
 * way. */
void route_text_demotion(const char *backend, const struct demotion *demotion, int64_t now_ns,
                         struct buffer *ret);

#endif
