/* test_store_verify.c - what verifying a package finds, and what it lets pass. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store_packages.h"
#include "store_paths.h"

#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>

struct reports {
    size_t n_good, n_bad;
    char bad[512];
};

static void count_report(void *context, const char *path, model_status status, const char *sentence)
{
    struct reports *reports = context;
    if (status == MODEL_OK) {
        reports->n_good++;
        assert_string_equal(sentence, "ok");
    } else {
        reports->n_bad++;
        (void)snprintf(reports->bad, sizeof reports->bad, "%s|%s", path, sentence);
    }
}

static void replace_file(const char *path, const char *text)
{
    assert_int_equal(unlink(path), 0); /* not in place: the blob shares the inode */
    put_text(path, text);
}

static void verify_names_what_is_wrong(void **state)
{
    struct store *store = open_store(*state);
    struct reports reports = {0};
    struct model_error err = MODEL_ERROR_INIT;
    char *dir = install_text(store, "a/b", "a/b", "main", COMMIT_A, "12345");
    const char *data = in_folder(dir, "data.txt");
    assert_int_equal(store_verify_package(dir, count_report, &reports, &err), MODEL_OK);
    assert_int_equal(reports.n_good, 2);
    assert_int_equal(reports.n_bad, 0);

    replace_file(data, "12346");
    assert_int_equal(store_verify_package(dir, count_report, &reports, &err), MODEL_CORRUPT);
    assert_int_equal(reports.n_bad, 1);
    assert_non_null(strstr(reports.bad, "data.txt|data.txt: sha256 "));
    assert_non_null(strstr(err.message, ": data.txt: sha256 "));
    assert_non_null(strstr(err.message, " (1 of 2 files bad); download it again with --force"));

    struct manifest manifest = {0};
    assert_int_equal(manifest_read(dir, &manifest, NULL), MODEL_OK);
    /* What was read before counts, not what lies there by now. */
    struct manifest other = manifest;
    char revision[] = COMMIT_B;
    other.revision = revision;
    replace_file(data, "12345");
    assert_int_equal(store_verify_package(dir, NULL, NULL, &err), MODEL_OK);
    assert_int_equal(store_verify_manifest(dir, &other, NULL, NULL, &err), MODEL_CORRUPT);
    replace_file(data, "12346");
    manifest.endpoint[0] = '\0'; /* as of an import */
    char *text = manifest_print(&manifest);
    replace_file(in_folder(dir, "metadata.json"), text);
    assert_int_equal(store_verify_package(dir, NULL, NULL, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "(1 of 2 files bad); import it again"));
    free(text);
    manifest_finish(&manifest);

    replace_file(data, "1234");
    assert_int_equal(store_verify_package(dir, NULL, NULL, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, ": data.txt: 4 bytes, want 5 (1 of 2 files bad)"));

    assert_int_equal(unlink(data), 0);
    assert_int_equal(store_verify_package(dir, NULL, NULL, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, ": data.txt: missing (1 of 2 files bad)"));

    assert_int_equal(store_verify_package(*state, NULL, NULL, &err), MODEL_NOT_FOUND);
    free(dir);
    store_close(store);
}

/* Verifies and expects one bad file of this sentence. */
static void expect_bad(const char *dir, const char *bad)
{
    struct reports reports = {0};
    assert_int_equal(store_verify_package(dir, count_report, &reports, NULL), MODEL_CORRUPT);
    assert_int_equal(reports.n_bad, 1);
    if (strncmp(reports.bad, bad, strlen(bad)) != 0)
        fail_msg("'%s', want '%s'", reports.bad, bad);
}

static void expect_good(const char *dir)
{
    struct model_error err = MODEL_ERROR_INIT;
    if (store_verify_package(dir, NULL, NULL, &err) != MODEL_OK)
        fail_msg("%s", err.message);
}

static char *install_one(const char *folder)
{
    struct store *store = open_store(folder);
    char *dir = install_text(store, "a/b", "a/b", "main", COMMIT_A, "12345");
    store_close(store);
    return dir;
}

static void write_manifest(const char *dir, const struct manifest *manifest)
{
    char *text = manifest_print(manifest);
    assert_non_null(text);
    put_text(in_folder(dir, "metadata.json"), text);
    free(text);
}

/* A file and the manifest that lists it, changed together. */
static void a_changed_manifest_is_found_by_the_name_of_its_folder(void **state)
{
    char *dir = install_one(*state), hex[SHA256_HEX_BYTES];
    struct manifest manifest = {0};
    replace_file(in_folder(dir, "data.txt"), "54321");
    assert_int_equal(digest_bytes_sha256("54321", 5, hex, NULL), MODEL_OK);
    assert_int_equal(manifest_read(dir, &manifest, NULL), MODEL_OK);
    assert_int_equal(manifest_add(&manifest, "data.txt", NULL, 5, hex, NULL), MODEL_OK);
    write_manifest(dir, &manifest);
    manifest_finish(&manifest);
    expect_bad(dir, "metadata.json|metadata.json was changed: ");
    free(dir);
}

