/* test_store_install.c - packages appear whole or not at all, however many make them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store_packages.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct manifest two_files(const struct store *store)
{
    struct manifest manifest = new_manifest("ns/name", "name", "main", COMMIT_A);
    add_text_file(store, &manifest, "backends/cpu/config.json", "{}");
    add_text_file(store, &manifest, "deep/er/data.txt", "data");
    return manifest;
}

static char *install(const struct store *store, const struct manifest *manifest)
{
    struct model_error err = MODEL_ERROR_INIT;
    char *dir = NULL;
    if (store_install(store, manifest, &dir, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return dir;
}

static void a_package_has_its_files_metadata_and_refs(void **state)
{
    struct store *store = open_store(*state);
    struct manifest manifest = two_files(store), read = {0};
    char digest[SHA256_HEX_BYTES];
    char *dir = install(store, &manifest);
    assert_int_equal(manifest_digest(&manifest, digest, NULL), MODEL_OK);
    char *wanted = text_format("%s/packages/ns--name/%s", store_dir(store), digest);
    assert_string_equal(dir, wanted);
    assert_file_is(in_folder(dir, "deep/er/data.txt"), "data");
    assert_int_equal(store_verify_package(dir, NULL, NULL, NULL), MODEL_OK);
    assert_int_equal(manifest_read(dir, &read, NULL), MODEL_OK);
    assert_string_equal(read.requested_id, "name");
    char *target = text_format("ns--name/%s\n", digest);
    assert_file_is(in_folder(store_dir(store), "refs/ns--name/main"), target);
    assert_file_is(in_folder(store_dir(store), "refs/ns--name/" COMMIT_A), target);
    assert_file_is(in_folder(store_dir(store), "refs/name/main"), target);
    assert_int_equal(count_in(store, "refs/name"), 1);
    assert_int_equal(count_in(store, "tmp"), 0);
    struct stat info;
    assert_int_equal(stat(dir, &info), 0);
    assert_int_equal(info.st_mode & 0500, 0500);
    free(target);
    free(wanted);
    free(dir);
    manifest_finish(&read);
    manifest_finish(&manifest);
    store_close(store);
}

static void the_same_again_changes_nothing(void **state)
{
    struct store *store = open_store(*state);
    struct manifest manifest = two_files(store);
    char *dir = install(store, &manifest);
    struct stat before, after;
    assert_int_equal(stat(in_folder(dir, "metadata.json"), &before), 0);
    char *again = install(store, &manifest);
    assert_string_equal(again, dir);
    assert_int_equal(stat(in_folder(dir, "metadata.json"), &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(count_in(store, "packages/ns--name"), 1);
    assert_int_equal(count_in(store, "tmp"), 0);
    free(again);
    free(dir);
    manifest_finish(&manifest);
    store_close(store);
}

static void the_same_content_at_a_new_commit_is_a_package_of_its_own(void **state)
{
    struct store *store = open_store(*state);
    struct manifest manifest = two_files(store), read = {0};
    char *dir = install(store, &manifest), *found = NULL;
    free(manifest.revision);
    manifest.revision = text_format("%s", COMMIT_B);
    char *again = install(store, &manifest);
    assert_string_not_equal(again, dir);
    assert_int_equal(manifest_read(dir, &read, NULL), MODEL_OK);
    assert_string_equal(read.revision, COMMIT_A);
    assert_int_equal(store_find(store, "ns/name@" COMMIT_A, &found, NULL), MODEL_OK);
    assert_string_equal(found, dir);
    free(found);
    assert_int_equal(store_find(store, "ns/name@" COMMIT_B, &found, NULL), MODEL_OK);
    assert_string_equal(found, again);
    free(found);
    free(again);
    free(dir);
    manifest_finish(&read);
    manifest_finish(&manifest);
    store_close(store);
}

static void a_broken_package_is_made_again(void **state)
{
    struct store *store = open_store(*state);
    struct manifest manifest = two_files(store);
    char *dir = install(store, &manifest);
    const char *data = in_folder(dir, "deep/er/data.txt");
    static const char *const damages[] = {"dxta", "longer than it was", NULL};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(unlink(data), 0);
        if (damages[i] != NULL)
            put_text(data, damages[i]);
        free(install(store, &manifest));
        assert_file_is(data, "data");
        assert_int_equal(count_in(store, "tmp"), 0);
    }
    assert_int_equal(unlink(in_folder(dir, "metadata.json")), 0);
    free(install(store, &manifest));
    assert_int_equal(store_verify_package(dir, NULL, NULL, NULL), MODEL_OK);
    free(dir);
    manifest_finish(&manifest);
    store_close(store);
}

static void without_a_blob_nothing_is_made(void **state)
{
    struct store *store = open_store(*state);
    struct manifest manifest = two_files(store);
    struct model_error err = MODEL_ERROR_INIT;
    char *dir = NULL;
    static const char sha[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    assert_int_equal(manifest_add(&manifest, "model.bin", NULL, 9, sha, NULL), MODEL_OK);
    assert_int_equal(store_install(store, &manifest, &dir, &err), MODEL_NOT_FOUND);
    char *wanted = text_format("ns/name: the content of 'model.bin' (sha256 %s, 9 bytes) is not in "
                               "the store; download it again with --force",
                               sha);
    assert_string_equal(err.message, wanted);
    free(wanted);
    assert_null(dir);
    assert_int_equal(count_in(store, "packages"), 0);
    assert_int_equal(count_in(store, "refs"), 0);
    assert_int_equal(count_in(store, "tmp"), 0);
    manifest_finish(&manifest);
    store_close(store);
}

static void a_damaged_blob_makes_no_package(void **state)
{
    struct store *store = open_store(*state);
    struct manifest manifest = two_files(store);
    struct model_error err = MODEL_ERROR_INIT;
    char *dir = NULL;
    const struct manifest_file *file = manifest_find(&manifest, "deep/er/data.txt");
    char *blob = store_blob_path(store, file->sha256);
    assert_int_equal(unlink(blob), 0);
    put_text(blob, "dxta");
    assert_int_equal(store_install(store, &manifest, &dir, &err), MODEL_CORRUPT);
    char *wanted = text_format("ns/name: the content of 'deep/er/data.txt' (sha256 %s) is damaged "
                               "in the store; download it again with --force",
                               file->sha256);
    assert_string_equal(err.message, wanted);
    free(wanted);
    free(blob);
    assert_int_equal(count_in(store, "packages"), 0);
    assert_int_equal(count_in(store, "refs"), 0);
    manifest_finish(&manifest);
    store_close(store);
}

/* A hard link to a damaged blob is damaged, however much it is the same file. */
static void a_package_that_shares_a_damaged_blob_is_made_again(void **state)
{
    struct store *store = open_store(*state);
    struct manifest manifest = two_files(store);
    char *dir = install(store, &manifest), hex[SHA256_HEX_BYTES], *again = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    char *blob = store_blob_path(store, manifest_find(&manifest, "deep/er/data.txt")->sha256);
    const char *data = in_folder(dir, "deep/er/data.txt");
    assert_int_equal(unlink(data), 0);
    assert_int_equal(link(blob, data), 0);
    assert_int_equal(chmod(blob, 0644), 0);
    int fd = open(blob, O_WRONLY | O_CLOEXEC);
    assert_int_equal(write(fd, "dx", 2), 2);
    (void)close(fd);
    assert_int_equal(store_install(store, &manifest, &again, &err), MODEL_CORRUPT);
    add_text_blob(store, "data", hex);
    free(install(store, &manifest));
    assert_int_equal(store_verify_package(dir, NULL, NULL, NULL), MODEL_OK);
    free(blob);
    free(dir);
    manifest_finish(&manifest);
    store_close(store);
}

