/* test_crash_quarantine.c - crashes in a row, on a simulated clock. */
#include "crash_quarantine.h"
#include "clock.h"
#include "files.h"
#include "quarantine.h"
#include "testing.h"

#define START_S 1795276800

struct fixture {
    struct crash_quarantine quarantine;
    char *store_dir, *plugin;
};

static struct fixture make(uint32_t after_crashes)
{
    static const struct log_sink silent = {.level = -1};
    struct fixture f = {.store_dir = scratch_dir()};
    f.plugin = path_join(f.store_dir, "plugin.so");
    write_file(f.plugin, "abc", 3);
    f.quarantine = (struct crash_quarantine){.after_crashes = after_crashes,
                                             .window_ns = 60 * NS_PER_S,
                                             .duration_s = 600,
                                             .store_dir = f.store_dir,
                                             .plugin_path = f.plugin,
                                             .plugin = "mischief 1.0.0",
                                             .log = &silent};
    return f;
}

static void finish(struct fixture *f)
{
    crash_quarantine_finish(&f->quarantine);
    assert_int_equal(dir_remove_all(f->store_dir, NULL), MODEL_OK);
    free(f->store_dir);
    free(f->plugin);
}

static bool crash(struct fixture *f, int64_t at_s, bool had_worked)
{
    return crash_quarantine_crashed(&f->quarantine, had_worked, at_s * NS_PER_S, START_S + at_s,
                                    "plugin crashed: SIGSEGV in run");
}

static void crashes_in_a_row_put_the_file_into_quarantine_for_a_while(void **state)
{
    (void)state;
    struct fixture f = make(3);
    struct quarantine_entry entry;
    assert_int_equal(crash_quarantine_init(&f.quarantine, NULL), MODEL_OK);
    write_file(f.plugin, "another", 7); /* what takes its place is not meant */
    assert_false(crash(&f, 0, true));
    assert_false(crash(&f, 10, false));
    assert_false(quarantine_is_used(f.store_dir));
    assert_true(crash(&f, 20, false));
    /* of "abc" (FIPS 180-2, B.1) */
    static const char digest[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_int_equal(quarantine_find(f.store_dir, digest, START_S + 619, &entry, NULL), MODEL_OK);
    assert_string_equal(entry.plugin, "mischief 1.0.0");
    assert_string_equal(entry.path, f.plugin);
    assert_string_equal(entry.reason,
                        "3 crashes in a row, the last one: plugin crashed: SIGSEGV in run");
    assert_int_equal(quarantine_find(f.store_dir, digest, START_S + 620, &entry, NULL),
                     MODEL_NOT_FOUND);
    finish(&f);
}

static void an_answer_between_them_ends_the_row(void **state)
{
    (void)state;
    struct fixture f = make(2);
    assert_int_equal(crash_quarantine_init(&f.quarantine, NULL), MODEL_OK);
    for (int i = 0; i < 10; i++)
        assert_false(crash(&f, i, true));
    assert_true(crash(&f, 10, false));
    finish(&f);
}

static void crashes_far_apart_are_no_row(void **state)
{
    (void)state;
    struct fixture f = make(5);
    assert_int_equal(crash_quarantine_init(&f.quarantine, NULL), MODEL_OK);
    for (int i = 0; i < 40; i++)
        assert_false(crash(&f, 16 * i, false)); /* four times 16 s is more than 60 s */
    assert_true(crash(&f, 636, false));         /* and those of 576, 592, 608 and 624 s */
    finish(&f);
}

static void one_is_enough_if_that_is_said(void **state)
{
    (void)state;
    struct fixture f = make(1);
    assert_int_equal(crash_quarantine_init(&f.quarantine, NULL), MODEL_OK);
    assert_true(crash(&f, 0, true));
    assert_true(crash(&f, 1, false));
    finish(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crashes_in_a_row_put_the_file_into_quarantine_for_a_while),
        cmocka_unit_test(an_answer_between_them_ends_the_row),
        cmocka_unit_test(crashes_far_apart_are_no_row),
        cmocka_unit_test(one_is_enough_if_that_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
