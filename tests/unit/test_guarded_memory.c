/* test_guarded_memory.c - touching what is around a block ends the process, with a verdict that says where.
 * The faults are made in children of the test. */
#include "guarded_memory.h"
#include "check_record.h"
#include "testing.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs it in a child that watches; what it said, and the signal that ended it. */
static struct check_record fault(void (*body)(void), int *ret_signal)
{
    int ends[2], status = 0;
    char bytes[1024];
    struct check_record record;
    assert_int_equal(pipe(ends), 0);
    (void)fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        guarded_memory_watch(ends[1]);
        body();
        _exit(0);
    }
    (void)close(ends[1]);
    const ssize_t n = read(ends[0], bytes, sizeof bytes);
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    *ret_signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    check_record_read(bytes, n > 0 ? (size_t)n : 0, NULL, &record);
    return record;
}

static void write_behind(void)
{
    volatile char *data = guarded_data(guarded_create("output", "y", 10, 1, GUARDED_AT_END));
    data[12] = 1;
}

static void write_before(void)
{
    volatile char *data = guarded_data(guarded_create("output", "y", 10, 1, GUARDED_AT_START));
    data[-3] = 1;
}

static void write_frozen(void)
{
    struct guarded *block = guarded_create("input", "x", 10, 1, GUARDED_AT_END);
    guarded_freeze(block);
    ((volatile char *)guarded_data(block))[4] = 1;
}

static void touch_nothing(void)
{
    volatile uintptr_t address = 8;
    *(volatile char *)address = 1;
}

static void a_byte_behind_before_or_in_a_frozen_block_is_named(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    SKIP_BECAUSE("the sanitizer's own report of the fault comes first");
#endif
    int signal_number = 0;
    struct check_record record = fault(write_behind, &signal_number);
    assert_true(signal_number == SIGSEGV || signal_number == SIGBUS);
    assert_int_equal(record.verdict, CHECK_FAILED);
    assert_non_null(strstr(record.reason, "memory 2 bytes behind the end of output 'y'"));
    record = fault(write_before, &signal_number);
    assert_non_null(strstr(record.reason, "memory 3 bytes before output 'y'"));
    record = fault(write_frozen, &signal_number);
    assert_non_null(strstr(record.reason, "to input 'x' at byte 4, which is read-only"));
}

static void another_fault_says_nothing_and_ends_it_too(void **state)
{
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    SKIP_BECAUSE("the sanitizer's own report of the fault comes first");
#endif
    int signal_number = 0;
    struct check_record record = fault(touch_nothing, &signal_number);
    assert_int_equal(signal_number, SIGSEGV);
    assert_false(record.has_verdict);
}

static void data_lies_where_it_was_asked_for(void **state)
{
    (void)state;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct guarded *end = guarded_create("output", "y", 24, 8, GUARDED_AT_END);
    struct guarded *start = guarded_create("output", "z", 24, 8, GUARDED_AT_START);
    assert_int_equal(((uintptr_t)guarded_data(end) + 24) % page, 0);
    assert_int_equal((uintptr_t)guarded_data(start) % page, 0);
    struct guarded *odd = guarded_create("output", "o", 20, 8, GUARDED_AT_END);
    assert_int_equal((uintptr_t)guarded_data(odd) % 8, 0);
    struct guarded *empty = guarded_create("output", "e", 0, 4, GUARDED_AT_END);
    assert_non_null(guarded_data(empty));
    guarded_destroy(end);
    guarded_destroy(start);
    guarded_destroy(odd);
    guarded_destroy(empty);
    guarded_destroy(NULL);
}

static void a_byte_beside_the_data_is_seen(void **state)
{
    (void)state;
    for (int place = GUARDED_AT_END; place <= GUARDED_AT_START; place++) {
        struct guarded *block = guarded_create("output", "y", 100, 4, (enum guarded_place)place);
        char *data = guarded_data(block);
        memset(data, 0, 100);
        assert_true(guarded_is_intact(block));
        if (place == GUARDED_AT_END)
            data[-1] = 1;
        else
            data[100] = 1;
        assert_false(guarded_is_intact(block));
        guarded_destroy(block);
    }
}

static void what_cannot_be_had_is_null(void **state)
{
    (void)state;
    assert_null(guarded_create("output", "y", SIZE_MAX, 8, GUARDED_AT_END));
    assert_null(guarded_create("output", "y", SIZE_MAX / 2, 8, GUARDED_AT_END));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_byte_behind_before_or_in_a_frozen_block_is_named),
        cmocka_unit_test(another_fault_says_nothing_and_ends_it_too),
        cmocka_unit_test(data_lies_where_it_was_asked_for),
        cmocka_unit_test(a_byte_beside_the_data_is_seen),
        cmocka_unit_test(what_cannot_be_had_is_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
