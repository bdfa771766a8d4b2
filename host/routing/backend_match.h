/* backend_match.h - whether one backend of a model may stand in for another. No state, any thread. */
#ifndef BACKEND_MATCH_H
#define BACKEND_MATCH_H

#include "modelhost.h"

/* MODEL_UNSUPPORTED, saying what differs, unless `found` takes every input that `wanted` takes, needs no
 * other, gives every output that `wanted` gives, all by dtype and rank, and is made for the same task. */
model_status backend_match(const struct model_description *wanted,
                           const struct model_description *found, struct model_error *err);

/* MODEL_UNSUPPORTED, saying what differs, unless calls of `wanted` can go to `found` at any time: it matches, takes all
 * sizes that `wanted` takes, gives none that `wanted` does not, and streams and remembers where that does. */
model_status backend_match_fully(const struct model_description *wanted,
                                 const struct model_description *found, struct model_error *err);

#endif
