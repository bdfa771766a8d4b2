/* test_store_history.c - what a ref led to, and the way back. Covers store/life/store_rollback.c, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store_history.h"
#include "store_packages.h"

#define COMMIT_C "2222222ccccccccccccccccccccccccccccccccc"

static void expect_main(const struct store *store, const char *name, const char *dir)
{
    char *found = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    if (store_find(store, name, &found, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    assert_string_equal(found, dir);
    free(found);
}

static void roll_back(const struct store *store, const char *name, const char *wanted,
                      const char *from, const char *to)
{
    struct store_rollback rollback = {0};
    struct model_error err = MODEL_ERROR_INIT;
    if (store_roll_back(store, name, wanted, NULL, NULL, &rollback, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    assert_string_equal(rollback.from, from);
    assert_string_equal(rollback.to, to);
    store_rollback_finish(&rollback);
}

static void a_ref_remembers_each_version_once(void **state)
{
    struct store *store = open_store(*state);
    struct store_history history = {0};
    char *a = install_text(store, "x/m", "x/m", "main", COMMIT_A, "1");
    char *b = install_text(store, "x/m", "x/m", "main", COMMIT_B, "2");
    free(install_text(store, "x/m", "x/m", "main", COMMIT_B, "2"));
    assert_int_equal(store_history_read(store, "x--m", "main", &history, NULL), MODEL_OK);
    assert_int_equal(history.n_entries, 2);
    assert_string_equal(path_base(history.entries[0].target), path_base(a));
    assert_string_equal(path_base(history.entries[1].target), path_base(b));
    assert_false(history.entries[1].is_back);
    store_history_finish(&history);
    assert_int_equal(store_history_read(store, "x--m", COMMIT_A, &history, NULL), MODEL_OK);
    assert_int_equal(history.n_entries, 0); /* a commit means one thing */
    free(a);
    free(b);
    store_close(store);
}

static void rolling_back_twice_goes_back_two_versions(void **state)
{
    struct store *store = open_store(*state);
    struct store_rollback none = {0};
    struct model_error err = MODEL_ERROR_INIT;
    char *a = install_text(store, "x/m", "old", "main", COMMIT_A, "1");
    char *b = install_text(store, "x/m", "old", "main", COMMIT_B, "2");
    char *c = install_text(store, "x/m", "old", "main", COMMIT_C, "3");
    roll_back(store, "x/m", NULL, c, b);
    expect_main(store, "x/m", b);
    expect_main(store, "old", b); /* the name it was asked by moves with it */
    roll_back(store, "old", NULL, b, a);
    expect_main(store, "x/m@main", a);
    assert_int_equal(store_roll_back(store, "x/m", NULL, NULL, NULL, &none, &err), MODEL_NOT_FOUND);
    assert_null(none.from);
    roll_back(store, "x/m", "2222222", a, c); /* and forward again */
    expect_main(store, "x/m", c);
    free(a);
    free(b);
    free(c);
    store_close(store);
}

static void versions_that_are_gone_are_passed_over(void **state)
{
    struct store *store = open_store(*state);
    char *a = install_text(store, "x/m", "x/m", "main", COMMIT_A, "1");
    char *b = install_text(store, "x/m", "x/m", "main", COMMIT_B, "2");
    char *c = install_text(store, "x/m", "x/m", "main", COMMIT_C, "3");
    assert_int_equal(store_remove(store, "x/m@" COMMIT_B, 0, NULL, NULL, NULL), MODEL_OK);
    roll_back(store, "x/m", NULL, c, a);
    free(a);
    free(b);
    free(c);
    store_close(store);
}

