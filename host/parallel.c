/* parallel.c - see parallel.h. */
#include "parallel.h"
#include "openmp.h"

#include <stdatomic.h>
#ifdef __linux__
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>
#endif

/* ThreadSanitizer does not see libgomp's barriers; these tell it what they order. */
#if defined(__SANITIZE_THREAD__)
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define ORDER_ACQUIRE(address) __tsan_acquire(address)
#define ORDER_RELEASE(address) __tsan_release(address)
#else
#define ORDER_ACQUIRE(address) ((void)(address))
#define ORDER_RELEASE(address) ((void)(address))
#endif

/* ---- where a team's threads run */

#ifdef __linux__

#define MAX_CPUS    (sizeof((struct parallel_cpus *)NULL)->bits * 8)
#define MAX_HELPERS 64 /* further ones run wherever Linux puts them */

/* The helpers of the calling thread, as its regions met them: each writes its own place, within a region. */
struct crew {
    pid_t helpers[MAX_HELPERS]; /* 0: not met */
    int avoided_cpu;            /* that they were last kept off; -1: none */
    /* In a sandbox that lets a thread place none but itself: where to, and the moves that each has followed. */
    cpu_set_t cpus;
    uint32_t n_moves, n_followed[MAX_HELPERS];
};

static _Thread_local struct crew own_crew = {.avoided_cpu = -1};

static struct crew *crew_of_thread(void)
{
    return &own_crew;
}

static void crew_join(struct crew *crew)
{
    const int index = openmp()->thread_num() - 1;
    if (index < 0 || index >= MAX_HELPERS)
        return;
    crew->helpers[index] = gettid();
    if (crew->n_followed[index] != crew->n_moves)
        (void)sched_setaffinity(0, sizeof crew->cpus, &crew->cpus);
    crew->n_followed[index] = crew->n_moves;
}

/* Helpers that OpenMP has ended since are no threads of this process any more. */
static void let_helpers_run_on(const cpu_set_t *cpus)
{
    bool is_refused = false;
    for (size_t i = 0; i < MAX_HELPERS && own_crew.helpers[i] != 0 && !is_refused; i++)
        if (tgkill(getpid(), own_crew.helpers[i], 0) == 0)
            is_refused =
                sched_setaffinity(own_crew.helpers[i], sizeof *cpus, cpus) != 0 && errno == EPERM;
    if (is_refused) {
        own_crew.cpus = *cpus;
        own_crew.n_moves++;
    }
}

void parallel_spread(void)
{
    const int cpu = sched_getcpu();
    cpu_set_t cpus;
    if (own_crew.helpers[0] == 0 || cpu < 0 || cpu == own_crew.avoided_cpu ||
        sched_getaffinity(0, sizeof cpus, &cpus) != 0)
        return;
    CPU_CLR((size_t)cpu, &cpus);
    if (CPU_COUNT(&cpus) == 0)
        return;
    let_helpers_run_on(&cpus);
    own_crew.avoided_cpu = cpu;
}

/* Helpers may run wherever their owner may. */
static void gather(void)
{
    cpu_set_t cpus;
    if (own_crew.avoided_cpu >= 0 && sched_getaffinity(0, sizeof cpus, &cpus) == 0)
        let_helpers_run_on(&cpus);
    own_crew.avoided_cpu = -1;
}

_Static_assert(MAX_CPUS <= CPU_SETSIZE, "a number that a mask has no place for");

bool parallel_cpus_get(struct parallel_cpus *ret)
{
    struct parallel_cpus cpus = {{0}};
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return false;
    for (size_t i = 0; i < MAX_CPUS; i++)
        if (CPU_ISSET(i, &set))
            cpus.bits[i / 64] |= UINT64_C(1) << i % 64;
    *ret = cpus;
    return true;
}

void parallel_pin(const struct parallel_cpus *cpus, uint32_t place, uint32_t n)
{
    uint32_t numbers[MAX_CPUS], count = 0;
    cpu_set_t set;
    CPU_ZERO(&set);
    for (uint32_t i = 0; i < MAX_CPUS; i++)
        if ((cpus->bits[i / 64] >> i % 64 & 1) != 0)
            numbers[count++] = i;
    for (uint32_t i = 0; i < n && count > 0; i++)
        CPU_SET(numbers[((uint64_t)place * n + i) % count], &set);
    if (CPU_COUNT(&set) > 0)
        (void)sched_setaffinity(0, sizeof set, &set); /* a processor may be gone by now */
}

#else

bool parallel_cpus_get(struct parallel_cpus *ret)
{
    (void)ret;
    return false;
}

void parallel_pin(const struct parallel_cpus *cpus, uint32_t place, uint32_t n)
{
    (void)cpus, (void)place, (void)n;
}

struct crew {
    char nothing;
};

static struct crew *crew_of_thread(void)
{
    return NULL;
}

static void crew_join(struct crew *crew)
{
    (void)crew;
}

void parallel_spread(void)
{
}

static void gather(void)
{
}

#endif

/* ---- regions */

struct region {
    void (*body)(void *argument, size_t index);
    void *argument;
    size_t n_items;
    atomic_size_t next_item;
    struct crew *crew;
    char begin, end; /* addresses for the annotations */
};

/* What each thread of the team does. */
static void take_items(void *argument)
{
    struct region *region = argument;
    size_t i;
    ORDER_ACQUIRE(&region->begin);
    crew_join(region->crew);
    while ((i = atomic_fetch_add_explicit(&region->next_item, 1, memory_order_relaxed)) <
           region->n_items)
        region->body(region->argument, i);
    ORDER_RELEASE(&region->end);
}

void parallel_begin(void)
{
    (void)openmp();
}

void parallel_adopt_thread(uint32_t threads)
{
    const struct openmp *library = openmp();
    if (library == NULL)
        return;
    library->set_dynamic(0);
    library->set_num_threads(threads > 0 ? (int)threads : 1);
}

struct parallel_team parallel_lend_thread(uint32_t threads)
{
    const struct openmp *library = openmp();
    if (library == NULL)
        return (struct parallel_team){0, 1};
    const struct parallel_team before = {library->dynamic(), library->max_threads()};
    parallel_adopt_thread(threads);
    return before;
}

void parallel_return_thread(struct parallel_team team)
{
    const struct openmp *library = openmp();
    if (library == NULL)
        return;
    gather();
    library->set_dynamic(team.dynamic);
    library->set_num_threads(team.threads);
}

void parallel_run(uint32_t threads, size_t n_items, void (*body)(void *argument, size_t index),
                  void *argument)
{
    const struct openmp *library = threads <= 1 || n_items <= 1 ? NULL : openmp();
    if (library == NULL) {
        for (size_t i = 0; i < n_items; i++)
            body(argument, i);
        return;
    }
    struct region region = {
        .body = body, .argument = argument, .n_items = n_items, .crew = crew_of_thread()};
    ORDER_RELEASE(&region.begin);
    library->parallel(take_items, &region, threads, 0);
    ORDER_ACQUIRE(&region.end);
}
