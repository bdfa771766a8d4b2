/* test_store_check.c - damage is seen before it spreads: in blobs, and in packages that were touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store_packages.h"
#include "store_paths.h"

#include <fcntl.h>
#include <sys/stat.h>

/* Writes over the file, whose inode stays; keeps its time of writing unless `touch`. */
static void damage(const char *path, const char *text, bool touch)
{
    struct stat before;
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(chmod(path, 0644), 0);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    const struct timespec times[2] = {before.st_atim,
                                      touch ? (struct timespec){.tv_sec = 1} : before.st_mtim};
    assert_int_equal(futimens(fd, times), 0);
    (void)close(fd);
}

static model_status check(const struct store *store, const char *dir, struct model_error *err)
{
    struct manifest manifest = {0};
    assert_int_equal(manifest_read(dir, &manifest, NULL), MODEL_OK);
    model_status status = store_check_package(store, dir, &manifest, err);
    manifest_finish(&manifest);
    return status;
}

static void a_blob_of_the_right_size_with_wrong_bytes_is_not_good(void **state)
{
    struct store *store = open_store(*state);
    char hex[SHA256_HEX_BYTES];
    add_text_blob(store, "abc", hex);
    char *blob = store_blob_path(store, hex);
    assert_true(store_blob_is_good(store, hex, 3));
    assert_false(store_blob_is_good(store, hex, 4));
    damage(blob, "abd", true); /* after it was found good */
    assert_true(store_has_blob(store, hex, 3));
    assert_false(store_blob_is_good(store, hex, 3));
    store_close(store);
    store = open_store(*state); /* which knows nothing */
    assert_false(store_blob_is_good(store, hex, 3));
    damage(blob, "abc", false);
    assert_true(store_blob_is_good(store, hex, 3));
    free(blob);
    store_close(store);
}

static void many_blobs_are_remembered(void **state)
{
    struct store *store = open_store(*state);
    char hexes[100][SHA256_HEX_BYTES];
    for (int i = 0; i < 100; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "%d", i);
        add_text_blob(store, text, hexes[i]);
    }
    assert_int_equal(store->memory->n_checked, 100);
    for (int i = 0; i < 100; i++)
        assert_true(store_blob_is_good(store, hexes[i], i < 10 ? 1 : 2));
    assert_int_equal(store->memory->n_checked, 100);
    store_close(store);
}

static void a_package_that_was_touched_is_read_and_the_bad_file_named(void **state)
{
    struct store *store = open_store(*state);
    struct model_error err = MODEL_ERROR_INIT;
    char *dir = install_text(store, "a/m", "a/m", "main", COMMIT_A, "12345");
    const char *data = in_folder(dir, "data.txt");
    assert_int_equal(check(store, dir, &err), MODEL_OK);
    damage(data, "12x45", true);
    assert_int_equal(check(store, dir, &err), MODEL_CORRUPT);
    char *wanted = text_format("'data.txt' of the package %s is damaged", dir);
    assert_string_equal(err.message, wanted);
    damage(data, "12345", true); /* right again, at another time */
    assert_int_equal(check(store, dir, &err), MODEL_OK);
    free(wanted);
    free(dir);
    store_close(store);
}

/* That nothing is read shows in damage that leaves size, time and inode as they were. */
static void an_untouched_package_is_not_read(void **state)
{
    struct store *store = open_store(*state);
    char *dir = install_text(store, "a/m", "a/m", "main", COMMIT_A, "12345");
    damage(in_folder(dir, "data.txt"), "12x45", false);
    assert_int_equal(check(store, dir, NULL), MODEL_OK);
    assert_int_equal(dir_remove_all(in_folder(store_dir(store), "stamps"), NULL), MODEL_OK);
    assert_int_equal(check(store, dir, NULL), MODEL_CORRUPT);
    assert_false(path_is_dir(in_folder(store_dir(store), "stamps")));
    damage(in_folder(dir, "data.txt"), "12345", false);
    assert_int_equal(check(store, dir, NULL), MODEL_OK);
    assert_int_equal(count_in(store, "stamps/a--m"), 1);
    assert_int_equal(store_remove(store, "a/m", 0, NULL, NULL, NULL), MODEL_OK);
    assert_int_equal(count_in(store, "stamps"), 0);
    free(dir);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(a_blob_of_the_right_size_with_wrong_bytes_is_not_good),
        FOLDER_TEST(many_blobs_are_remembered),
        FOLDER_TEST(a_package_that_was_touched_is_read_and_the_bad_file_named),
        FOLDER_TEST(an_untouched_package_is_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
