/* test_store_remove.c - what goes with a package, and what others keep (store/store_free_blobs.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store_lease.h"
#include "store_packages.h"

#include <sys/stat.h>

static const char config[] = "{\"model_type\":\"echo\"}"; /* what install_text() adds */

static bool has_text(const struct store *store, const char *text)
{
    char hex[SHA256_HEX_BYTES];
    assert_int_equal(digest_bytes_sha256(text, strlen(text), hex, NULL), MODEL_OK);
    return store_has_blob(store, hex, strlen(text)) != 0;
}

static uint64_t remove_package(const struct store *store, const char *name)
{
    uint64_t freed_bytes = 99;
    struct model_error err = MODEL_ERROR_INIT;
    if (store_remove(store, name, 0, &freed_bytes, NULL, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(count_in(store, "tmp"), 0);
    return freed_bytes;
}

static void a_removed_package_leaves_an_empty_store(void **state)
{
    struct store *store = open_store(*state);
    char *dir = install_text(store, "x/m", "old", "main", COMMIT_A, "12345");
    assert_int_equal(remove_package(store, "old"), 5 + strlen(config));
    assert_false(path_is_dir(dir));
    assert_int_equal(count_in(store, "packages"), 0);
    assert_int_equal(count_in(store, "refs"), 0);
    assert_false(has_text(store, "12345"));
    assert_false(has_text(store, config));
    free(dir);
    store_close(store);
}

static void blobs_that_others_use_stay(void **state)
{
    struct store *store = open_store(*state);
    char *a = install_text(store, "x/m", "x/m", "main", COMMIT_A, "12345");
    char *b = install_text(store, "y/m", "y/m", "main", COMMIT_B, "1234");
    assert_int_equal(remove_package(store, "x/m"), 5);
    assert_false(path_is_dir(a));
    assert_true(has_text(store, config));
    assert_int_equal(store_verify_package(b, NULL, NULL, NULL), MODEL_OK);
    assert_int_equal(remove_package(store, "y/m"), 4 + strlen(config));
    free(a);
    free(b);
    store_close(store);
}

static void one_revision_goes_and_the_other_stays(void **state)
{
    struct store *store = open_store(*state);
    char *a = install_text(store, "x/m", "x/m", "v1", COMMIT_A, "1");
    char *b = install_text(store, "x/m", "x/m", "main", COMMIT_B, "2"), *found = NULL;
    assert_int_equal(remove_package(store, "x/m@v1"), 1);
    assert_int_equal(store_find(store, "x/m@" COMMIT_A, &found, NULL), MODEL_NOT_FOUND);
    assert_int_equal(store_find(store, "x/m", &found, NULL), MODEL_OK);
    assert_string_equal(found, b);
    free(found);
    free(a);
    free(b);
    store_close(store);
}

static void a_name_without_a_revision_means_all_versions(void **state)
{
    struct store *store = open_store(*state);
    struct store_list list;
    char *a = install_text(store, "x/m", "x/m", "main", COMMIT_A, "1");
    char *b = install_text(store, "x/m", "m", "main", COMMIT_B, "22");
    char *other = install_text(store, "y/m", "y/m", "main", COMMIT_B, "333");
    assert_int_equal(store_list_packages(store, &list, NULL), MODEL_OK);
    assert_int_equal(list.n_entries, 3);
    assert_int_equal(list.entries[0].n_refs + list.entries[1].n_refs, 1); /* main leads to one */
    store_list_finish(&list);
    assert_int_equal(remove_package(store, "x/m"), 1 + 2);
    assert_false(path_is_dir(a));
    assert_false(path_is_dir(b));
    assert_true(path_is_dir(other));
    assert_int_equal(count_in(store, "refs"), 1);
    free(a);
    free(b);
    free(other);
    store_close(store);
}

static void a_package_goes_by_its_folder(void **state)
{
    struct store *store = open_store(*state);
    struct model_error err = MODEL_ERROR_INIT;
    char *a = install_text(store, "x/m", "x/m", "v1", COMMIT_A, "1");
    char *b = install_text(store, "x/m", "x/m", "main", COMMIT_B, "22");
    assert_int_equal(store_remove_dir(store, a, 0, NULL, NULL, &err), MODEL_OK);
    assert_false(path_is_dir(a));
    assert_true(path_is_dir(b));
    assert_int_equal(store_remove_dir(store, *state, 0, NULL, NULL, &err), MODEL_NOT_FOUND);
    assert_non_null(strstr(err.message, " is no package of the store "));
    free(a);
    free(b);
    store_close(store);
}

/* Installing a plugin gives the package new content; the old folder goes with the new one. */
static void a_superseded_package_goes_with_its_successor(void **state)
{
    struct store *store = open_store(*state);
    char *old = install_text(store, "x/m", "x/m", "main", COMMIT_A, "12345");
    struct manifest manifest = {0};
    char *dir = NULL;
    assert_int_equal(manifest_read(old, &manifest, NULL), MODEL_OK);
    add_text_file(store, &manifest, "backends/cpu/libmodel.so", "plugin");
    assert_int_equal(store_install(store, &manifest, &dir, NULL), MODEL_OK);
    manifest_finish(&manifest);
    assert_true(path_is_dir(old));
    assert_int_equal(remove_package(store, "x/m"), 5 + 6 + strlen(config));
    assert_false(path_is_dir(old));
    assert_false(path_is_dir(dir));
    assert_int_equal(count_in(store, "packages"), 0);
    free(dir);
    free(old);
    store_close(store);
}

/* A hard link in someone's staging folder shows in the link count. */
static void a_blob_in_use_by_an_install_stays(void **state)
{
    struct store *store = open_store(*state);
    char hex[SHA256_HEX_BYTES];
    free(install_text(store, "x/m", "x/m", "main", COMMIT_A, "12345"));
    assert_int_equal(digest_bytes_sha256("12345", 5, hex, NULL), MODEL_OK);
    char *blob = store_blob_path(store, hex);
    assert_int_equal(link(blob, in_folder(*state, "staged")), 0);
    assert_int_equal(remove_package(store, "x/m"), strlen(config));
    assert_true(has_text(store, "12345"));
    free(blob);
    store_close(store);
}

static void what_is_not_there_is_not_removed(void **state)
{
    struct store *store = open_store(*state);
    uint64_t freed_bytes = 7;
    struct model_error err = MODEL_ERROR_INIT;
    free(install_text(store, "x/m", "x/m", "main", COMMIT_A, "1"));
    assert_int_equal(store_remove(store, "x/other", 0, &freed_bytes, NULL, &err), MODEL_NOT_FOUND);
    assert_non_null(strstr(err.message, "'x/other' is not in the store "));
    assert_int_equal(freed_bytes, 7);
    assert_int_equal(store_remove(store, "x/m", 0, NULL, NULL, &err), MODEL_OK);
    store_close(store);
}

static void break_manifest(const char *dir)
{
    assert_int_equal(unlink(in_folder(dir, "metadata.json")), 0);
    put_text(in_folder(dir, "metadata.json"), "{\"format_ver");
}

static void a_package_with_a_broken_manifest_goes_with_its_blobs(void **state)
{
    struct store *store = open_store(*state);
    char *a = install_text(store, "x/m", "old", "main", COMMIT_A, "12345");
    char *b = install_text(store, "y/m", "y/m", "main", COMMIT_B, "1234");
    break_manifest(a);
    assert_int_equal(remove_package(store, "x/m"), 5);
    assert_false(path_is_dir(a));
    assert_int_equal(count_in(store, "packages"), 1);
    assert_int_equal(count_in(store, "refs"), 1);
    assert_int_equal(store_verify_package(b, NULL, NULL, NULL), MODEL_OK);
    free(a);
    free(b);
    store_close(store);
}

static void a_superseded_package_goes_with_a_broken_successor(void **state)
{
    struct store *store = open_store(*state);
    char *old = install_text(store, "x/m", "x/m", "main", COMMIT_A, "12345");
    char *dir = install_text(store, "x/m", "x/m", "main", COMMIT_A, "123456");
    break_manifest(dir);
    assert_int_equal(remove_package(store, "x/m"), 5 + 6 + strlen(config));
    assert_false(path_is_dir(old));
    assert_int_equal(count_in(store, "packages"), 0);
    free(dir);
    free(old);
    store_close(store);
}

static void blobs_stay_while_another_manifest_is_broken(void **state)
{
    struct store *store = open_store(*state);
    uint64_t freed_bytes = 7;
    char *note = NULL, *a = install_text(store, "x/m", "x/m", "main", COMMIT_A, "12345");
    char *b = install_text(store, "y/m", "y/m", "main", COMMIT_B, "12345");
    break_manifest(b);
    assert_int_equal(store_remove(store, "x/m", 0, &freed_bytes, &note, NULL), MODEL_OK);
    assert_int_equal(freed_bytes, 0);
    assert_non_null(note);
    assert_non_null(strstr(note, in_folder(b, "metadata.json")));
    assert_false(path_is_dir(a));
    assert_true(has_text(store, "12345"));
    assert_true(has_text(store, config));
    free(note);
    assert_int_equal(store_remove(store, "y/m", 0, NULL, &note, NULL), MODEL_OK);
    assert_null(note);
    assert_false(has_text(store, "12345"));
    free(a);
    free(b);
    store_close(store);
}

/* What a removal leaves that was stopped after its rename. */
static void refs_that_lead_nowhere_go(void **state)
{
    struct store *store = open_store(*state);
    char *dir = install_text(store, "x/m", "x/m", "main", COMMIT_A, "1");
    free(install_text(store, "y/m", "y/m", "main", COMMIT_B, "2"));
    assert_int_equal(dir_remove_all(in_folder(store_dir(store), "stamps/x--m"), NULL), MODEL_OK);
    assert_int_equal(dir_remove_all(dir, NULL), MODEL_OK);
    assert_int_equal(store_remove(store, "x/m", 0, NULL, NULL, NULL), MODEL_NOT_FOUND);
    assert_int_equal(remove_package(store, "y/m"), 1 + strlen(config));
    assert_int_equal(count_in(store, "refs"), 0);
    free(dir);
    store_close(store);
}

static void what_an_unseen_package_uses_stays(void **state)
{
    struct store *store = open_store(*state);
    const char *key = in_folder(store_dir(store), "packages/x--m"),
               *away = in_folder(*state, "away");
    char *a = install_text(store, "x/m", "x/m", "main", COMMIT_A, "shared");
    char *note = NULL;
    free(install_text(store, "y/m", "y/m", "main", COMMIT_B, "shared"));
    assert_int_equal(rename(key, away), 0);
    assert_int_equal(store_remove(store, "y/m", 0, NULL, &note, NULL), MODEL_OK);
    assert_non_null(note);
    assert_non_null(strstr(note, a));
    assert_true(has_text(store, "shared"));
    assert_int_equal(rename(away, key), 0);
    assert_file_is(in_folder(a, "data.txt"), "shared");
    char *found = NULL;
    assert_int_equal(store_find(store, "x/m@main", &found, NULL),
                     MODEL_OK); /* its ref stayed, too */
    free(found);
    free(note);
    free(a);
    store_close(store);
}

static void a_ref_that_cannot_be_removed_is_named(void **state)
{
    struct store *store = open_store(*state);
    struct model_error err = MODEL_ERROR_INIT;
    const char *refs = in_folder(store_dir(store), "refs/x--m");
    free(install_text(store, "x/m", "x/m", "main", COMMIT_A, "1"));
    if (geteuid() == 0) {
        store_close(store);
        print_message("skipped: root may remove everything\n");
        skip();
    }
    assert_int_equal(chmod(refs, 0500), 0);
    model_status status = store_remove(store, "x/m", 0, NULL, NULL, &err);
    assert_int_equal(chmod(refs, 0700), 0);
    assert_int_equal(status, MODEL_IO);
    assert_non_null(strstr(err.message, "the package is removed, but not its ref "));
    assert_int_equal(store_remove(store, "x/m", 0, NULL, NULL, NULL), MODEL_NOT_FOUND);
    store_close(store);
}

static void a_package_that_a_host_has_open_stays(void **state)
{
    struct store *store = open_store(*state);
    struct model_error err = MODEL_ERROR_INIT;
    struct store_lease *lease = NULL;
    char pid[32];
    char *a = install_text(store, "x/m", "x/m", "main", COMMIT_A, "12345");
    char *b = install_text(store, "x/m", "x/m", "main", COMMIT_B, "1234");
    assert_int_equal(store_lease_package(b, &lease, NULL), MODEL_OK);
    assert_int_equal(store_remove(store, "x/m", 0, NULL, NULL, &err), MODEL_BUSY);
    (void)snprintf(pid, sizeof pid, "process %ld on ", (long)getpid());
    assert_non_null(strstr(err.message, pid));
    assert_non_null(strstr(err.message, "--force"));
    assert_int_equal(store_remove_dir(store, b, 0, NULL, NULL, NULL), MODEL_BUSY);
    assert_int_equal(store_verify_package(a, NULL, NULL, NULL), MODEL_OK); /* all or none */
    assert_int_equal(store_verify_package(b, NULL, NULL, NULL), MODEL_OK);
    assert_int_equal(store_remove(store, "x/m@" COMMIT_A, 0, NULL, NULL, NULL), MODEL_OK);
    assert_int_equal(store_remove(store, "x/m", 1, NULL, NULL, NULL), MODEL_OK);
    assert_false(path_is_dir(b));
    store_lease_end(lease);
    free(a);
    free(b);
    store_close(store);
}

static void after_its_host_has_ended_a_package_goes(void **state)
{
    struct store *store = open_store(*state);
    struct store_lease *lease = NULL;
    char *dir = install_text(store, "x/m", "x/m", "main", COMMIT_A, "12345");
    assert_int_equal(store_lease_package(dir, &lease, NULL), MODEL_OK);
    assert_int_equal(store_remove(store, "x/m", 0, NULL, NULL, NULL), MODEL_BUSY);
    store_lease_end(lease);
    assert_int_equal(store_remove(store, "x/m", 0, NULL, NULL, NULL), MODEL_OK);
    free(dir);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(a_package_that_a_host_has_open_stays),
        FOLDER_TEST(after_its_host_has_ended_a_package_goes),
        FOLDER_TEST(a_removed_package_leaves_an_empty_store),
        FOLDER_TEST(blobs_that_others_use_stay),
        FOLDER_TEST(one_revision_goes_and_the_other_stays),
        FOLDER_TEST(a_name_without_a_revision_means_all_versions),
        FOLDER_TEST(a_package_goes_by_its_folder),
        FOLDER_TEST(a_superseded_package_goes_with_its_successor),
        FOLDER_TEST(a_blob_in_use_by_an_install_stays),
        FOLDER_TEST(what_is_not_there_is_not_removed),
        FOLDER_TEST(a_package_with_a_broken_manifest_goes_with_its_blobs),
        FOLDER_TEST(a_superseded_package_goes_with_a_broken_successor),
        FOLDER_TEST(blobs_stay_while_another_manifest_is_broken),
        FOLDER_TEST(refs_that_lead_nowhere_go),
        FOLDER_TEST(what_an_unseen_package_uses_stays),
        FOLDER_TEST(a_ref_that_cannot_be_removed_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