static void a_commit_cannot_be_rolled_back(void **state)
{
    struct store *store = open_store(*state);
    struct store_rollback none = {0};
    struct model_error err = MODEL_ERROR_INIT;
    free(install_text(store, "x/m", "x/m", "main", COMMIT_A, "1"));
    free(install_text(store, "x/m", "x/m", "main", COMMIT_B, "2"));
    assert_int_equal(store_roll_back(store, "x/m@" COMMIT_A, "main", NULL, NULL, &none, &err),
                     MODEL_INVALID_ARGUMENT);
    assert_int_equal(store_roll_back(store, "x/m@1111111a", "main", NULL, NULL, &none, &err),
                     MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "is a commit"));
    assert_int_equal(store_roll_back(store, "y/m", NULL, NULL, NULL, &none, &err), MODEL_NOT_FOUND);
    store_close(store);
}

static model_status refuse(void *context, const char *dir, struct model_error *err)
{
    assert_string_equal(dir, context);
    return error_set(err, MODELHOST_UNTRUSTED, "not this one");
}

static void a_ref_stays_where_its_target_is_refused(void **state)
{
    struct store *store = open_store(*state);
    struct store_rollback none = {0};
    struct model_error err = MODEL_ERROR_INIT;
    char *a = install_text(store, "x/m", "x/m", "main", COMMIT_A, "1");
    char *b = install_text(store, "x/m", "x/m", "main", COMMIT_B, "2");
    assert_int_equal(store_roll_back(store, "x/m", NULL, refuse, a, &none, &err),
                     MODELHOST_UNTRUSTED);
    assert_string_equal(err.message, "not this one");
    assert_null(none.to);
    expect_main(store, "x/m", b);
    free(a);
    free(b);
    store_close(store);
}

/* A process that was killed between the ref and its history. */
static void a_history_that_missed_a_version_is_mended_by_the_next(void **state)
{
    struct store *store = open_store(*state);
    char *a = install_text(store, "x/m", "x/m", "main", COMMIT_A, "1");
    const char *file = in_folder(store_dir(store), "history/x--m/main");
    assert_int_equal(unlink(file), 0);
    char *b = install_text(store, "x/m", "x/m", "main", COMMIT_B, "2");
    roll_back(store, "x/m", NULL, b, a);
    free(a);
    free(b);
    store_close(store);
}

static void lines_that_are_not_ours_are_left_out(void **state)
{
    struct store *store = open_store(*state);
    struct store_history history = {0};
    put_text(in_folder(store_dir(store), "history/x--m/main"),
             "hello\n\n2026-11-21T20:00:00Z set ../../etc/passwd\n2026-11-21T20:00:00Z\n"
             "2026-11-21T20:00:00Z back "
             "x--m/0000000000000000000000000000000000000000000000000000000000000000\n"
             "2026-11-21T20:00:00Z set x--m/00");
    assert_int_equal(store_history_read(store, "x--m", "main", &history, NULL), MODEL_OK);
    assert_int_equal(history.n_entries, 1);
    assert_true(history.entries[0].is_back);
    store_history_finish(&history);
    store_close(store);
}

static void the_newest_entries_are_kept(void **state)
{
    struct store *store = open_store(*state);
    struct store_history history = {0};
    char target[80];
    for (int i = 0; i < STORE_HISTORY_MAX + 3; i++) {
        (void)snprintf(target, sizeof target, "x--m/%064d", i);
        assert_int_equal(store_history_add(store, "x--m", "main", NULL, target, false, NULL),
                         MODEL_OK);
    }
    assert_int_equal(store_history_read(store, "x--m", "main", &history, NULL), MODEL_OK);
    assert_int_equal(history.n_entries, STORE_HISTORY_MAX);
    assert_string_equal(history.entries[STORE_HISTORY_MAX - 1].target, target);
    store_history_finish(&history);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(a_ref_remembers_each_version_once),
        FOLDER_TEST(rolling_back_twice_goes_back_two_versions),
        FOLDER_TEST(versions_that_are_gone_are_passed_over),
        FOLDER_TEST(a_commit_cannot_be_rolled_back),
        FOLDER_TEST(a_ref_stays_where_its_target_is_refused),
        FOLDER_TEST(a_history_that_missed_a_version_is_mended_by_the_next),
        FOLDER_TEST(lines_that_are_not_ours_are_left_out),
        FOLDER_TEST(the_newest_entries_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
