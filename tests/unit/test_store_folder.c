/* test_store_folder.c - what somebody else may have put into a shared store: links in the place of its folders and
 * files, and files that are nobody's. What lies outside must be as it was. Covers base/folders.c, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store_folder.h"
#include "store_gc.h"
#include "store_lease.h"
#include "store_packages.h"
#include "store_paths.h"

#include <errno.h>
#include <sys/stat.h>

#define DIGEST  "1111111111111111111111111111111111111111111111111111111111111111"
#define DAY_S   (24 * 3600)
#define FOREIGN "not the store's"

/* <folder>/mine, with a file by each name that something in a store may have. */
static const char *const foreign[] = {
    "letter.txt",     DIGEST,          "x--m/" DIGEST,
    "x--m/main",      "Ab3xYz/letter", "Ab3xYz.4242.1",
    "data",           "have",          ".time.Ab3xYz",
    "metadata.json",  "11/" DIGEST,    COMMIT_A "-12345/data",
    "Ab3xYz.held/it", "live",          "sha256/11/" DIGEST,
};

#define N_FOREIGN (sizeof foreign / sizeof foreign[0])

static const char *put_foreign(const char *folder)
{
    static char mine[1024];
    (void)snprintf(mine, sizeof mine, "%s", in_folder(folder, "mine"));
    for (size_t i = 0; i < N_FOREIGN; i++)
        put_text(in_folder(mine, foreign[i]), FOREIGN);
    return mine;
}

static void assert_foreign_stays(const char *mine)
{
    for (size_t i = 0; i < N_FOREIGN; i++)
        assert_file_is(in_folder(mine, foreign[i]), FOREIGN);
}

/* Everything that writes, sweeps or deletes; whether it may or not is its own business. */
static void use_store(struct store *store)
{
    struct store_gc_result result = {0};
    struct store_lease *lease = NULL;
    char *staging = NULL, *dir = NULL;
    struct manifest manifest = new_manifest("x/m", "x/m", "main", COMMIT_A);
    const struct store_gc_options options = {.now_s = time(NULL) + 40 * DAY_S};
    assert_int_equal(manifest_add(&manifest, "data", NULL, 1, DIGEST, NULL), MODEL_OK);
    (void)store_make_staging(store, &staging, NULL);
    store_end_staging(store, staging);
    (void)store_lease_take(store, STORE_LEASE_READER, "packages/x--m/" DIGEST, &lease, NULL);
    store_lease_end(lease);
    if (store_install(store, &manifest, &dir, NULL) == MODEL_OK)
        free(dir);
    (void)store_ref_write(store, "x--m", "main", "x--m/" DIGEST, NULL);
    store_stamp_write(store, in_folder(store->dir, "packages/x--m/" DIGEST), &manifest);
    store_stamp_remove(store, "x--m/" DIGEST);
    store_clean_staging(store, time(NULL) + 2 * DAY_S);
    if (store_gc(store, &options, &result, NULL) == MODEL_OK)
        free(result.note);
    result.note = NULL;
    (void)store_remove(store, "x/m", 0, NULL, NULL, NULL);
    if (store_gc(store, &options, &result, NULL) == MODEL_OK)
        free(result.note);
    manifest_finish(&manifest);
}

static void links_in_the_place_of_folders_lead_nobody_out_of_the_store(void **state)
{
    static const char *const folders[] = {
        "tmp",         "partial",      "leases",    "stamps",        "history",      "used",
        "prepared",    "packages",     "refs",      "blobs",         "blobs/sha256", "refs/x--m",
        "stamps/x--m", "history/x--m", "used/x--m", "packages/x--m", "compiled"};
    const char *mine = put_foreign(*state);
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        struct store *store = open_store(*state);
        struct model_error err = MODEL_ERROR_INIT;
        const char *link = in_folder(store->dir, folders[i]);
        free(install_text(store, "x/m", "x/m", "main", COMMIT_B, "used"));
        assert_int_equal(dir_make_all(link, NULL), MODEL_OK);
        assert_int_equal(dir_remove_all(link, NULL), MODEL_OK);
        assert_int_equal(symlink(mine, link), 0);
        assert_int_equal(store_folder_check(store, folders[i], &err), MODEL_CORRUPT);
        if (strstr(err.message, folders[i]) == NULL || strstr(err.message, "symbolic link") == NULL)
            fail_msg("%s", err.message);
        use_store(store);
        assert_foreign_stays(mine);
        store_close(store);
        assert_int_equal(dir_remove_all(in_folder(*state, "store"), NULL), MODEL_OK);
    }
}

