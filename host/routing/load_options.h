/* load_options.h - what the options of a load mean. No state, any thread. */
#ifndef LOAD_OPTIONS_H
#define LOAD_OPTIONS_H

#include "archive_secret.h"
#include "breaker.h"
#include "demotion.h"

/* All of them: what the caller's struct was compiled without is 0. `options` may be NULL. */
struct modelhost_load_options load_options_complete(const struct modelhost_load_options *options);

/* The breaker's part of complete options; MODEL_INVALID_ARGUMENT names what is out of its range. */
model_status load_options_policy(const struct modelhost_load_options *options,
                                 struct breaker_policy *ret, struct model_error *err);

/* The part about the order of backends; the same. */
model_status load_options_demotion(const struct modelhost_load_options *options,
                                   struct demotion_policy *ret, struct model_error *err);

/* The part about quarantine of complete options; the same. */
model_status load_options_check_quarantine(const struct modelhost_load_options *options,
                                           struct model_error *err);
/* The same of those of generating text. */
model_status load_options_check_generation(const struct modelhost_load_options *options,
                                           struct model_error *err);

/* What opens an encrypted archive, of complete options: read and to be destroyed, or NULL. MODEL_INVALID_ARGUMENT: more
 * than one is named. */
model_status load_options_secret(const struct modelhost_load_options *options,
                                 struct archive_secret **ret, struct model_error *err);

#endif
