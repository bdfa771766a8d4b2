/* test_store_staging.c - folders for work in progress, and what killed processes left of theirs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store_packages.h"
#include "store_lease.h"
#include "store_paths.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define HOUR_S 3600

static void staging_folders_are_unique(void **state)
{
    struct store *store = open_store(*state);
    char *a = NULL, *b = NULL;
    assert_int_equal(store_make_staging(store, &a, NULL), MODEL_OK);
    assert_int_equal(dir_remove_all(in_folder(store_dir(store), "tmp"), NULL), MODEL_OK);
    assert_int_equal(store_make_staging(store, &b, NULL), MODEL_OK); /* makes tmp again */
    assert_true(path_is_dir(b));
    assert_string_not_equal(a, b);
    free(a);
    free(b);
    store_close(store);
}

static void set_written(const char *path, time_t when)
{
    const struct timespec times[2] = {{.tv_sec = when}, {.tv_sec = when}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

/* A folder of tmp/ with one file, both written at the given time. */
static const char *put_work(const struct store *store, const char *name, time_t when)
{
    const char *dir = in_folder(in_folder(store_dir(store), "tmp"), name);
    put_text(in_folder(dir, "download"), "half a fi");
    set_written(in_folder(dir, "download"), when);
    set_written(dir, when);
    return dir;
}

static void what_nobody_wrote_to_for_a_day_is_cleaned(void **state)
{
    static const time_t now = 1800000000;
    struct store *store = open_store(*state);
    const char *old = put_work(store, "old001", now - 24 * HOUR_S - 1);
    const char *young = put_work(store, "young1", now - 24 * HOUR_S);
    const char *later = put_work(store, "later1", now + 48 * HOUR_S); /* a clock that was wrong */
    store_clean_staging(store, now);
    assert_false(path_is_dir(old));
    assert_true(path_is_dir(young));
    assert_true(path_is_dir(later));
    store_clean_staging(store, now + 1);
    assert_false(path_is_dir(young));
    store_close(store);
}

/* A slow download of one large file does not touch its folder. */
static void a_file_that_still_grows_keeps_its_folder(void **state)
{
    static const time_t now = 1800000000;
    struct store *store = open_store(*state);
    const char *dir = put_work(store, "slow01", now - 100 * HOUR_S);
    set_written(in_folder(dir, "download"), now - 1);
    store_clean_staging(store, now);
    assert_true(path_is_file(in_folder(dir, "download")));
    store_close(store);
}

static void links_and_files_are_cleaned_but_not_followed(void **state)
{
    static const time_t now = 1800000000;
    struct store *store = open_store(*state);
    const char *tmp = in_folder(store_dir(store), "tmp");
    put_text(in_folder(*state, "mine/kept"), "x");
    put_text(in_folder(tmp, "file01"), "x");
    assert_int_equal(symlink(in_folder(*state, "mine"), in_folder(tmp, "link01")), 0);
    set_written(in_folder(tmp, "file01"), now - 25 * HOUR_S);
    set_written(in_folder(tmp, "link01"), now - 25 * HOUR_S);
    store_clean_staging(store, now);
    assert_int_equal(count_in(store, "tmp"), 0);
    assert_file_is(in_folder(*state, "mine/kept"), "x");
    store_close(store);
}

/* Killed between making a folder and locking it. */
static void an_empty_folder_that_nobody_holds_goes_after_a_minute(void **state)
{
    static const time_t now = 1800000000;
    struct store *store = open_store(*state);
    const char *tmp = in_folder(store_dir(store), "tmp");
    assert_int_equal(mkdir(in_folder(tmp, "new001"), 0755) | mkdir(in_folder(tmp, "old001"), 0755),
                     0);
    put_text(in_folder(tmp, ".time.abcdef"), "");
    set_written(in_folder(tmp, "new001"), now - 30);
    set_written(in_folder(tmp, "old001"), now - 90);
    set_written(in_folder(tmp, ".time.abcdef"), now - 90);
    store_clean_staging(store, now);
    assert_int_equal(count_in(store, "tmp"), 1);
    assert_true(path_is_dir(in_folder(tmp, "new001")));
    store_close(store);
}

/* As on a network disk where every machine gets the lock: the lease alone says that somebody is there. */
static void a_lease_protects_a_folder_whose_lock_can_be_had(void **state)
{
    struct store *store = open_store(*state);
    struct store_lease *lease = NULL;
    const char *dir = put_work(store, "farfar.held", time(NULL));
    assert_int_equal(store_lease_take(store, STORE_LEASE_WRITER, "tmp/farfar.held", &lease, NULL),
                     MODEL_OK);
    store_clean_staging(store, time(NULL));
    assert_true(path_is_dir(dir));
    store_lease_end(lease);
    store_clean_staging(store, time(NULL));
    assert_false(path_is_dir(dir));
    store_close(store);
}

static void making_a_folder_cleans_up_by_the_clock(void **state)
{
    struct store *store = open_store(*state);
    char *staging = NULL;
    const char *old = put_work(store, "old001", time(NULL) - 25 * HOUR_S);
    const char *young = put_work(store, "young1", time(NULL) - 23 * HOUR_S);
    assert_int_equal(store_make_staging(store, &staging, NULL), MODEL_OK);
    assert_true(path_is_dir(staging));
    assert_false(path_is_dir(old));
    assert_true(path_is_dir(young));
    free(staging);
    store_close(store);
}

/* Makes a staging folder with a file in it in a process of its own, which ends as it likes. */
static pid_t work_in_another_process(const struct store *store, int *ret_gate)
{
    int ready[2], gate[2];
    char byte = 0;
    assert_int_equal(pipe(ready) | pipe(gate), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char *staging = NULL;
        (void)close(gate[1]);
        if (store_make_staging(store, &staging, NULL) != MODEL_OK)
            _exit(1);
        put_text(in_folder(staging, "download"), "half a fi");
        (void)!write(ready[1], "x", 1);
        (void)!read(gate[0], &byte, 1); /* until the parent closes the gate */
        _exit(0);                       /* and takes nothing away */
    }
    (void)close(ready[1]);
    (void)close(gate[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    *ret_gate = gate[1];
    return child;
}

static void the_work_of_a_dead_process_goes_at_once_that_of_a_living_one_stays(void **state)
{
    struct store *store = open_store(*state);
    char *staging = NULL;
    int gate = -1, result = 0;
    pid_t child = work_in_another_process(store, &gate);
    assert_int_equal(store_staging_bytes(store), strlen("half a fi"));
    store_clean_staging(store, time(NULL) + 48 * HOUR_S);
    assert_int_equal(count_in(store, "tmp"), 1);
    (void)close(gate);
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
    assert_int_equal(count_in(store, "tmp"), 1);
    assert_int_equal(store_make_staging(store, &staging, NULL), MODEL_OK);
    assert_int_equal(count_in(store, "tmp"), 1); /* its own */
    assert_int_equal(store_staging_bytes(store), 0);
    store_end_staging(store, staging);
    store_end_staging(store, NULL);
    assert_int_equal(count_in(store, "tmp"), 0);
    store_close(store);
}

static void a_closed_store_holds_nothing(void **state)
{
    struct store *store = open_store(*state);
    char *staging = NULL;
    assert_int_equal(store_make_staging(store, &staging, NULL), MODEL_OK);
    free(staging);
    store_close(store);
    store = open_store(*state);
    store_clean_staging(store, time(NULL));
    assert_int_equal(count_in(store, "tmp"), 0);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(staging_folders_are_unique),
        FOLDER_TEST(what_nobody_wrote_to_for_a_day_is_cleaned),
        FOLDER_TEST(a_file_that_still_grows_keeps_its_folder),
        FOLDER_TEST(links_and_files_are_cleaned_but_not_followed),
        FOLDER_TEST(an_empty_folder_that_nobody_holds_goes_after_a_minute),
        FOLDER_TEST(a_lease_protects_a_folder_whose_lock_can_be_had),
        FOLDER_TEST(making_a_folder_cleans_up_by_the_clock),
        FOLDER_TEST(the_work_of_a_dead_process_goes_at_once_that_of_a_living_one_stays),
        FOLDER_TEST(a_closed_store_holds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
