/* papers_lock.h - who writes a package's papers has the lock on its folder meanwhile. Anybody who may read the folder can
 * take such a lock, so none is waited for without an end, and where there are no locks (some network disks, a folder
 * that cannot be opened) it is done without. [any-thread] */
#ifndef PAPERS_LOCK_H
#define PAPERS_LOCK_H

#include "modelhost.h"

#include <stdbool.h>

#define PAPERS_LOCK_WAIT_S 10

/* How the lock is waited for; each may be NULL. */
struct papers_wait {
    int64_t (*now_ns)(void *context);               /* never goes back; NULL: the monotonic clock */
    void (*pause)(void *context, int64_t pause_ns); /* sleeps, about so long; NULL: really */
    bool (*is_cancelled)(void *context);            /* asked ten times a second or more often */
    void (*notice)(void *context,
                   const char *sentence); /* once, when it takes more than a second */
    void *context;
};

/* The lock, or -1 for where there are none; released by papers_lock_release(). Waits PAPERS_LOCK_WAIT_S at most, then
 * MODEL_BUSY; MODEL_CANCELLED. wait NULL: as one without functions. Not to be taken by a thread that has it. */
model_status papers_lock_take(const char *dir, const struct papers_wait *wait, int *ret,
                              struct model_error *err);
/* -1: somebody has it, there are none, or dir is a link. */
int papers_lock_try(const char *dir);
void papers_lock_release(int lock);

#endif
