/* test_hub_cache.c - the cache that the hub's own clients share. Covers
 * packager/life/hub_cache_write.c, too. The layout as a whole: tests/system/test_life.sh, tests/interop/hub_cache.mjs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "hub_cache.h"
#include "store_packages.h"

#include <sys/stat.h>

/* of "hello\n", by git hash-object and sha256sum */
#define GIT    "ce013625030ba8dba906f756967f9e9ca394464a"
#define SHA256 "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"

static const struct hub_digest git = {HUB_DIGEST_GIT_BLOB, GIT};
static const struct hub_digest sha256 = {HUB_DIGEST_SHA256, SHA256};

static bool take(const char *cache, const struct hub_digest *digest, uint64_t size_bytes,
                 const struct store *store)
{
    char hex[SHA256_HEX_BYTES] = "";
    bool found = false;
    struct model_error err = MODEL_ERROR_INIT;
    if (hub_cache_take(cache, "x/m", digest, size_bytes, store, hex, &found, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    if (found)
        assert_string_equal(hex, SHA256);
    assert_int_equal(count_in(store, "tmp"), 0);
    return found;
}

static void bytes_are_taken_when_their_digest_fits(void **state)
{
    struct store *store = open_store(*state);
    const char *cache = in_folder(*state, "hub");
    assert_false(take(cache, &git, 6, store)); /* no cache at all */
    put_text(in_folder(cache, "models--x--m/blobs/" GIT), "hello\n");
    assert_false(take(cache, &git, 5, store));
    assert_false(take(cache, &sha256, 6, store)); /* under another name */
    assert_true(take(cache, &git, 6, store));
    assert_true(store_has_blob(store, SHA256, 6));
    assert_file_is(in_folder(cache, "models--x--m/blobs/" GIT), "hello\n");
    store_close(store);
}

static void wrong_bytes_and_links_are_not_taken(void **state)
{
    struct store *store = open_store(*state);
    const char *cache = in_folder(*state, "hub");
    put_text(in_folder(cache, "models--x--m/blobs/" GIT), "wrong\n");
    assert_false(take(cache, &git, 6, store));
    put_text(in_folder(*state, "secret"), "hello\n");
    assert_int_equal(
        symlink(in_folder(*state, "secret"), in_folder(cache, "models--x--m/blobs/" SHA256)), 0);
    assert_false(take(cache, &sha256, 6, store));
    assert_false(store_has_blob(store, SHA256, 6));
    store_close(store);
}

static void lay_down(const char *cache, const char *revision, const char *content)
{
    const struct hub_cache_file files[] = {{"a.txt", &git, content},
                                           {"deep/er/b.bin", &sha256, content}};
    struct model_error err = MODEL_ERROR_INIT;
    if (hub_cache_lay_down(cache, "x/m", revision, COMMIT_A, files, 2, &err) != MODEL_OK)
        fail_msg("%s", err.message);
}

static void expect_link(const char *cache, const char *name, const char *target)
{
    char found[256];
    ssize_t n = readlink(in_folder(cache, name), found, sizeof found - 1);
    assert_true(n > 0);
    found[n] = '\0';
    assert_string_equal(found, target);
}

static void a_snapshot_is_laid_down_as_clients_do(void **state)
{
    const char *cache = in_folder(*state, "hub"), *content = in_folder(*state, "content");
    const char *ref = in_folder(cache, "models--x--m/refs/refs/pr/1");
    put_text(content, "hello\n");
    lay_down(cache, "refs/pr/1", content);
    lay_down(cache, "refs/pr/1", content); /* again: all is there */
    assert_file_is(ref, COMMIT_A);
    expect_link(cache, "models--x--m/snapshots/" COMMIT_A "/a.txt", "../../blobs/" GIT);
    expect_link(cache, "models--x--m/snapshots/" COMMIT_A "/deep/er/b.bin",
                "../../../../blobs/" SHA256);
    assert_file_is(in_folder(cache, "models--x--m/snapshots/" COMMIT_A "/deep/er/b.bin"),
                   "hello\n");
    struct dir_list list;
    assert_int_equal(dir_read(in_folder(cache, "models--x--m/blobs"), &list, NULL), MODEL_OK);
    assert_int_equal(list.n_names, 2);
    dir_list_finish(&list);
}

static void a_commit_needs_no_ref(void **state)
{
    const char *cache = in_folder(*state, "hub"), *content = in_folder(*state, "content");
    put_text(content, "hello\n");
    lay_down(cache, COMMIT_A, content);
    assert_false(path_is_dir(in_folder(cache, "models--x--m/refs")));
}

static void a_blob_of_another_size_is_replaced(void **state)
{
    const char *cache = in_folder(*state, "hub"), *content = in_folder(*state, "content");
    put_text(content, "hello\n");
    put_text(in_folder(cache, "models--x--m/blobs/" GIT), "hel");
    put_text(in_folder(cache, "models--x--m/snapshots/" COMMIT_A "/a.txt"), "no link");
    lay_down(cache, "main", content);
    assert_file_is(in_folder(cache, "models--x--m/snapshots/" COMMIT_A "/a.txt"), "hello\n");
    expect_link(cache, "models--x--m/snapshots/" COMMIT_A "/a.txt", "../../blobs/" GIT);
}

static void wrong_bytes_of_the_right_size_are_replaced(void **state)
{
    const char *cache = in_folder(*state, "hub"), *content = in_folder(*state, "content");
    put_text(content, "hello\n");
    put_text(in_folder(cache, "models--x--m/blobs/" GIT), "HELLO\n");
    put_text(in_folder(cache, "models--x--m/blobs/" SHA256), "HELLO\n");
    lay_down(cache, "main", content);
    assert_file_is(in_folder(cache, "models--x--m/blobs/" GIT), "hello\n");
    assert_file_is(in_folder(cache, "models--x--m/blobs/" SHA256), "hello\n");
}

static void right_bytes_of_another_client_stay_its_own(void **state)
{
    const char *cache = in_folder(*state, "hub"), *content = in_folder(*state, "content");
    const char *blob = in_folder(cache, "models--x--m/blobs/" GIT);
    struct stat before, after;
    put_text(content, "hello\n");
    put_text(blob, "hello\n");
    assert_int_equal(stat(blob, &before), 0);
    lay_down(cache, "main", content);
    assert_int_equal(stat(blob, &after), 0);
    assert_true(before.st_ino == after.st_ino);
}

/* One write in place has damaged the cache's file and the old one of the store; the store has mended its own. */
static void a_damaged_hard_link_gives_way_to_the_mended_content(void **state)
{
    const char *cache = in_folder(*state, "hub"), *content = in_folder(*state, "content");
    const char *blob = in_folder(cache, "models--x--m/blobs/" GIT);
    put_text(in_folder(*state, "old"), "HELLO\n");
    put_text(in_folder(cache, "models--x--m/blobs/other"), "");
    assert_int_equal(link(in_folder(*state, "old"), blob), 0);
    put_text(content, "hello\n");
    lay_down(cache, "main", content);
    assert_file_is(blob, "hello\n");
    assert_file_is(in_folder(*state, "old"), "HELLO\n");
}

static void names_that_leave_the_cache_are_refused(void **state)
{
    const struct hub_cache_file file = {"../../x", &git, in_folder(*state, "content")};
    assert_int_equal(
        hub_cache_lay_down(in_folder(*state, "hub"), "x/m", "main", COMMIT_A, &file, 1, NULL),
        MODEL_INVALID_ARGUMENT);
    assert_false(path_is_dir(in_folder(*state, "hub")));
}

static void the_first_variable_that_is_set_decides(void **state)
{
    static const char *const variables[] = {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME",
                                            "XDG_CACHE_HOME", "HOME"};
    static const char *const wants[] = {"/0", "/1", "/2/hub", "/3/huggingface/hub",
                                        "/4/.cache/huggingface/hub"};
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        char value[8];
        (void)snprintf(value, sizeof value, "/%zu", i);
        assert_int_equal(setenv(variables[i], value, 1), 0);
    }
    for (size_t i = 0; i < 5; i++) {
        char *dir = NULL;
        assert_int_equal(hub_cache_dir(&dir, NULL), MODEL_OK);
        assert_string_equal(dir, wants[i]);
        free(dir);
        assert_int_equal(unsetenv(variables[i]), 0);
    }
    char *none = NULL;
    assert_int_equal(hub_cache_dir(&none, NULL), MODEL_OK);
    assert_null(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(bytes_are_taken_when_their_digest_fits),
        FOLDER_TEST(wrong_bytes_and_links_are_not_taken),
        FOLDER_TEST(a_snapshot_is_laid_down_as_clients_do),
        FOLDER_TEST(a_commit_needs_no_ref),
        FOLDER_TEST(a_blob_of_another_size_is_replaced),
        FOLDER_TEST(wrong_bytes_of_the_right_size_are_replaced),
        FOLDER_TEST(right_bytes_of_another_client_stay_its_own),
        FOLDER_TEST(a_damaged_hard_link_gives_way_to_the_mended_content),
        FOLDER_TEST(names_that_leave_the_cache_are_refused),
        cmocka_unit_test(the_first_variable_that_is_set_decides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
