/* background.h - threads for what takes long and is waited for by nobody in particular: opening the next
 * backend of a model. Belongs to the host, which waits for them before it goes. [any-thread] */
#ifndef BACKGROUND_H
#define BACKGROUND_H

#include "modelhost.h"

#include <stdbool.h>
#include <uv.h>

/* A word that background_stop() raises, for what can end early; so may its owner. In memory of the owner. */
struct background_token {
    struct background_token *next;
    uint32_t cancelled; /* atomic: 0, or MODEL_CANCELLED */
};

struct background {
    uv_mutex_t mutex;                /* guards what follows */
    struct background_thread *first; /* under way, or ended and not yet joined */
    struct background_token *tokens;
    bool is_stopped;
};

model_status background_init(struct background *background, struct model_error *err);
/* Runs body(argument) on a thread of its own. MODEL_CANCELLED behind background_stop(). */
model_status background_start(struct background *background, void (*body)(void *argument),
                              void *argument, struct model_error *err);
/* From here to background_forget() the token is raised with the others; at once, if that has been. */
void background_watch(struct background *background, struct background_token *token);
void background_forget(struct background *background, struct background_token *token);
void background_raise(struct background_token *token);

/* Starts nothing more, raises all tokens, and waits for all threads. */
void background_stop(struct background *background);
void background_finish(struct background *background);

#endif
