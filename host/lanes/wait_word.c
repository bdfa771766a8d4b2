/* wait_word.c - see wait_word.h. A futex on Linux; elsewhere one mutex and condition variable for all
 * words, which is right though not fast. The only file that knows either. */
#include "wait_word.h"
#include "clock.h"

#include <errno.h>
#include <sched.h>

enum { IDLE = 0, SLEEPING = 1, POSTED = 2 };

#define MAX_SPIN_NS           40000 /* about what it costs to sleep and be woken */
#define MIN_SPIN_NS           5000
#define N_WAITS_BETWEEN_TRIES 32
#define LOOKS_AT_ONCE         8

#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

static void sleep_on(struct wait_word *word, int64_t deadline_ns)
{
    struct timespec end = {.tv_sec = (time_t)(deadline_ns / NS_PER_S),
                           .tv_nsec = (long)(deadline_ns % NS_PER_S)};
    (void)syscall(SYS_futex, &word->state, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, SLEEPING,
                  deadline_ns != INT64_MAX ? &end : NULL, NULL, FUTEX_BITSET_MATCH_ANY);
}

static void wake(struct wait_word *word)
{
    (void)syscall(SYS_futex, &word->state, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
}
#else
#include <pthread.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t posted = PTHREAD_COND_INITIALIZER;

/* May return early; the caller looks again. */
static void sleep_on(struct wait_word *word, int64_t deadline_ns)
{
    struct timespec end;
    (void)clock_gettime(CLOCK_REALTIME, &end);
    int64_t left_ns = deadline_ns != INT64_MAX ? deadline_ns - clock_now_ns() : NS_PER_S;
    if (left_ns > 0)
        left_ns += end.tv_nsec;
    end.tv_sec += (time_t)(left_ns / NS_PER_S);
    end.tv_nsec = (long)(left_ns % NS_PER_S);
    (void)pthread_mutex_lock(&mutex);
    if (atomic_load(&word->state) == SLEEPING && left_ns > 0)
        (void)pthread_cond_timedwait(&posted, &mutex, &end);
    (void)pthread_mutex_unlock(&mutex);
}

static void wake(struct wait_word *word)
{
    (void)word;
    (void)pthread_mutex_lock(&mutex);
    (void)pthread_cond_broadcast(&posted);
    (void)pthread_mutex_unlock(&mutex);
}
#endif

static void pause_cpu(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static bool is_posted(const struct wait_word *word)
{
    return atomic_load_explicit(&word->state, memory_order_acquire) == POSTED;
}

/* Giving way only where somebody of ours gains: another process would keep the CPU for milliseconds. */
static bool look(const struct wait_word *word, int32_t budget_ns, bool gives_way)
{
    const int64_t end_ns = clock_now_ns() + budget_ns;
    do {
        for (int i = 0; i < LOOKS_AT_ONCE; i++) {
            if (is_posted(word))
                return true;
            pause_cpu();
        }
        if (gives_way)
            (void)sched_yield();
    } while (clock_now_ns() < end_ns);
    return is_posted(word);
}

void wait_spin_init(struct wait_spin *spin, uint32_t n_cpus)
{
    spin->max_ns = n_cpus > 1 ? MAX_SPIN_NS : 0;
    atomic_init(&spin->budget_ns, spin->max_ns);
}

/* A look that pays makes the next ones long. One that does not makes them short, then stops them for a
 * while: a negative budget counts the waits until the next try. It need not be exact: a lost update is one
 * look more or less. */
static bool spin_for(const struct wait_word *word, struct wait_spin *spin, bool gives_way)
{
    const int32_t budget_ns = atomic_load_explicit(&spin->budget_ns, memory_order_relaxed);
    bool came = false;
    int32_t next_ns = budget_ns + 1;
    if (budget_ns >= 0) {
        came = look(word, budget_ns > 0 ? budget_ns : spin->max_ns, gives_way);
        next_ns = came ? spin->max_ns : budget_ns / 4;
        if (next_ns < MIN_SPIN_NS)
            next_ns = -N_WAITS_BETWEEN_TRIES;
    }
    if (next_ns != budget_ns)
        atomic_store_explicit(&spin->budget_ns, next_ns, memory_order_relaxed);
    return came;
}

static bool sleep_for(struct wait_word *word, int64_t deadline_ns)
{
    uint32_t seen = IDLE;
    (void)atomic_compare_exchange_strong(&word->state, &seen, SLEEPING);
    while (!is_posted(word)) {
        if (deadline_ns != INT64_MAX && clock_now_ns() >= deadline_ns)
            return false;
        sleep_on(word, deadline_ns);
    }
    return true;
}

bool wait_word_wait(struct wait_word *word, struct wait_spin *spin, bool gives_way,
                    int64_t deadline_ns)
{
    if (is_posted(word))
        return true;
    const bool looks = spin != NULL && spin->max_ns > 0;
    return (looks && spin_for(word, spin, gives_way)) || sleep_for(word, deadline_ns);
}

void wait_word_post(struct wait_word *word)
{
    if (atomic_exchange_explicit(&word->state, POSTED, memory_order_acq_rel) == SLEEPING)
        wake(word);
}

void wait_word_reset(struct wait_word *word)
{
    atomic_store_explicit(&word->state, IDLE, memory_order_relaxed);
}
