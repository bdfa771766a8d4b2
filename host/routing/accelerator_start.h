/* accelerator_start.h - a package's first backend, opened in the background while the next one serves.
 *
 * Core ML may compile for minutes. A load answers as soon as the next backend is open, its owner; the first one joins it
 * when it is ready, or never. It belongs to its owner's route, and lives on until the opening has ended. [any-thread] */
#ifndef ACCELERATOR_START_H
#define ACCELERATOR_START_H

#include "backend_chain.h"

#include <stdbool.h>

struct accelerator_start;

enum accelerator_state {
    ACCELERATOR_LOADING,
    ACCELERATOR_READY,
    ACCELERATOR_REFUSED /* the chain says why */
};

/* Whether the chain's first backend is to be opened so. */
bool accelerator_start_is_wanted(const struct backend_chain *chain);
/* Opens it on a thread of the host's. `owner` serves meanwhile, and nobody knows it yet. */
model_status accelerator_start_create(struct modelhost_model *owner, struct accelerator_start **ret,
                                      struct model_error *err);
/* The owner goes: what is still being opened is given up, within a moment if it is in workers. NULL does nothing. */
void accelerator_start_close(struct accelerator_start *start);
/* Releases the backend, too. NULL does nothing. */
void accelerator_start_drop(struct accelerator_start *start);

enum accelerator_state accelerator_start_state(const struct accelerator_start *start);
/* The backend when it is ready, else NULL. Also of NULL. */
struct modelhost_model *accelerator_start_model(const struct accelerator_start *start);

/* The first of the chain's backends of which it is known whether it opened: 1 until that is refused, 0 of NULL. */
size_t accelerator_start_first_known(const struct accelerator_start *start);

#endif
