/* wait_word.h - one waits, one posts: a sleeper is woken, and nobody else.
 *
 * A condition variable costs its waiter the mutex again and its poster a system call each time. Here a post
 * that nobody sleeps for is one atomic store, and a waiter may look for a while before it sleeps: waking a
 * sleeper takes longer than most short calls do. */
#ifndef WAIT_WORD_H
#define WAIT_WORD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct wait_word {
    _Atomic uint32_t state; /* all zeros: nothing posted, nobody waits */
};

/* How long waiters of one kind look before they sleep: longer where that has paid off, shorter or not at all
 * where it has not. */
struct wait_spin {
    _Atomic int32_t budget_ns; /* negative: so many waits without a look */
    int32_t max_ns;            /* 0: never looks, on one CPU */
};

void wait_spin_init(struct wait_spin *spin, uint32_t n_cpus);

/* Waits for the post, until deadline_ns (clock_now_ns(); INT64_MAX: for ever); returns whether it came. What
 * the poster did before is seen then. spin NULL: sleeps at once. gives_way: others may have the CPU between
 * looks, for when more threads of ours want to run than there are CPUs. One waiter at a time. */
bool wait_word_wait(struct wait_word *word, struct wait_spin *spin, bool gives_way,
                    int64_t deadline_ns);
/* Wakes the waiter, or spares the next one the waiting. Until wait_word_reset() further posts do nothing.
 * [any-thread] */
void wait_word_post(struct wait_word *word);
/* As if nothing had been posted. By the waiter, while nobody may post. */
void wait_word_reset(struct wait_word *word);

#endif
