/* test_memory_usage.c - pages in memory are counted. */
#include "memory_usage.h"
#include "testing.h"

#include <sys/mman.h>
#include <unistd.h>

static void pages_of_a_small_range_are_counted_one_by_one(void **state)
{
    (void)state;
    const size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE), n = 1000;
    char *memory =
        mmap(NULL, n * page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
#ifdef MADV_NOHUGEPAGE
    (void)madvise(memory, n * page_bytes, MADV_NOHUGEPAGE);
#endif
    assert_int_equal(memory_usage_mapping(memory, n * page_bytes), 0);
    for (size_t i = 0; i < 300; i++)
        memory[i * page_bytes] = 1;
    assert_int_equal(memory_usage_mapping(memory, n * page_bytes), 300 * page_bytes);
    assert_int_equal(memory_usage_mapping(memory, 100 * page_bytes), 100 * page_bytes);
    assert_int_equal(memory_usage_mapping(memory + 10, 5), 5);
    assert_int_equal(munmap(memory, n * page_bytes), 0);
}

static void a_large_range_is_sampled(void **state)
{
    (void)state;
    const size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE), n = 20011;
    char *memory =
        mmap(NULL, n * page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
#ifdef MADV_NOHUGEPAGE
    (void)madvise(memory, n * page_bytes, MADV_NOHUGEPAGE);
#endif
    for (size_t i = 0; i < n / 2; i++)
        memory[i * page_bytes] = 1;
    const double share =
        (double)memory_usage_mapping(memory, n * page_bytes) / (double)(n * page_bytes);
    assert_true(share > 0.48 && share < 0.52);
    for (size_t i = n / 2; i < n; i++)
        memory[i * page_bytes] = 1;
    assert_int_equal(memory_usage_mapping(memory, n * page_bytes), n * page_bytes);
    assert_int_equal(munmap(memory, n * page_bytes), 0);
}

static void what_is_not_mapped_is_nothing(void **state)
{
    (void)state;
    assert_int_equal(memory_usage_mapping(NULL, 0), 0);
    assert_int_equal(memory_usage_mapping(NULL, 10), 0);
}

static void this_process_takes_memory(void **state)
{
    (void)state;
#ifdef __linux__
    assert_true(memory_usage_process() > 100000);
    assert_true(memory_usage_peak() > 100000);
#else
    assert_int_equal(memory_usage_process(), 0);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_of_a_small_range_are_counted_one_by_one),
        cmocka_unit_test(a_large_range_is_sampled),
        cmocka_unit_test(what_is_not_mapped_is_nothing),
        cmocka_unit_test(this_process_takes_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
