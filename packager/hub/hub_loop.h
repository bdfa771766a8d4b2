/* hub_loop.h - sockets, a timer and a wake-up on one libuv loop, for the HTTP client: what waits and is
 * told, without a word of HTTP. One thread at a time, but hub_loop_wake(). */
#ifndef HUB_LOOP_H
#define HUB_LOOP_H

#include "modelhost.h"

#include <stdbool.h>

struct hub_loop;
struct hub_watch; /* of one socket */

struct hub_loop_events {
    void (*on_socket)(void *context, int socket, bool readable, bool writable);
    void (*on_timer)(void *context);
    void *context;
};

model_status hub_loop_create(const struct hub_loop_events *events, struct hub_loop **ret,
                             struct model_error *err);
void hub_loop_destroy(struct hub_loop *loop);

/* Watches a socket for these; *watch is NULL at first, and becomes NULL again when both are false. The
 * socket may be closed after that. */
model_status hub_loop_watch(struct hub_loop *loop, struct hub_watch **watch, int socket, bool read,
                            bool write);
/* Calls on_timer() once after so long; -1: never. Takes the place of what was set before. */
void hub_loop_set_timer(struct hub_loop *loop, int64_t after_ms);

/* Waits until something has happened and was told, at most so long. */
void hub_loop_run(struct hub_loop *loop, int64_t timeout_ms);
/* Makes hub_loop_run() return, now or the next time. [any-thread] */
void hub_loop_wake(struct hub_loop *loop);

#endif
