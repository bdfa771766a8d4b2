/* test_store.c - opening and listing the store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "package.h"
#include "store_packages.h"

#include <sys/stat.h>

static void open_makes_the_store_only_when_asked(void **state)
{
    struct store *store = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    const char *dir = in_folder(*state, "a/b");
    assert_int_equal(store_open(dir, 0, &store, &err), MODEL_NOT_FOUND);
    char *wanted =
        text_format("no store at %s; `pkgmgr download` makes one, --store names another", dir);
    assert_string_equal(err.message, wanted);
    free(wanted);
    put_text(dir, "a file");
    assert_int_equal(store_open(dir, 0, &store, &err), MODEL_IO);
    assert_non_null(strstr(err.message, "is not a folder; --store names another"));
    assert_int_equal(unlink(dir), 0);
    assert_int_equal(store_open(dir, 1, &store, &err), MODEL_OK);
    assert_string_equal(store_dir(store), dir);
    assert_true(path_is_dir(in_folder(dir, "blobs/sha256")));
    assert_true(path_is_dir(in_folder(dir, "packages")));
    assert_true(path_is_dir(in_folder(dir, "refs")));
    assert_true(path_is_dir(in_folder(dir, "tmp")));
    struct buffer tag = BUFFER_INIT(4096);
    assert_int_equal(file_read(in_folder(dir, "CACHEDIR.TAG"), 4096, &tag, &err), MODEL_OK);
    static const char signature[] = "Signature: 8a477f597d28d172789f06886806bc55";
    assert_memory_equal(tag.data, signature, sizeof signature - 1);
    buffer_finish(&tag);
    store_close(store);
    assert_int_equal(store_open(dir, 0, &store, &err), MODEL_OK);
    store_close(store);
    store_close(NULL);
}

static void open_says_why_it_cannot_make_the_store(void **state)
{
    struct store *store = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    put_text(in_folder(*state, "file"), "x");
    const char *dir = in_folder(*state, "file/store");
    assert_int_equal(store_open(dir, 1, &store, &err), MODEL_IO);
    char *wanted = text_format("cannot make the store %s: cannot make folder %s: ", dir,
                               in_folder(*state, "file"));
    assert_memory_equal(err.message, wanted, strlen(wanted));
    free(wanted);
    assert_int_equal(store_open("/proc/nowhere", 1, &store, &err), MODEL_IO);
}

static void list_shows_each_package_once_in_order(void **state)
{
    struct store *store = open_store(*state);
    struct store_list list;
    free(install_text(store, "z/last", "z/last", "main", COMMIT_A, "z"));
    char *dir = install_text(store, "a/first", "first", "v1", COMMIT_B, "12345");
    assert_int_equal(store_list_packages(store, &list, NULL), MODEL_OK);
    assert_int_equal(list.n_entries, 2);
    assert_string_equal(list.entries[0].id, "a/first");
    assert_string_equal(list.entries[0].revision, COMMIT_B);
    assert_string_equal(list.entries[0].requested_revision, "v1");
    assert_int_equal(list.entries[0].n_refs, 1);
    assert_string_equal(list.entries[0].refs[0], "v1");
    assert_string_equal(list.entries[0].dir, dir);
    assert_string_equal(list.entries[0].created, "2026-11-21T09:00:00Z");
    assert_int_equal(list.entries[0].size_bytes, 5 + strlen("{\"model_type\":\"echo\"}"));
    assert_int_equal(list.entries[0].has_plugin, 0);
    assert_string_equal(list.entries[1].id, "z/last");
    store_list_finish(&list);

    /* Broken ones are left out. */
    assert_int_equal(unlink(in_folder(dir, "metadata.json")), 0);
    assert_int_equal(store_list_packages(store, &list, NULL), MODEL_OK);
    assert_int_equal(list.n_entries, 1);
    store_list_finish(&list);
    free(dir);
    store_close(store);
}

static void list_tells_packages_with_a_plugin(void **state)
{
    struct store *store = open_store(*state);
    struct store_list list;
    struct manifest manifest = new_manifest("a/b", "a/b", "main", COMMIT_A);
    char *dir = NULL;
    add_text_file(store, &manifest, "backends/cpu/" PACKAGE_PLUGIN_NAME, "no real plugin");
    assert_int_equal(store_install(store, &manifest, &dir, NULL), MODEL_OK);
    manifest_finish(&manifest);
    assert_int_equal(store_list_packages(store, &list, NULL), MODEL_OK);
    assert_int_equal(list.n_entries, 1);
    assert_int_equal(list.entries[0].has_plugin, 1);
    store_list_finish(&list);
    free(dir);
    store_close(store);
}

static void an_empty_folder_is_an_empty_store(void **state)
{
    struct store *store = NULL;
    struct store_list list;
    assert_int_equal(store_open(*state, 0, &store, NULL), MODEL_OK);
    assert_int_equal(store_list_packages(store, &list, NULL), MODEL_OK);
    assert_int_equal(list.n_entries, 0);
    store_list_finish(&list);
    store_close(store);
}

static void list_says_what_leads_to_a_package_now(void **state)
{
    struct store *store = open_store(*state);
    struct store_list list;
    char *old = install_text(store, "a/m", "a/m", "main", COMMIT_A, "1");
    free(install_text(store, "a/m", "a/m", "v1", COMMIT_B, "2"));
    free(install_text(store, "a/m", "a/m", "main", COMMIT_B, "2"));
    assert_int_equal(store_list_packages(store, &list, NULL), MODEL_OK);
    assert_int_equal(list.n_entries, 2);
    const struct store_entry *was = &list.entries[0], *is = &list.entries[1];
    if (strcmp(was->dir, old) != 0)
        was = &list.entries[1], is = &list.entries[0];
    assert_string_equal(was->requested_revision, "main");
    assert_int_equal(was->n_refs, 0);
    assert_int_equal(is->n_refs, 2);
    assert_string_equal(is->refs[0], "main");
    assert_string_equal(is->refs[1], "v1");
    store_list_finish(&list);
    free(old);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(open_makes_the_store_only_when_asked),
        FOLDER_TEST(open_says_why_it_cannot_make_the_store),
        FOLDER_TEST(list_shows_each_package_once_in_order),
        FOLDER_TEST(list_tells_packages_with_a_plugin),
        FOLDER_TEST(an_empty_folder_is_an_empty_store),
        FOLDER_TEST(list_says_what_leads_to_a_package_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