static void a_store_with_a_link_among_its_folders_is_not_opened(void **state)
{
    struct store *store = open_store(*state);
    struct model_error err = MODEL_ERROR_INIT;
    const char *dir = in_folder(*state, "store"), *tmp = in_folder(dir, "tmp");
    store_close(store);
    assert_int_equal(rmdir(tmp) | symlink(*state, tmp), 0);
    assert_int_equal(store_open(dir, 0, &store, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "tmp is a symbolic link"));
    assert_int_equal(store_open(dir, 1, &store, &err), MODEL_CORRUPT);
    assert_int_equal(unlink(tmp), 0);
    put_text(tmp, "no folder");
    assert_int_equal(store_open(dir, 0, &store, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "tmp is no folder"));
}

/* Its own folder is the user's choice. */
static void a_link_to_the_store_itself_is_followed(void **state)
{
    struct store *store = open_store(*state);
    const char *link = in_folder(*state, "link");
    store_close(store);
    assert_int_equal(symlink("store", link), 0);
    assert_int_equal(store_open(link, 0, &store, NULL), MODEL_OK);
    store_close(store);
}

static void links_in_the_place_of_files_are_replaced(void **state)
{
    static const char *const files[] = {"refs/x--m/main", "history/x--m/main"};
    const char *mine = put_foreign(*state);
    struct store *store = open_store(*state);
    char *dir = install_text(store, "x/m", "x/m", "main", COMMIT_A, "used");
    for (size_t i = 0; i < 2; i++) {
        const char *path = in_folder(store->dir, files[i]);
        assert_int_equal(unlink(path) | symlink(in_folder(mine, "letter.txt"), path), 0);
    }
    char *stamp = text_format("%s/stamps/%s", store->dir, store_target_of(store, dir));
    const char *metadata = in_folder(dir, "metadata.json");
    assert_non_null(stamp);
    assert_int_equal(unlink(stamp) | symlink(in_folder(mine, "data"), stamp), 0);
    assert_int_equal(rename(metadata, in_folder(*state, "kept.json")), 0);
    assert_int_equal(symlink(in_folder(*state, "kept.json"), metadata), 0);
    struct buffer before = BUFFER_INIT(1 << 20);
    assert_int_equal(file_read(metadata, 1 << 20, &before, NULL), MODEL_OK);
    free(install_text(store, "x/m", "x/m", "other", COMMIT_A, "used"));
    free(install_text(store, "x/m", "x/m", "main", COMMIT_B, "more"));
    assert_foreign_stays(mine);
    assert_file_is(in_folder(*state, "kept.json"), before.data);
    buffer_finish(&before);
    free(stamp);
    free(dir);
    store_close(store);
}

