/* background.h - threads for what takes long and is waited for by nobody in particular: opening the next
 * backend of a model. Belongs to the host, which waits for them before it goes. [any-thread] */
#ifndef BACKGROUND_H
#define BACKGROUND_H

#include "modelhost.h"

#include <stdbool.h>
#include <uv.h>

struct background {
    uv_mutex_t mutex;                /* guards what follows */
    struct background_thread *first; /* under way, or ended and not yet joined */
    bool is_stopped;
};

model_status background_init(struct background *background, struct model_error *err);
/* Runs body(argument) on a thread of its own. MODEL_CANCELLED behind background_stop(). */
model_status background_start(struct background *background, void (*body)(void *argument),
                              void *argument, struct model_error *err);
/* Starts nothing more, and waits for all of them. */
void background_stop(struct background *background);
void background_finish(struct background *background);

#endif