/* An author's folder, also when it lies in a packages/ of his own. */
static void a_folder_made_by_hand_is_good_wherever_it_lies(void **state)
{
    static const char *const places[] = {"tiny", "packages/acme/tiny"};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        const char *dir = in_folder(*state, places[i]);
        char hex[SHA256_HEX_BYTES];
        struct manifest manifest = new_manifest("acme/tiny", "acme/tiny", "main", COMMIT_A);
        assert_int_equal(digest_bytes_sha256("abc", 3, hex, NULL), MODEL_OK);
        put_text(in_folder(dir, "backends/cpu/config.json"), "abc");
        assert_int_equal(manifest_add(&manifest, "backends/cpu/config.json", NULL, 3, hex, NULL),
                         MODEL_OK);
        assert_int_equal(manifest_add(&manifest, "backends/gpu/config.json", NULL, 3, hex, NULL),
                         MODEL_OK);
        assert_int_equal(manifest_add(&manifest, "link.json", NULL, 3, hex, NULL), MODEL_OK);
        assert_int_equal(symlink("cpu", in_folder(dir, "backends/gpu")), 0);
        assert_int_equal(symlink("backends/cpu/config.json", in_folder(dir, "link.json")), 0);
        assert_int_equal(mkdir(in_folder(dir, "empty"), 0777), 0);
        write_manifest(dir, &manifest);
        manifest_finish(&manifest);
        expect_good(dir);
        put_text(in_folder(dir, ".git/config"), "of a tool");
        put_text(in_folder(dir, "backends/cpu/.DS_Store"), "of another");
        expect_good(dir);
    }
}

static struct model_error error_of(const char *dir)
{
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(store_verify_package(dir, NULL, NULL, &err), MODEL_CORRUPT);
    return err;
}

/* To sign it anew would be refused, and another plugin than the listed one may be a killed install's. */
static void what_is_bad_in_a_folder_has_a_remedy_that_works(void **state)
{
    const char *dir = in_folder(*state, "tiny"), *kept = "METADATA.JSON/x";
    char hex[SHA256_HEX_BYTES];
    struct manifest manifest = new_manifest("acme/tiny", "acme/tiny", "main", COMMIT_A);
    assert_int_equal(digest_bytes_sha256("abc", 3, hex, NULL), MODEL_OK);
    const char *const files[] = {"backends/cpu/libmodel.so", "data.txt"};
    for (size_t i = 0; i < 2; i++) {
        put_text(in_folder(dir, files[i]), "abc");
        assert_int_equal(manifest_add(&manifest, files[i], NULL, 3, hex, NULL), MODEL_OK);
    }
    write_manifest(dir, &manifest);
    manifest_finish(&manifest);
    expect_good(dir);
    put_text(in_folder(dir, files[0]), "abcd");
    assert_non_null(strstr(error_of(dir).message, "; if 'pkgmgr install' was interrupted, install "
                                                  "the plugin once more; if that is yours"));
    put_text(in_folder(dir, files[1]), "abcd");
    assert_null(strstr(error_of(dir).message, "install"));
    assert_non_null(strstr(error_of(dir).message, "sign --renew"));
    put_text(in_folder(dir, kept), "abc");
    assert_null(strstr(error_of(dir).message, "sign --renew"));
    assert_non_null(strstr(error_of(dir).message, "; rename or remove what has a name"));
}

static void every_kind_of_link_to_a_blob_is_good(void **state)
{
    static const unsigned methods[] = {STORE_LINK_HARD, STORE_LINK_SYMBOLIC, STORE_LINK_COPY};
    struct store *store = open_store(*state);
    char *dir = install_text(store, "a/b", "a/b", "main", COMMIT_A, "12345");
    char hex[SHA256_HEX_BYTES];
    assert_int_equal(digest_bytes_sha256("12345", 5, hex, NULL), MODEL_OK);
    char *blob = store_blob_path(store, hex);
    char *relative = text_format("../../../blobs/sha256/%.2s/%s", hex, hex);
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        assert_int_equal(unlink(in_folder(dir, "data.txt")), 0);
        assert_int_equal(
            store_link_blob(blob, in_folder(dir, "data.txt"), relative, methods[i], NULL),
            MODEL_OK);
        expect_good(dir);
    }
    free(relative);
    free(blob);
    free(dir);
    store_close(store);
}

static void a_link_out_is_bad_although_its_content_is_right(void **state)
{
    char *dir = install_one(*state);
    put_text(in_folder(*state, "outside"), "12345");
    assert_int_equal(unlink(in_folder(dir, "data.txt")), 0);
    assert_int_equal(symlink(in_folder(*state, "outside"), in_folder(dir, "data.txt")), 0);
    expect_bad(dir, "data.txt|data.txt: links out of the package, to ");
    free(dir);
}

static void a_link_to_itself_is_bad(void **state)
{
    char *dir = install_one(*state);
    assert_int_equal(unlink(in_folder(dir, "data.txt")), 0);
    assert_int_equal(symlink("data.txt", in_folder(dir, "data.txt")), 0);
    expect_bad(dir, "data.txt|data.txt: links in a circle");
    free(dir);
}

