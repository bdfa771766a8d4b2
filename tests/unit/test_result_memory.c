/* test_result_memory.c - results by their keys: found as they were kept, bounded, the least recently used go
 * first. */
#include "result_memory.h"
#include "testing.h"

#define OF(n) (1000 * (n)) /* room for n values of 800 bytes, and not for n + 1 */

static void keep(struct result_memory *memory, const char *key, char content, size_t n,
                 uint32_t want_gone)
{
    char value[2000];
    memset(value, content, n);
    assert_int_equal(result_memory_keep(memory, key, value, n), want_gone);
}

/* What is kept under a key: its letter, 0 when there is nothing. */
static char content(struct result_memory *memory, const char *key, size_t n)
{
    struct buffer bytes = BUFFER_INIT(1 << 20);
    char letter = 0;
    if (result_memory_find(memory, key, &bytes)) {
        assert_int_equal(bytes.size, n);
        letter = n > 0 ? bytes.data[n - 1] : '-';
        for (size_t i = 0; i < n; i++)
            assert_int_equal(bytes.data[i], letter);
    }
    buffer_finish(&bytes);
    return letter;
}

static void what_was_kept_is_found_and_nothing_else(void **state)
{
    (void)state;
    struct result_memory *memory = NULL;
    assert_int_equal(result_memory_create(OF(3), &memory, NULL), MODEL_OK);
    keep(memory, "a", 'x', 800, 0);
    keep(memory, "b", 'y', 5, 0);
    keep(memory, "empty", 'y', 0, 0);
    assert_int_equal(content(memory, "a", 800), 'x');
    assert_int_equal(content(memory, "b", 5), 'y');
    assert_int_equal(content(memory, "empty", 0), '-');
    assert_int_equal(content(memory, "c", 5), 0);
    keep(memory, "a", 'z', 7, 0);
    assert_int_equal(content(memory, "a", 7), 'z');
    result_memory_destroy(memory);
}

static void the_least_recently_used_goes_first(void **state)
{
    (void)state;
    struct result_memory *memory = NULL;
    assert_int_equal(result_memory_create(OF(3), &memory, NULL), MODEL_OK);
    keep(memory, "a", 'a', 800, 0);
    keep(memory, "b", 'b', 800, 0);
    keep(memory, "c", 'c', 800, 0);
    assert_int_equal(content(memory, "a", 800), 'a'); /* used: b is the oldest now */
    keep(memory, "d", 'd', 800, 1);
    assert_int_equal(content(memory, "b", 800), 0);
    assert_int_equal(content(memory, "a", 800), 'a');
    assert_int_equal(content(memory, "c", 800), 'c');
    assert_int_equal(content(memory, "d", 800), 'd');
    keep(memory, "e", 'e', 1800, 2);
    assert_int_equal(content(memory, "e", 1800), 'e');
    assert_int_equal(content(memory, "d", 800), 'd');
    result_memory_destroy(memory);
}

static void what_is_larger_than_everything_is_not_kept_and_drives_nothing_out(void **state)
{
    (void)state;
    struct result_memory *memory = NULL;
    assert_int_equal(result_memory_create(OF(1), &memory, NULL), MODEL_OK);
    keep(memory, "a", 'a', 500, 0);
    keep(memory, "b", 'b', 1500, 0);
    keep(memory, "c", 'c', 1000, 0);
    assert_int_equal(content(memory, "a", 500), 'a');
    assert_int_equal(content(memory, "b", 1500), 0);
    result_memory_destroy(memory);
}

static void a_caller_without_room_gets_nothing(void **state)
{
    (void)state;
    struct result_memory *memory = NULL;
    struct buffer small = BUFFER_INIT(10);
    assert_int_equal(result_memory_create(OF(1), &memory, NULL), MODEL_OK);
    keep(memory, "a", 'a', 500, 0);
    assert_false(result_memory_find(memory, "a", &small));
    assert_int_equal(small.size, 0);
    buffer_finish(&small);
    result_memory_destroy(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_kept_is_found_and_nothing_else),
        cmocka_unit_test(the_least_recently_used_goes_first),
        cmocka_unit_test(what_is_larger_than_everything_is_not_kept_and_drives_nothing_out),
        cmocka_unit_test(a_caller_without_room_gets_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
