/* load_options.h - what the options of a load mean. No state, any thread. */
#ifndef LOAD_OPTIONS_H
#define LOAD_OPTIONS_H

#include "breaker.h"

/* All of them: what the caller's struct was compiled without is 0. `options` may be NULL. */
struct modelhost_load_options load_options_complete(const struct modelhost_load_options *options);

/* The breaker's part of complete options; MODEL_INVALID_ARGUMENT names what is out of its range. */
model_status load_options_policy(const struct modelhost_load_options *options,
                                 struct breaker_policy *ret, struct model_error *err);

/* The part about quarantine of complete options; the same. */
model_status load_options_check_quarantine(const struct modelhost_load_options *options,
                                           struct model_error *err);

#endif