/* What a kill leaves lies below tmp/, and nobody takes it for a package. */
static void what_a_kill_leaves_is_not_seen(void **state)
{
    struct store *store = open_store(*state);
    struct manifest manifest = two_files(store);
    struct store_list list;
    char *text = manifest_print(&manifest), *found = NULL;
    put_text(in_folder(store_dir(store), "tmp/killed/package/metadata.json"), text);
    put_text(in_folder(store_dir(store), "refs/ns--name/.main.77.0.tmp"), "ns--na");
    free(text);
    assert_int_equal(store_find(store, "ns/name", &found, NULL), MODEL_NOT_FOUND);
    assert_int_equal(store_list_packages(store, &list, NULL), MODEL_OK);
    assert_int_equal(list.n_entries, 0);
    store_list_finish(&list);
    char *dir = install(store, &manifest);
    assert_int_equal(store_verify_package(dir, NULL, NULL, NULL), MODEL_OK);
    free(dir);
    manifest_finish(&manifest);
    store_close(store);
}

/* Starts n processes that install at the same moment; how many failed. */
static int install_in_processes(const struct store *store, const struct manifest *manifest, int n)
{
    int gate[2], n_failed = 0;
    assert_int_equal(pipe(gate), 0);
    for (int i = 0; i < n; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            char byte, *dir = NULL;
            struct model_error err = MODEL_ERROR_INIT;
            (void)close(gate[1]);
            (void)!read(gate[0], &byte, 1); /* until the parent closes the gate */
            model_status status = store_install(store, manifest, &dir, &err);
            if (status != MODEL_OK)
                (void)fprintf(stderr, "%s\n", err.message);
            free(dir);
            _exit(status == MODEL_OK ? 0 : 1);
        }
    }
    (void)close(gate[0]);
    (void)close(gate[1]);
    for (int i = 0; i < n; i++) {
        int result = 0;
        assert_true(wait(&result) > 0);
        n_failed += result != 0;
    }
    return n_failed;
}

