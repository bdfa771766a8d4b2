/* test_store_gc.c - what goes and what stays when garbage is collected. Covers
 * store/life/store_census.c and store/life/store_unseen.c, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store_census.h"
#include "store_gc.h"
#include "store_packages.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define HOUR_S 3600
#define PART   COMMIT_A "-12345" /* a name that a large file's part has */
#define OWNER  ".0000000a.0000000b.4242.0000000c"

static bool has_text(const struct store *store, const char *text)
{
    char hex[SHA256_HEX_BYTES];
    assert_int_equal(digest_bytes_sha256(text, strlen(text), hex, NULL), MODEL_OK);
    return store_has_blob(store, hex, strlen(text)) != 0;
}

static struct store_gc_result collect(const struct store *store, struct store_gc_options options)
{
    struct store_gc_result result = {0};
    struct model_error err = MODEL_ERROR_INIT;
    if (store_gc(store, &options, &result, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(count_in(store, "tmp"), 0);
    return result;
}

static void add_orphan(const struct store *store, const char *text)
{
    char hex[SHA256_HEX_BYTES];
    add_text_blob(store, text, hex);
}

static void a_blob_that_no_package_names_goes(void **state)
{
    struct store *store = open_store(*state);
    char *dir = install_text(store, "x/m", "x/m", "main", COMMIT_A, "used");
    add_orphan(store, "orphan");
    struct store_gc_result result = collect(store, (struct store_gc_options){.dry_run = true});
    assert_int_equal(result.freed_bytes, 6);
    assert_true(has_text(store, "orphan"));
    result = collect(store, (struct store_gc_options){.grace_s = 0});
    assert_int_equal(result.n_removed, 1);
    assert_int_equal(result.freed_bytes, 6);
    assert_null(result.note);
    assert_false(has_text(store, "orphan"));
    assert_int_equal(store_verify_package(dir, NULL, NULL, NULL), MODEL_OK);
    free(dir);
    store_close(store);
}

static void what_is_younger_than_the_grace_stays(void **state)
{
    struct store *store = open_store(*state);
    int64_t now_s = store_disk_time(store);
    add_orphan(store, "orphan");
    struct store_gc_result result =
        collect(store, (struct store_gc_options){.grace_s = HOUR_S, .now_s = now_s + HOUR_S - 60});
    assert_int_equal(result.n_removed, 0);
    assert_int_equal(result.n_kept, 1);
    assert_non_null(strstr(result.note, "--grace"));
    free(result.note);
    result =
        collect(store, (struct store_gc_options){.grace_s = HOUR_S, .now_s = now_s + HOUR_S + 60});
    assert_int_equal(result.n_removed, 1);
    store_close(store);
}

static void nothing_goes_that_a_running_download_may_use(void **state)
{
    struct store *store = open_store(*state), *other = open_store(*state);
    char *staging = NULL;
    add_orphan(store, "orphan");
    put_text(in_folder(store_dir(store), "partial/" PART "/data"), "half");
    assert_int_equal(store_make_staging(other, &staging, NULL), MODEL_OK);
    struct store_gc_options options = {.grace_s = 0};
    struct store_gc_result result = {0};
    assert_int_equal(store_gc(store, &options, &result, NULL), MODEL_OK);
    assert_int_equal(result.n_removed, 0);
    assert_int_equal(result.n_kept, 2);
    assert_non_null(strstr(result.note, "at work"));
    assert_true(has_text(store, "orphan"));
    assert_true(path_is_dir(staging));
    free(result.note);
    store_end_staging(other, staging);
    result = collect(store, options);
    assert_int_equal(result.n_removed, 2);
    assert_false(has_text(store, "orphan"));
    assert_int_equal(count_in(store, "partial"), 0);
    store_close(other);
    store_close(store);
}

static bool is_held(void *context, const char *name, int64_t changed_s, int64_t now_s)
{
    (void)context;
    return now_s >= changed_s && strcmp(name, PART OWNER) == 0;
}

static void a_partial_download_that_somebody_works_on_stays(void **state)
{
    struct store *store = open_store(*state);
    put_text(in_folder(store_dir(store), "partial/" PART OWNER "/data"), "half");
    put_text(in_folder(store_dir(store), "partial/" PART ".0/data"), "half");
    struct store_gc_options options = {.grace_s = 0, .is_worked_on = is_held};
    struct store_gc_result result = {0};
    assert_int_equal(store_gc(store, &options, &result, NULL), MODEL_OK);
    assert_int_equal(result.n_removed, 1);
    assert_int_equal(result.n_kept, 1);
    assert_non_null(strstr(result.note, "works on them"));
    free(result.note);
    assert_true(path_is_file(in_folder(store_dir(store), "partial/" PART OWNER "/data")));
    store_close(store);
}

static void what_a_killed_download_leaves_goes(void **state)
{
    struct store *store = open_store(*state);
    int code = 0;
    pid_t child = fork();
    if (child == 0) {
        struct store *own = open_store(*state);
        char *staging = NULL;
        if (store_make_staging(own, &staging, NULL) == MODEL_OK)
            put_text(in_folder(staging, "x.part"), "half");
        add_orphan(own, "orphan");
        _exit(7);
    }
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_int_equal(WEXITSTATUS(code), 7);
    assert_int_equal(count_in(store, "tmp"), 1);
    struct store_gc_result result = collect(store, (struct store_gc_options){.grace_s = 0});
    assert_int_equal(result.n_removed, 2);
    assert_int_equal(count_in(store, "leases"), 0);
    assert_false(has_text(store, "orphan"));
    store_close(store);
}

/* A package that a plugin was installed into: the version before has no ref any more. */
static char *supersede(const struct store *store, char **ret_old)
{
    char *dir = NULL;
    *ret_old = install_text(store, "x/m", "x/m", "main", COMMIT_A, "model");
    struct manifest manifest = new_manifest("x/m", "x/m", "main", COMMIT_A);
    add_text_file(store, &manifest, "backends/cpu/config.json", "{\"model_type\":\"echo\"}");
    add_text_file(store, &manifest, "plugin.txt", "plugin");
    assert_int_equal(store_replace(store, *ret_old, &manifest, &dir, NULL), MODEL_OK);
    manifest_finish(&manifest);
    return dir;
}

static void a_superseded_package_goes_with_what_only_it_used(void **state)
{
    struct store *store = open_store(*state);
    char *old = NULL, *dir = supersede(store, &old);
    struct store_gc_result result = collect(store, (struct store_gc_options){.dry_run = true});
    assert_int_equal(result.n_removed, 2);
    assert_int_equal(result.freed_bytes, 5);
    assert_true(path_is_dir(old));
    result = collect(store, (struct store_gc_options){.grace_s = 0});
    assert_int_equal(result.n_removed, 2);
    assert_int_equal(result.freed_bytes, 5);
    assert_false(path_is_dir(old));
    assert_int_equal(store_verify_package(dir, NULL, NULL, NULL), MODEL_OK);
    free(old);
    free(dir);
    store_close(store);
}

static void what_a_host_has_open_stays(void **state)
{
    struct store *store = open_store(*state);
    struct store_lease *lease = NULL;
    char *old = NULL, *dir = supersede(store, &old);
    assert_int_equal(store_lease_package(old, &lease, NULL), MODEL_OK);
    struct store_gc_result result = collect(store, (struct store_gc_options){.grace_s = 0});
    assert_int_equal(result.n_removed, 0);
    assert_int_equal(store_verify_package(old, NULL, NULL, NULL), MODEL_OK);
    store_lease_end(lease);
    result = collect(store, (struct store_gc_options){.grace_s = 0});
    assert_int_equal(result.n_removed, 2);
    free(old);
    free(dir);
    store_close(store);
}

static void a_manifest_that_cannot_be_read_keeps_all_blobs(void **state)
{
    struct store *store = open_store(*state);
    char *dir = install_text(store, "x/m", "x/m", "main", COMMIT_A, "used");
    add_orphan(store, "orphan");
    put_text(in_folder(dir, "metadata.json"), "{");
    struct store_gc_result result = collect(store, (struct store_gc_options){.grace_s = 0});
    assert_int_equal(result.n_removed, 0);
    assert_non_null(strstr(result.note, "metadata.json"));
    assert_true(has_text(store, "used"));
    free(result.note);
    free(dir);
    store_close(store);
}

/* Collects while something of the store is hidden, twice: the first must not remove what tells the second. */
static void expect_all_stays(const struct store *store, const char *word)
{
    for (int i = 0; i < 2; i++) {
        struct store_gc_result result = collect(store, (struct store_gc_options){.grace_s = 0});
        assert_int_equal(result.n_removed, 0);
        assert_non_null(result.note);
        if (strstr(result.note, word) == NULL)
            fail_msg("'%s' lacks '%s'", result.note, word);
        free(result.note);
    }
}

static void packages_that_cannot_be_seen_keep_all_blobs(void **state)
{
    struct store *store = open_store(*state);
    const char *away = in_folder(*state, "away");
    const char *hidden[] = {"packages", "packages/x--m"};
    char *x = install_text(store, "x/m", "x/m", "main", COMMIT_A, "used");
    char *y = install_text(store, "y/m", "y/m", "main", COMMIT_B, "used, too");
    for (size_t i = 0; i < 2; i++) {
        const char *folder = in_folder(store_dir(store), hidden[i]);
        assert_int_equal(rename(folder, away), 0);
        expect_all_stays(store, "should be there and is not"); /* gone */
        assert_int_equal(mkdir(folder, 0755), 0);
        expect_all_stays(store, "should be there and is not"); /* a disk that is not mounted */
        assert_int_equal(rmdir(folder), 0);
        assert_int_equal(rename(away, folder), 0);
    }
    assert_int_equal(store_verify_package(x, NULL, NULL, NULL), MODEL_OK);
    assert_int_equal(store_verify_package(y, NULL, NULL, NULL), MODEL_OK);
    free(x);
    free(y);
    store_close(store);
}

static void a_folder_that_cannot_be_read_keeps_all_blobs(void **state)
{
    struct store *store = open_store(*state);
    const char *key = in_folder(store_dir(store), "packages/x--m");
    free(install_text(store, "x/m", "x/m", "main", COMMIT_A, "used"));
    assert_int_equal(rename(key, in_folder(*state, "away")), 0);
    assert_int_equal(dir_remove_all(in_folder(store_dir(store), "stamps"), NULL), MODEL_OK);
    assert_int_equal(symlink("x--m", key), 0); /* in a circle: root, too, cannot read it */
    expect_all_stays(store, "packages/x--m is a symbolic link");
    assert_true(has_text(store, "used"));
    store_close(store);
}

static void without_stamps_refs_tell_that_there_were_packages(void **state)
{
    struct store *store = open_store(*state);
    char *dir = install_text(store, "x/m", "x/m", "main", COMMIT_A, "used");
    assert_int_equal(dir_remove_all(in_folder(store_dir(store), "stamps"), NULL), MODEL_OK);
    assert_int_equal(dir_remove_all(dir, NULL), MODEL_OK);
    expect_all_stays(store, "/refs/x--m/");
    assert_true(has_text(store, "used"));
    free(dir);
    store_close(store);
}

static void without_refs_nothing_counts_as_superseded(void **state)
{
    struct store *store = open_store(*state);
    char *old = NULL, *dir = supersede(store, &old);
    const char *refs = in_folder(store_dir(store), "refs"), *away = in_folder(*state, "away");
    assert_int_equal(rename(refs, away), 0);
    struct store_gc_result result = collect(store, (struct store_gc_options){.grace_s = 0});
    assert_int_equal(result.n_removed, 0);
    assert_true(path_is_dir(old) && path_is_dir(dir));
    free(old);
    free(dir);
    store_close(store);
}

static void what_followed_a_package_goes_after_it(void **state)
{
    struct store *store = open_store(*state);
    struct store_lease *lease = NULL;
    char *dir = install_text(store, "x/m", "x/m", "main", COMMIT_A, "1");
    assert_int_equal(store_lease_package(dir, &lease, NULL), MODEL_OK);
    store_lease_end(lease);
    assert_int_equal(count_in(store, "used"), 1);
    assert_int_equal(store_remove(store, "x/m", 0, NULL, NULL, NULL), MODEL_OK);
    (void)collect(store, (struct store_gc_options){.grace_s = HOUR_S});
    assert_int_equal(count_in(store, "used"), 0);
    assert_int_equal(count_in(store, "history"), 0);
    free(dir);
    store_close(store);
}

static void what_a_killed_process_left_of_prepared_weights_goes_at_once(void **state)
{
    struct store *store = open_store(*state);
    put_text(in_folder(store_dir(store), "prepared/.draft-aaaaaa"), "half");
    put_text(in_folder(store_dir(store), "prepared/.draft-bbbbbb"), "of a living one");
    char *path = path_join(store_dir(store), "prepared/.draft-bbbbbb");
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    const struct store_gc_options options = {.grace_s = HOUR_S, .dry_run = true};
    assert_int_equal(collect(store, options).n_removed, 1);
    assert_int_equal(count_in(store, "prepared"), 2);
    assert_int_equal(collect(store, (struct store_gc_options){.grace_s = HOUR_S}).n_removed, 1);
    assert_int_equal(count_in(store, "prepared"), 1);
    assert_true(path_is_file(path));
    assert_int_equal(close(fd), 0);
    free(path);
    store_close(store);
}

static void prepared_weights_that_no_host_used_for_a_month_go(void **state)
{
    struct store *store = open_store(*state);
    struct store_census census = {0};
    const int64_t month_s = INT64_C(30) * 24 * HOUR_S, made_s = 1000000, used_s = made_s + HOUR_S;
    const struct timespec times[] = {{.tv_sec = used_s}, {.tv_sec = made_s}};
    put_text(in_folder(store_dir(store), "prepared/" COMMIT_A "000000000000000000000000"),
             "packed");
    char *path = path_join(store_dir(store), "prepared/" COMMIT_A "000000000000000000000000");
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_int_equal(store_census_take(store, used_s, NULL, NULL, &census, NULL), MODEL_OK);
    assert_int_equal(census.n_parts, 1);
    assert_string_equal(census.parts[0].name, "prepared/" COMMIT_A "000000000000000000000000");
    assert_int_equal(census.parts[0].changed_s, used_s);
    store_census_finish(&census);
    struct store_gc_options options = {.now_s = used_s + month_s - 1};
    assert_int_equal(collect(store, options).n_removed, 0);
    options = (struct store_gc_options){.now_s = used_s + month_s, .grace_s = 2 * month_s};
    assert_int_equal(collect(store, options).n_removed, 0);
    options.grace_s = 0;
    options.dry_run = true;
    assert_int_equal(collect(store, options).n_removed, 1);
    assert_true(path_is_file(path));
    options.dry_run = false;
    assert_int_equal(collect(store, options).n_removed, 1);
    assert_false(path_is_file(path));
    free(path);
    store_close(store);
}

static void compiled_models_that_no_host_used_for_a_month_go(void **state)
{
    struct store *store = open_store(*state);
    struct store_census census = {0};
    const char *name = "compiled/" COMMIT_A "000000000000000000000000";
    const int64_t month_s = INT64_C(30) * 24 * HOUR_S, now_s = (int64_t)time(NULL);
    put_text(in_folder(store_dir(store),
                       "compiled/" COMMIT_A "000000000000000000000000/model.mlmodelc/model.mil"),
             "compiled");
    char *path = path_join(store_dir(store), name);
    assert_int_equal(store_census_take(store, 0, NULL, NULL, &census, NULL), MODEL_OK);
    assert_int_equal(census.n_parts, 1);
    assert_string_equal(census.parts[0].name, name);
    assert_true(census.parts[0].size_bytes > 0);
    assert_false(census.parts[0].is_foreign);
    store_census_finish(&census);
    struct store_gc_options options = {.now_s = now_s + month_s - HOUR_S};
    assert_int_equal(collect(store, options).n_removed, 0);
    options = (struct store_gc_options){.now_s = now_s + month_s + HOUR_S, .dry_run = true};
    assert_int_equal(collect(store, options).n_removed, 1);
    assert_true(path_is_dir(path));
    options.dry_run = false;
    assert_int_equal(collect(store, options).n_removed, 1);
    assert_false(path_is_dir(path));
    free(path);
    store_close(store);
}

static void a_census_tells_shared_bytes_from_own(void **state)
{
    struct store *store = open_store(*state);
    struct store_census census = {0};
    size_t n_unused = 0;
    char *a = install_text(store, "x/a", "x/a", "main", COMMIT_A, "12345");
    char *b = install_text(store, "x/b", "x/b", "main", COMMIT_B, "1234567");
    add_orphan(store, "123");
    put_text(in_folder(store_dir(store), "partial/" PART), "half");
    assert_int_equal(store_census_take(store, 0, NULL, NULL, &census, NULL), MODEL_OK);
    const uint64_t shared_bytes = strlen("{\"model_type\":\"echo\"}");
    assert_int_equal(census.n_packages, 2);
    assert_int_equal(census.packages[0].own_bytes, 5);
    assert_int_equal(census.packages[0].size_bytes, 5 + shared_bytes);
    assert_int_equal(census.packages[1].own_bytes, 7);
    assert_true(census.packages[1].is_named);
    assert_int_equal(store_census_unused_bytes(&census, &n_unused), 3);
    assert_int_equal(n_unused, 1);
    assert_int_equal(census.n_parts, 1);
    assert_string_equal(census.parts[0].name, "partial/" PART);
    store_census_finish(&census);
    free(a);
    free(b);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(a_blob_that_no_package_names_goes),
        FOLDER_TEST(what_is_younger_than_the_grace_stays),
        FOLDER_TEST(nothing_goes_that_a_running_download_may_use),
        FOLDER_TEST(a_partial_download_that_somebody_works_on_stays),
        FOLDER_TEST(what_a_killed_download_leaves_goes),
        FOLDER_TEST(a_superseded_package_goes_with_what_only_it_used),
        FOLDER_TEST(what_a_host_has_open_stays),
        FOLDER_TEST(a_manifest_that_cannot_be_read_keeps_all_blobs),
        FOLDER_TEST(packages_that_cannot_be_seen_keep_all_blobs),
        FOLDER_TEST(a_folder_that_cannot_be_read_keeps_all_blobs),
        FOLDER_TEST(without_stamps_refs_tell_that_there_were_packages),
        FOLDER_TEST(without_refs_nothing_counts_as_superseded),
        FOLDER_TEST(what_followed_a_package_goes_after_it),
        FOLDER_TEST(what_a_killed_process_left_of_prepared_weights_goes_at_once),
        FOLDER_TEST(prepared_weights_that_no_host_used_for_a_month_go),
        FOLDER_TEST(compiled_models_that_no_host_used_for_a_month_go),
        FOLDER_TEST(a_census_tells_shared_bytes_from_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
