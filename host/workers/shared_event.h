/* shared_event.h - waiting for something to happen in memory that several processes share.
 *
 * An event counts. Who waits takes a ticket (the count), looks whether what it waits for is there, and only
 * then waits for the count to move on: whatever happens behind the look ends the wait. Who signals makes a
 * system call only when somebody sleeps. One thread waits at an event at a time; any may signal.
 *
 *   ticket = shared_event_ticket(e);
 *   while (!is_there()) { shared_event_wait(e, ticket, ...); ticket = shared_event_ticket(e); } */
#ifndef SHARED_EVENT_H
#define SHARED_EVENT_H

#include <stdbool.h>
#include <stdint.h>

struct shared_event {
    uint32_t count;
    uint32_t sleeps; /* somebody has to be woken */
};

/* How long the waiting side looks before it sleeps. It learns: looking that did not help is shortened. */
struct shared_spin {
    int64_t ns;
    int64_t max_ns; /* 0: it sleeps at once, as with a single processor */
};

uint32_t shared_event_ticket(const struct shared_event *event);
/* Returns when the count is no longer the ticket, at until_ns (INT64_MAX: never), or for no reason. */
void shared_event_wait(struct shared_event *event, uint32_t ticket, struct shared_spin *spin,
                       int64_t until_ns);
void shared_event_signal(struct shared_event *event);
/* Signals whoever sleeps, whatever the memory says: for memory that another process may have written to. Such
 * a process can still lead a sleeper to another address (FUTEX_CMP_REQUEUE): who shares memory with one that
 * it does not trust waits for a bounded time only, and looks again. */
void shared_event_wake(struct shared_event *event);

#endif
