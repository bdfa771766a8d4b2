/* test_package_update.c - what changed between a package and a plan of its next version. The whole of an update:
 * tests/system/test_life.sh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "package_update.h"
#include "store_packages.h"

/* of "hello\n", by git hash-object and sha256sum */
#define GIT    "ce013625030ba8dba906f756967f9e9ca394464a"
#define SHA256 "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"

static void each_file_is_compared_by_its_digest(void **state)
{
    static struct hub_file files[] = {
        {(char *)(uintptr_t) "added.txt", 3, {HUB_DIGEST_GIT_BLOB, GIT}},
        {(char *)(uintptr_t) "large.txt", 6, {HUB_DIGEST_SHA256, SHA256}},
        {(char *)(uintptr_t) "other.txt", 6, {HUB_DIGEST_GIT_BLOB, GIT}},
        {(char *)(uintptr_t) "same.txt", 6, {HUB_DIGEST_GIT_BLOB, GIT}},
    };
    struct plan_file planned[4] = {{0}};
    struct download_plan plan = {planned, 4, 0, 0};
    for (size_t i = 0; i < 4; i++)
        planned[i] = (struct plan_file){.file = &files[i], .package_path = files[i].path};
    struct store *store = open_store(*state);
    struct manifest manifest = new_manifest("x/m", "x/m", "main", COMMIT_A);
    struct package_update update = {0};
    char hex[SHA256_HEX_BYTES];
    add_text_blob(store, "hello\n", hex);
    assert_string_equal(hex, SHA256);
    assert_int_equal(manifest_add(&manifest, "large.txt", "large.txt", 6, hex, NULL), MODEL_OK);
    assert_int_equal(manifest_add(&manifest, "same.txt", "same.txt", 6, hex, NULL), MODEL_OK);
    assert_int_equal(manifest_add(&manifest, "model_info.json", NULL, 6, hex, NULL), MODEL_OK);
    assert_int_equal(manifest_add(&manifest, "removed.txt", "removed.txt", 6, hex, NULL), MODEL_OK);
    add_text_blob(store, "world\n", hex);
    assert_int_equal(manifest_add(&manifest, "other.txt", "other.txt", 6, hex, NULL), MODEL_OK);
    assert_int_equal(package_update_compare(store, &manifest, &plan, &update, NULL), MODEL_OK);
    assert_int_equal(update.n_files, 3);
    assert_string_equal(update.files[0].path, "added.txt");
    assert_int_equal(update.files[0].change, FILE_ADDED);
    assert_int_equal(update.files[0].new_bytes, 3);
    assert_string_equal(update.files[1].path, "other.txt");
    assert_int_equal(update.files[1].change, FILE_CHANGED);
    assert_string_equal(update.files[2].path, "removed.txt");
    assert_int_equal(update.files[2].change, FILE_REMOVED);
    package_update_finish(&update);
    manifest_finish(&manifest);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {FOLDER_TEST(each_file_is_compared_by_its_digest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
