/* parallel.c - see parallel.h. */
#include "parallel.h"

#include <omp.h>

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

struct region {
    void (*body)(void *argument, size_t index);
    void *argument;
    size_t n_items;
    char begin, end; /* addresses for the annotations */
};

static void run_team(struct region *region, int n_threads)
{
    ORDER_RELEASE(&region->begin);
#pragma omp parallel num_threads(n_threads) default(none) shared(region)
    {
        ORDER_ACQUIRE(&region->begin);
#pragma omp for schedule(dynamic, 1) nowait
        for (size_t i = 0; i < region->n_items; i++)
            region->body(region->argument, i);
        ORDER_RELEASE(&region->end);
    }
    ORDER_ACQUIRE(&region->end);
}

void parallel_adopt_thread(uint32_t threads)
{
    omp_set_dynamic(0);
    omp_set_num_threads(threads > 0 ? (int)threads : 1);
}

struct parallel_team parallel_lend_thread(uint32_t threads)
{
    const struct parallel_team before = {omp_get_dynamic(), omp_get_max_threads()};
    parallel_adopt_thread(threads);
    return before;
}

void parallel_return_thread(struct parallel_team team)
{
    omp_set_dynamic(team.dynamic);
    omp_set_num_threads(team.threads);
}

void parallel_run(uint32_t threads, size_t n_items, void (*body)(void *argument, size_t index),
                  void *argument)
{
    if (threads <= 1 || n_items <= 1) {
        for (size_t i = 0; i < n_items; i++)
            body(argument, i);
        return;
    }
    struct region region = {body, argument, n_items, 0, 0};
    run_team(&region, (int)threads);
}