static void many_processes_install_the_same_and_all_succeed(void **state)
{
    struct store *store = open_store(*state);
    struct manifest manifest = two_files(store);
    char *dir = install(store, &manifest);
    for (int round = 0; round < 20; round++) {
        /* In odd rounds a broken package is in the way. */
        if (round % 2 == 0)
            assert_int_equal(dir_remove_all(dir, NULL), MODEL_OK);
        else
            assert_int_equal(unlink(in_folder(dir, "deep/er/data.txt")), 0);
        assert_int_equal(install_in_processes(store, &manifest, 6), 0);
        assert_int_equal(store_verify_package(dir, NULL, NULL, NULL), MODEL_OK);
        assert_int_equal(count_in(store, "packages/ns--name"), 1);
        assert_int_equal(count_in(store, "tmp"), 0);
    }
    free(dir);
    manifest_finish(&manifest);
    store_close(store);
}

/* ---- a full disk */

enum {
    DISK_OK,
    DISK_NO_NAMESPACE,
    DISK_NO_STORE,
    DISK_NOT_REFUSED,
    DISK_WRONG_WORDS,
    DISK_LEFTOVER,
    DISK_NO_RECOVERY
};

static void fill_disk(const char *path)
{
    static const char zeros[65536];
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    for (size_t size = sizeof zeros; fd >= 0 && size > 0; size /= 2)
        while (write(fd, zeros, size) == (ssize_t)size)
            continue;
    if (fd >= 0)
        (void)close(fd);
}

/* In a mount namespace of its own, so that the small disk goes away with the process. */
static int install_on_a_full_disk(const char *folder)
{
    struct model_error err = MODEL_ERROR_INIT;
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", folder, "tmpfs", 0, "size=512k") != 0)
        return DISK_NO_NAMESPACE;
    struct store *store = NULL;
    if (store_open(in_folder(folder, "store"), 1, &store, &err) != MODEL_OK)
        return DISK_NO_STORE;
    struct manifest manifest = two_files(store);
    const char *filler = in_folder(folder, "filler");
    fill_disk(filler);
    char *dir = NULL;
    int result = DISK_OK;
    if (store_install(store, &manifest, &dir, &err) != MODEL_IO || dir != NULL)
        result = DISK_NOT_REFUSED;
    else if (strstr(err.message, "metadata.json: No space left on device") == NULL)
        result = DISK_WRONG_WORDS;
    else if (count_in(store, "packages") != 0 || count_in(store, "tmp") != 0 ||
             count_in(store, "refs") != 0)
        result = DISK_LEFTOVER;
    else if (unlink(filler) != 0 || store_install(store, &manifest, &dir, &err) != MODEL_OK ||
             store_verify_package(dir, NULL, NULL, NULL) != MODEL_OK)
        result = DISK_NO_RECOVERY;
    if (result != DISK_OK)
        (void)fprintf(stderr, "full disk: %s\n", err.message);
    free(dir);
    manifest_finish(&manifest);
    store_close(store);
    return result;
}

static void a_full_disk_leaves_nothing_behind(void **state)
{
    if (geteuid() != 0) {
        print_message("skipped: a small tmpfs needs root\n");
        skip();
    }
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(install_on_a_full_disk(*state));
    int result = 0;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    if (WEXITSTATUS(result) == DISK_NO_NAMESPACE) {
        print_message("skipped: no mount namespace of its own here\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(result), DISK_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(a_package_has_its_files_metadata_and_refs),
        FOLDER_TEST(the_same_again_changes_nothing),
        FOLDER_TEST(the_same_content_at_a_new_commit_is_a_package_of_its_own),
        FOLDER_TEST(a_broken_package_is_made_again),
        FOLDER_TEST(without_a_blob_nothing_is_made),
        FOLDER_TEST(what_a_kill_leaves_is_not_seen),
        FOLDER_TEST(many_processes_install_the_same_and_all_succeed),
        FOLDER_TEST(a_full_disk_leaves_nothing_behind),
        FOLDER_TEST(a_damaged_blob_makes_no_package),
        FOLDER_TEST(a_package_that_shares_a_damaged_blob_is_made_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
