/* test_store_blobs.c - blobs and the ways in which a package's file is made of one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store_packages.h"
#include "store_paths.h"

#include <sys/stat.h>

static struct stat stat_of(const char *path)
{
    struct stat info;
    assert_int_equal(lstat(path, &info), 0);
    return info;
}

static void a_blob_stands_once_read_only_under_its_digest(void **state)
{
    struct store *store = open_store(*state);
    char hex[SHA256_HEX_BYTES];
    /* sha256 of "abc", FIPS 180-2 */
    static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_false(store_has_blob(store, abc, 3));
    add_text_blob(store, "abc", hex);
    assert_string_equal(hex, abc);
    char *path = store_blob_path(store, abc);
    char *wanted = text_format("%s/blobs/sha256/ba/%s", store_dir(store), abc);
    assert_string_equal(path, wanted);
    assert_file_is(path, "abc");
    assert_int_equal(stat_of(path).st_mode & 0222, 0);
    assert_true(store_has_blob(store, abc, 3));
    assert_false(store_has_blob(store, abc, 4));

    ino_t inode = stat_of(path).st_ino;
    add_text_blob(store, "abc", hex); /* again: the first one stays, packages may share it */
    assert_int_equal(stat_of(path).st_ino, inode);
    assert_int_equal(stat_of(path).st_nlink, 1);
    assert_int_equal(count_in(store, "tmp"), 0);
    free(wanted);
    free(path);
    store_close(store);
}

static void a_broken_blob_is_replaced(void **state)
{
    struct store *store = open_store(*state);
    char hex[SHA256_HEX_BYTES];
    add_text_blob(store, "abc", hex);
    char *path = store_blob_path(store, hex);
    assert_int_equal(unlink(path), 0);
    put_text(path, "abd");
    add_text_blob(store, "abc", hex);
    assert_file_is(path, "abc");
    free(path);
    store_close(store);
}

static void only_digests_name_blobs(void **state)
{
    struct store *store = open_store(*state);
    struct model_error err = MODEL_ERROR_INIT;
    static const char *const names[] = {
        "", "..", "../../../../etc/passwd",
        "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a/"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_null(store_blob_path(store, names[i]));
        assert_false(store_has_blob(store, names[i], 0));
        assert_int_equal(store_add_blob(store, "/nowhere", names[i], &err), MODEL_INVALID_ARGUMENT);
    }
    store_close(store);
}

static void a_file_that_is_not_there_is_no_blob(void **state)
{
    struct store *store = open_store(*state);
    struct model_error err = MODEL_ERROR_INIT;
    static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_int_equal(store_add_blob(store, "/nowhere/file", abc, &err), MODEL_NOT_FOUND);
    assert_string_equal(err.message,
                        "cannot make /nowhere/file read-only: No such file or directory");
    assert_false(store_has_blob(store, abc, 3));
    store_close(store);
}

/* ---- links */

static void each_method_gives_the_content(void **state)
{
    const char *folder = *state;
    const char *blob = in_folder(folder, "blob"), *target = in_folder(folder, "sub/target");
    put_text(blob, "content");
    assert_int_equal(dir_make_all(in_folder(folder, "sub"), NULL), MODEL_OK);
    assert_int_equal(chmod(blob, 0444), 0);
    struct stat of_blob = stat_of(blob);
    static const unsigned methods[] = {STORE_LINK_REFLINK, STORE_LINK_HARD, STORE_LINK_SYMBOLIC,
                                       STORE_LINK_COPY, STORE_LINK_ANY};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        struct model_error err = MODEL_ERROR_INIT;
        model_status status = store_link_blob(blob, target, "../blob", methods[i], &err);
        if (methods[i] == STORE_LINK_REFLINK && status != MODEL_OK) {
            print_message("this disk has no reflinks: %s\n", err.message);
            assert_int_not_equal(access(target, F_OK), 0); /* nothing left behind */
            continue;
        }
        assert_int_equal(status, MODEL_OK);
        assert_file_is(target, "content");
        struct stat info = stat_of(target);
        if (methods[i] == STORE_LINK_HARD)
            assert_int_equal(info.st_ino, of_blob.st_ino);
        if (methods[i] == STORE_LINK_SYMBOLIC)
            assert_true(S_ISLNK(info.st_mode));
        if (methods[i] == STORE_LINK_COPY) {
            assert_true(S_ISREG(info.st_mode));
            assert_int_not_equal(info.st_ino, of_blob.st_ino);
            assert_int_equal(info.st_mode & 0222, 0);
        }
        assert_int_equal(unlink(target), 0);
    }
}

static void links_across_disks_fall_back(void **state)
{
    const char *target = in_folder(*state, "target");
    char other[] = "/dev/shm/modelhost-test-XXXXXX";
    int fd = mkstemp(other);
    if (fd < 0) {
        print_message("skipped: no /dev/shm\n");
        skip();
    }
    assert_int_equal(write(fd, "far", 3), 3);
    assert_int_equal(close(fd), 0);
    struct model_error err = MODEL_ERROR_INIT;
    if (stat_of(other).st_dev != stat_of(*state).st_dev) {
        assert_int_equal(
            store_link_blob(other, target, "x", STORE_LINK_REFLINK | STORE_LINK_HARD, &err),
            MODEL_IO);
        assert_non_null(strstr(err.message, "Invalid cross-device link"));
        assert_int_not_equal(access(target, F_OK), 0);
    }
    assert_int_equal(store_link_blob(other, target, "x", STORE_LINK_HARD | STORE_LINK_COPY, &err),
                     MODEL_OK);
    assert_file_is(target, "far");
    assert_int_equal(unlink(other), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(a_blob_stands_once_read_only_under_its_digest),
        FOLDER_TEST(a_broken_blob_is_replaced),
        FOLDER_TEST(only_digests_name_blobs),
        FOLDER_TEST(a_file_that_is_not_there_is_no_blob),
        FOLDER_TEST(each_method_gives_the_content),
        FOLDER_TEST(links_across_disks_fall_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