static void files_that_nobody_listed_are_bad(void **state)
{
    struct model_error err = MODEL_ERROR_INIT;
    char *dir = install_one(*state);
    static const char *const unfinished[] = {".metadata.json.12.3.tmp", /* killed writers' */
                                             ".metadata.json.minisig.12.3.tmp",
                                             "backends/cpu/.libmodel.so.12.3.tmp"};
    for (size_t i = 0; i < sizeof unfinished / sizeof unfinished[0]; i++)
        put_text(in_folder(dir, unfinished[i]), "{");
    expect_good(dir);
    put_text(in_folder(dir, "backends/cpu/lib\nx.so"), "x");
    expect_bad(dir, "backends/cpu/lib\\x0ax.so|backends/cpu/lib\\x0ax.so: not in metadata.json");
    assert_int_equal(store_verify_package(dir, NULL, NULL, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "(1 of 3 files bad); remove it and download it again"));
    assert_int_equal(unlink(in_folder(dir, "backends/cpu/lib\nx.so")), 0);
    assert_int_equal(symlink("/", in_folder(dir, "root")), 0);
    expect_bad(dir, "root|root: not in metadata.json");
    assert_int_equal(unlink(in_folder(dir, "root")), 0);
    put_text(in_folder(dir, ".hidden"), "x"); /* nobody works in a store's packages */
    expect_bad(dir, ".hidden|.hidden: not in metadata.json");
    free(dir);
}

/* Without a writer, opening a pipe would wait for ever. */
static void a_pipe_is_bad_and_is_not_waited_for(void **state)
{
    char *dir = install_one(*state);
    assert_int_equal(unlink(in_folder(dir, "data.txt")), 0);
    assert_int_equal(mkfifo(in_folder(dir, "data.txt"), 0600), 0);
    expect_bad(dir, "data.txt|data.txt: not a regular file");
    assert_int_equal(unlink(in_folder(dir, "data.txt")), 0);
    assert_int_equal(mkdir(in_folder(dir, "data.txt"), 0700), 0);
    expect_bad(dir, "data.txt|data.txt: not a regular file");
    assert_int_equal(unlink(in_folder(dir, "metadata.json")), 0);
    assert_int_equal(mkfifo(in_folder(dir, "metadata.json"), 0600), 0);
    assert_int_equal(store_verify_package(dir, NULL, NULL, NULL), MODEL_CORRUPT);
    free(dir);
}

static void a_folder_without_a_manifest_says_what_it_is(void **state)
{
    struct model_error err = MODEL_ERROR_INIT;
    char *wanted = text_format(
        "%s has no metadata.json, so there is nothing to verify its files against: it is an "
        "author's folder, or no package; `pkgmgr list` shows the packages that can be verified",
        (const char *)*state);
    assert_int_equal(store_verify_package(*state, NULL, NULL, &err), MODEL_NOT_FOUND);
    assert_string_equal(err.message, wanted);
    free(wanted);
}

/* Takes the right to read everything from root's process, or gives it back. */
static void allow_everything(bool allowed)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
    assert_int_equal(syscall(SYS_capget, &header, sets), 0);
    for (size_t i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
        sets[i].effective = allowed ? sets[i].permitted : 0;
    assert_int_equal(syscall(SYS_capset, &header, sets), 0);
}

static void a_file_that_cannot_be_read_is_not_called_damaged(void **state)
{
    char *dir = install_one(*state);
    struct model_error err = MODEL_ERROR_INIT;
    const char *data = in_folder(dir, "data.txt");
    assert_int_equal(unlink(data), 0);
    put_text(data, "12345");
    assert_int_equal(chmod(data, 0000), 0);
    allow_everything(false);
    model_status status = store_verify_package(dir, NULL, NULL, &err);
    allow_everything(true);
    assert_int_equal(status, MODEL_IO);
    assert_non_null(strstr(err.message, "Permission denied (1 of 2 files bad); see to its "
                                        "permissions, or to the disk, and verify it again"));
    free(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(verify_names_what_is_wrong),
        FOLDER_TEST(a_changed_manifest_is_found_by_the_name_of_its_folder),
        FOLDER_TEST(a_folder_made_by_hand_is_good_wherever_it_lies),
        FOLDER_TEST(what_is_bad_in_a_folder_has_a_remedy_that_works),
        FOLDER_TEST(every_kind_of_link_to_a_blob_is_good),
        FOLDER_TEST(a_link_out_is_bad_although_its_content_is_right),
        FOLDER_TEST(a_link_to_itself_is_bad),
        FOLDER_TEST(files_that_nobody_listed_are_bad),
        FOLDER_TEST(a_pipe_is_bad_and_is_not_waited_for),
        FOLDER_TEST(a_folder_without_a_manifest_says_what_it_is),
        FOLDER_TEST(a_file_that_cannot_be_read_is_not_called_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
