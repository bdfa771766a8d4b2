/* test_store_walk.c - packages are found without a ref, and mended when they share a damaged blob. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store_packages.h"
#include "store_paths.h"

#include <sys/stat.h>

/* What a process leaves that is killed after its package is visible, before it has a ref. */
static char *install_without_refs(const struct store *store, const char *id, const char *commit,
                                  const char *text)
{
    struct store_refs before = {0}, after = {0};
    assert_int_equal(store_refs_read(store, &before, NULL), MODEL_OK);
    char *dir = install_text(store, id, id, "main", commit, text);
    assert_int_equal(store_refs_read(store, &after, NULL), MODEL_OK);
    for (size_t i = 0; i < after.n_refs; i++)
        if (strcmp(after.refs[i].target, store_target_of(store, dir)) == 0)
            assert_int_equal(unlink(after.refs[i].path), 0);
    for (size_t i = 0; i < before.n_refs; i++)
        assert_int_equal(store_ref_write(store, before.refs[i].key, before.refs[i].revision,
                                         before.refs[i].target, NULL),
                         MODEL_OK);
    store_refs_finish(&before);
    store_refs_finish(&after);
    return dir;
}

static void expect_found(const struct store *store, const char *name, const char *dir)
{
    char *found = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    if (store_find(store, name, &found, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    assert_string_equal(found, dir);
    free(found);
}

static void a_package_without_a_ref_is_found_listed_and_removed(void **state)
{
    struct store *store = open_store(*state);
    struct model_error err = MODEL_ERROR_INIT;
    struct store_list list;
    char *dir = install_without_refs(store, "a/m", COMMIT_A, "12345"), *found = NULL;
    assert_int_equal(count_in(store, "refs/a--m"), 0);
    expect_found(store, "a/m", dir);
    expect_found(store, "m", dir);
    expect_found(store, "a/m@main", dir);
    expect_found(store, "a/m@1111111aa", dir);
    assert_int_equal(store_find(store, "x/y", &found, &err), MODEL_NOT_FOUND);
    assert_non_null(strstr(err.message, ", which has a/m; "));
    assert_int_equal(store_list_packages(store, &list, NULL), MODEL_OK);
    assert_int_equal(list.n_entries, 1);
    assert_string_equal(list.entries[0].dir, dir);
    store_list_finish(&list);
    assert_int_equal(store_remove(store, "a/m", 0, NULL, NULL, &err), MODEL_OK);
    assert_int_equal(count_in(store, "packages"), 0);
    assert_int_equal(count_in(store, "tmp"), 0);
    free(dir);
    store_close(store);
}

static void the_same_again_gives_it_its_refs(void **state)
{
    struct store *store = open_store(*state);
    char *dir = install_without_refs(store, "a/m", COMMIT_A, "12345");
    char *again = install_text(store, "a/m", "a/m", "main", COMMIT_A, "12345");
    assert_string_equal(again, dir);
    assert_int_equal(count_in(store, "refs/a--m"), 2);
    free(again);
    free(dir);
    store_close(store);
}

/* The names that there are stay with who has them. */
static void a_new_commit_without_a_ref_takes_no_name(void **state)
{
    struct store *store = open_store(*state);
    char *old = install_text(store, "a/m", "a/m", "main", COMMIT_A, "1");
    char *new = install_without_refs(store, "a/m", COMMIT_B, "2");
    expect_found(store, "a/m", old);
    expect_found(store, "a/m@" COMMIT_B, new);
    free(old);
    free(new);
    store_close(store);
}

static void a_superseded_package_stays_without_a_name(void **state)
{
    struct store *store = open_store(*state);
    struct store_list list;
    free(install_text(store, "a/m", "a/m", "main", COMMIT_A, "1"));
    char *dir = install_text(store, "a/m", "a/m", "main", COMMIT_A, "2");
    assert_int_equal(count_in(store, "packages/a--m"), 2);
    assert_int_equal(store_list_packages(store, &list, NULL), MODEL_OK);
    assert_int_equal(list.n_entries, 1);
    assert_string_equal(list.entries[0].dir, dir);
    store_list_finish(&list);
    free(dir);
    store_close(store);
}

static void a_damaged_blob_is_mended_in_all_that_share_it(void **state)
{
    struct store *store = open_store(*state);
    char hex[SHA256_HEX_BYTES];
    struct stat blob_info, file_info;
    char *a = install_text(store, "a/m", "a/m", "main", COMMIT_A, "12345");
    char *b = install_text(store, "b/m", "b/m", "main", COMMIT_B, "12345");
    assert_int_equal(digest_bytes_sha256("12345", 5, hex, NULL), MODEL_OK);
    char *blob = store_blob_path(store, hex);
    /* one has a hard link, the other a symbolic one */
    const char *hard = in_folder(a, "data.txt"), *soft = in_folder(b, "data.txt");
    assert_int_equal(unlink(hard) | unlink(soft), 0);
    assert_int_equal(link(blob, hard), 0);
    assert_int_equal(symlink(blob, soft), 0);
    assert_int_equal(chmod(blob, 0644), 0);
    FILE *file = fopen(blob, "r+");
    assert_int_equal(fputs("12x", file) < 0, 0);
    assert_int_equal(fclose(file), 0);
    assert_file_is(hard, "12x45");
    assert_int_equal(store_verify_package(a, NULL, NULL, NULL), MODEL_CORRUPT);
    assert_int_equal(store_verify_package(b, NULL, NULL, NULL), MODEL_CORRUPT);

    add_text_blob(store, "12345", hex);
    assert_int_equal(store_verify_package(a, NULL, NULL, NULL), MODEL_OK);
    assert_int_equal(store_verify_package(b, NULL, NULL, NULL), MODEL_OK);
    assert_int_equal(stat(blob, &blob_info) | stat(hard, &file_info), 0);
    assert_int_equal(blob_info.st_ino, file_info.st_ino);
    assert_int_equal(count_in(store, "tmp"), 0);
    free(blob);
    free(a);
    free(b);
    store_close(store);
}

static void blobs_are_listed_by_size(void **state)
{
    struct store *store = open_store(*state);
    struct store_blobs blobs;
    char hexes[3][SHA256_HEX_BYTES];
    assert_int_equal(store_list_blobs(store, &blobs, NULL), MODEL_OK);
    assert_int_equal(blobs.n_blobs, 0);
    free(blobs.blobs);
    add_text_blob(store, "three", hexes[2]);
    add_text_blob(store, "", hexes[0]);
    add_text_blob(store, "one", hexes[1]);
    put_text(in_folder(store_dir(store), "blobs/sha256/ab/no blob"), "x");
    assert_int_equal(store_list_blobs(store, &blobs, NULL), MODEL_OK);
    assert_int_equal(blobs.n_blobs, 3);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(blobs.blobs[i].sha256, hexes[i]);
    assert_int_equal(blobs.blobs[2].size_bytes, 5);
    free(blobs.blobs);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(a_package_without_a_ref_is_found_listed_and_removed),
        FOLDER_TEST(the_same_again_gives_it_its_refs),
        FOLDER_TEST(a_new_commit_without_a_ref_takes_no_name),
        FOLDER_TEST(a_superseded_package_stays_without_a_name),
        FOLDER_TEST(blobs_are_listed_by_size),
        FOLDER_TEST(a_damaged_blob_is_mended_in_all_that_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