/* Files and folders that a person put there, whatever for. */
static void only_what_a_store_makes_is_deleted(void **state)
{
    static const char *const kept[] = {"tmp/notes/todo",
                                       "tmp/notes.held/todo",
                                       "tmp/.time.table",
                                       "partial/thesis/chapter1",
                                       "partial/" COMMIT_A "-12x/data",
                                       "prepared/speech.txt",
                                       "compiled/thesis/chapter1",
                                       "compiled/.thesis.4242.0.tmp/chapter1",
                                       "leases/flat.pdf",
                                       "leases/flat.2026.pdf",
                                       "stamps/x--m/penny-black",
                                       "used/x--m/cars",
                                       "history/x--m/.git",
                                       "blobs/sha256/11/notes",
                                       "blobs/sha256/zz/" DIGEST "x"};
    static const char *const gone[] = {"tmp/Ab3xYz.held/x",
                                       "partial/" COMMIT_A "-12345/data",
                                       "partial/" COMMIT_A "-12345.0a.0b.42.0c/data",
                                       "prepared/" DIGEST,
                                       "prepared/.draft-Ab3xYz",
                                       "compiled/" DIGEST "/model.mlmodelc/weights",
                                       "compiled/." DIGEST ".4242.0.tmp/model.mlmodelc/weights",
                                       "leases/Ab3xYz.4242.1",
                                       "leases/.Ab3xYz",
                                       "stamps/y--m/.gone.1.2.tmp",
                                       "used/y--m/" DIGEST,
                                       "history/y--m/main",
                                       "history/y--m/.main.4242.0.tmp",
                                       "blobs/sha256/11/" DIGEST};
    struct store *store = open_store(*state);
    struct store_gc_result result = {0};
    const struct store_gc_options options = {.now_s = time(NULL) + 40 * DAY_S};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        put_text(in_folder(store->dir, kept[i]), FOREIGN);
    for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++)
        put_text(in_folder(store->dir, gone[i]), "{}");
    assert_int_equal(unlink(in_folder(store->dir, "stamps/y--m/.gone.1.2.tmp")), 0);
    assert_int_equal(store_gc(store, &options, &result, NULL), MODEL_OK);
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        assert_file_is(in_folder(store->dir, kept[i]), FOREIGN);
    for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++)
        if (path_is_file(in_folder(store->dir, gone[i])))
            fail_msg("%s is still there", gone[i]);
    assert_non_null(result.note);
    assert_non_null(strstr(result.note, "nothing that a store makes"));
    free(result.note);
    store_close(store);
}

static void a_folder_is_made_on_the_way_down(void **state)
{
    struct store *store = open_store(*state);
    struct dir_list list = {0};
    assert_int_equal(store_folder_read(store, "used/x--m", &list, NULL), MODEL_NOT_FOUND);
    assert_int_equal(store_folder_write(store, "used/x--m", "file", "text", 4, NULL), MODEL_OK);
    assert_file_is(in_folder(store->dir, "used/x--m/file"), "text");
    assert_int_equal(store_folder_read(store, "used/x--m", &list, NULL), MODEL_OK);
    assert_int_equal(list.n_names, 1);
    assert_string_equal(list.names[0], "file");
    dir_list_finish(&list);
    assert_false(store_folder_rmdir(store, "used", "x--m"));
    assert_int_equal(errno, ENOTEMPTY);
    assert_true(store_folder_remove(store, "used", "x--m"));
    store_close(store);
}

static void what_is_removed_is_removed_without_what_links_in_it_lead_to(void **state)
{
    const char *mine = put_foreign(*state), *dir = in_folder(*state, "gone");
    put_text(in_folder(dir, "a/b/c"), "x");
    assert_int_equal(symlink(mine, in_folder(dir, "a/link")), 0);
    assert_int_equal(symlink(in_folder(mine, "letter.txt"), in_folder(dir, "a/b/file")), 0);
    assert_int_equal(dir_remove_all(dir, NULL), MODEL_OK);
    assert_false(path_is_dir(dir));
    assert_foreign_stays(mine);
    assert_int_equal(symlink(mine, dir), 0);
    assert_int_equal(dir_remove_all(dir, NULL), MODEL_OK);
    assert_foreign_stays(mine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(links_in_the_place_of_folders_lead_nobody_out_of_the_store),
        FOLDER_TEST(a_store_with_a_link_among_its_folders_is_not_opened),
        FOLDER_TEST(a_link_to_the_store_itself_is_followed),
        FOLDER_TEST(links_in_the_place_of_files_are_replaced),
        FOLDER_TEST(only_what_a_store_makes_is_deleted),
        FOLDER_TEST(a_folder_is_made_on_the_way_down),
        FOLDER_TEST(what_is_removed_is_removed_without_what_links_in_it_lead_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
