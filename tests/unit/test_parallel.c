/* test_parallel.c - all items are run, and helpers keep off the processor of the thread that they help; what
 * host/openmp.c opens. */
#include "openmp.h"
#include "parallel.h"
#include "testing.h"

#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>
#include <uv.h>

enum { N_ITEMS = 1000 };

static void count(void *argument, size_t index)
{
    atomic_int *counts = argument;
    atomic_fetch_add(&counts[index], 1);
}

static void the_library_says_how_many_threads_it_was_told(void **state)
{
    (void)state;
    const struct openmp *library = openmp();
    assert_non_null(library);
    parallel_adopt_thread(3);
    assert_int_equal(library->max_threads(), 3);
    assert_int_equal(library->dynamic(), 0);
    assert_int_equal(library->thread_num(), 0);
    assert_ptr_equal(openmp(), library);
    const struct parallel_team own = parallel_lend_thread(2);
    assert_int_equal(library->max_threads(), 2);
    parallel_return_thread(own);
    assert_int_equal(library->max_threads(), 3);
}

static void each_item_is_run_once_whatever_the_threads(void **state)
{
    (void)state;
    for (uint32_t threads = 1; threads <= 3; threads++) {
        atomic_int counts[N_ITEMS] = {0};
        parallel_run(threads, N_ITEMS, count, counts);
        for (size_t i = 0; i < N_ITEMS; i++)
            assert_int_equal(atomic_load(&counts[i]), 1);
    }
}

#ifdef __linux__

static cpu_set_t pinned; /* of pin() */

struct pin {
    struct parallel_cpus cpus;
    uint32_t place, n;
};

static void pin(void *argument)
{
    const struct pin *wanted = argument;
    parallel_pin(&wanted->cpus, wanted->place, wanted->n);
    (void)sched_getaffinity(0, sizeof pinned, &pinned);
}

/* The numbers of what a thread of its own may run on then, as far as this process may: 0 to 3. */
static void expect_pinned(const struct parallel_cpus *cpus, uint32_t place, uint32_t n,
                          uint64_t want)
{
    struct pin wanted = {*cpus, place, n};
    uv_thread_t thread;
    assert_int_equal(uv_thread_create(&thread, pin, &wanted), 0);
    uv_thread_join(&thread);
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(CPU_ISSET(i, &pinned) != 0, want >> i & 1);
}

static void places_are_processors_side_by_side(void **state)
{
    (void)state;
    struct parallel_cpus own;
    uint64_t numbers[2], n = 0;
    assert_true(parallel_cpus_get(&own));
    for (uint64_t i = 0; i < 64 && n < 2; i++)
        if ((own.bits[0] >> i & 1) != 0)
            numbers[n++] = i;
    if (n < 2)
        skip();
    const uint64_t first = UINT64_C(1) << numbers[0], second = UINT64_C(1) << numbers[1];
    const struct parallel_cpus two = {{first | second}};
    expect_pinned(&two, 0, 1, first);
    expect_pinned(&two, 1, 1, second);
    expect_pinned(&two, 2, 1, first); /* from the beginning again */
    expect_pinned(&two, 0, 2, first | second);
    expect_pinned(&two, 1, 3, first | second);
}

static void without_processors_a_thread_stays_where_it_is(void **state)
{
    (void)state;
    struct parallel_cpus own;
    assert_true(parallel_cpus_get(&own));
    expect_pinned(&(struct parallel_cpus){{0}}, 0, 1, own.bits[0]);
}

struct meeting {
    pid_t owner;
    atomic_int n_here;
    cpu_set_t helper; /* where it may run */
};

/* One item for each of two threads. */
static void meet(void *argument, size_t index)
{
    struct meeting *meeting = argument;
    (void)index;
    atomic_fetch_add(&meeting->n_here, 1);
    while (atomic_load(&meeting->n_here) < 2)
        (void)sched_yield();
    if (gettid() != meeting->owner)
        assert_int_equal(sched_getaffinity(0, sizeof meeting->helper, &meeting->helper), 0);
}

static cpu_set_t cpus_of_helper(void)
{
    struct meeting meeting = {.owner = gettid()};
    CPU_ZERO(&meeting.helper);
    parallel_run(2, 2, meet, &meeting);
    return meeting.helper;
}

static cpu_set_t own_cpus(void)
{
    cpu_set_t cpus;
    assert_int_equal(sched_getaffinity(0, sizeof cpus, &cpus), 0);
    return cpus;
}

static void helpers_keep_off_their_owners_processor_until_the_thread_is_returned(void **state)
{
    (void)state;
    const cpu_set_t all = own_cpus();
    if (CPU_COUNT(&all) < 2)
        skip();
    const struct parallel_team own = parallel_lend_thread(2);
    (void)cpus_of_helper();
    parallel_spread();
    const cpu_set_t spread = cpus_of_helper();
    cpu_set_t common;
    CPU_AND(&common, &all, &spread);
    assert_true(CPU_EQUAL(&common, &spread));
    assert_int_equal(CPU_COUNT(&spread), CPU_COUNT(&all) - 1);
    parallel_return_thread(own);
    const cpu_set_t returned = cpus_of_helper();
    assert_true(CPU_EQUAL(&returned, &all));
}

static void helpers_follow_an_owner_that_moves(void **state)
{
    (void)state;
    const cpu_set_t all = own_cpus();
    if (CPU_COUNT(&all) < 2)
        skip();
    const struct parallel_team own = parallel_lend_thread(2);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        if (!CPU_ISSET(cpu, &all))
            continue;
        assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
        assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
        (void)cpus_of_helper();
        parallel_spread();
        const cpu_set_t spread = cpus_of_helper();
        assert_int_equal(CPU_COUNT(&spread), CPU_COUNT(&all) - 1);
    }
    parallel_return_thread(own);
}

static void on_one_processor_helpers_share_it(void **state)
{
    (void)state;
    const cpu_set_t all = own_cpus();
    cpu_set_t one;
    CPU_ZERO(&one);
    const int cpu = sched_getcpu();
    assert_true(cpu >= 0);
    CPU_SET((size_t)cpu, &one);
    const struct parallel_team own = parallel_lend_thread(2);
    const cpu_set_t before = cpus_of_helper();
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    parallel_spread();
    const cpu_set_t after = cpus_of_helper();
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
    parallel_return_thread(own);
    assert_true(CPU_EQUAL(&before, &after));
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_library_says_how_many_threads_it_was_told),
        cmocka_unit_test(each_item_is_run_once_whatever_the_threads),
#ifdef __linux__
        cmocka_unit_test(places_are_processors_side_by_side),
        cmocka_unit_test(without_processors_a_thread_stays_where_it_is),
        cmocka_unit_test(helpers_keep_off_their_owners_processor_until_the_thread_is_returned),
        cmocka_unit_test(helpers_follow_an_owner_that_moves),
        cmocka_unit_test(on_one_processor_helpers_share_it),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
