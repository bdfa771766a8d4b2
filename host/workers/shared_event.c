/* shared_event.c - see shared_event.h: a futex on Linux; elsewhere short naps. */
#include "shared_event.h"
#include "clock.h"

#include <limits.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#endif

#define MIN_SPIN_NS 1000ll

/* Between two looks of a spinning thread. */
static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#ifdef __linux__
static void sleep_on(uint32_t *word, uint32_t value, int64_t until_ns)
{
    const struct timespec until = {until_ns / NS_PER_S, until_ns % NS_PER_S};
    (void)syscall(SYS_futex, word, FUTEX_WAIT_BITSET, value, until_ns == INT64_MAX ? NULL : &until,
                  NULL, FUTEX_BITSET_MATCH_ANY);
}

static void wake(uint32_t *word)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}
#else
static void sleep_on(uint32_t *word, uint32_t value, int64_t until_ns)
{
    while (__atomic_load_n(word, __ATOMIC_SEQ_CST) == value && clock_now_ns() < until_ns)
        (void)usleep(100);
}

static void wake(uint32_t *word)
{
    (void)word;
}
#endif

uint32_t shared_event_ticket(const struct shared_event *event)
{
    return __atomic_load_n(&event->count, __ATOMIC_SEQ_CST);
}

/* Whether the count moved on while the thread looked. */
static bool look(struct shared_event *event, uint32_t ticket, struct shared_spin *spin)
{
    const int64_t end_ns = clock_now_ns() + spin->ns;
    bool moved = false;
    do
        for (int i = 0; i < 32 && !moved; i++) {
            relax();
            moved = shared_event_ticket(event) != ticket;
        }
    while (!moved && clock_now_ns() < end_ns);
    spin->ns = moved ? 2 * spin->ns : spin->ns / 2;
    spin->ns = spin->ns < MIN_SPIN_NS ? MIN_SPIN_NS : spin->ns;
    spin->ns = spin->ns > spin->max_ns ? spin->max_ns : spin->ns;
    return moved;
}

void shared_event_wait(struct shared_event *event, uint32_t ticket, struct shared_spin *spin,
                       int64_t until_ns)
{
    if (spin->max_ns > 0 && look(event, ticket, spin))
        return;
    __atomic_store_n(&event->sleeps, 1, __ATOMIC_SEQ_CST);
    if (shared_event_ticket(event) == ticket)
        sleep_on(&event->count, ticket, until_ns);
    __atomic_store_n(&event->sleeps, 0, __ATOMIC_SEQ_CST);
}

void shared_event_signal(struct shared_event *event)
{
    (void)__atomic_fetch_add(&event->count, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&event->sleeps, __ATOMIC_SEQ_CST) != 0)
        wake(&event->count);
}

void shared_event_wake(struct shared_event *event)
{
    (void)__atomic_fetch_add(&event->count, 1, __ATOMIC_SEQ_CST);
    wake(&event->count);
}
