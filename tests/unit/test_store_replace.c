/* test_store_replace.c - a new version of a package takes all names of the old one. */
#include "in_folder.h"

#include "store.h"

static void add_blob(struct store *store, const char *text, char sha256[SHA256_HEX_BYTES])
{
    const char *path = in_folder("blob");
    write_file(path, text, strlen(text));
    assert_int_equal(digest_bytes_sha256(text, strlen(text), sha256, NULL), MODEL_OK);
    assert_int_equal(store_add_blob(store, path, sha256, NULL), MODEL_OK);
}

static struct manifest named(const char *revision)
{
    struct manifest manifest = {0};
    manifest.id = strdup("acme/tiny");
    manifest.requested_id = strdup("acme/tiny");
    manifest.requested_revision = strdup(revision);
    manifest.revision = strdup("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    manifest.endpoint = strdup("");
    manifest.created = strdup("2026-01-01T00:00:00Z");
    return manifest;
}

static void expect_found(struct store *store, const char *name, const char *dir)
{
    char *found = NULL;
    assert_int_equal(store_find(store, name, &found, NULL), MODEL_OK);
    assert_string_equal(found, dir);
    free(found);
}

static void every_name_of_the_old_version_leads_to_the_new_one(void **state)
{
    (void)state;
    struct store *store;
    char sha256[SHA256_HEX_BYTES];
    char *old_dir, *again, *new_dir;
    assert_int_equal(store_open(in_folder("store"), 1, &store, NULL), MODEL_OK);
    struct manifest main = named("main"), tag = named("v1");
    add_blob(store, "one", sha256);
    assert_int_equal(manifest_add(&main, "a.txt", "a.txt", 3, sha256, NULL), MODEL_OK);
    assert_int_equal(manifest_add(&tag, "a.txt", "a.txt", 3, sha256, NULL), MODEL_OK);
    assert_int_equal(store_install(store, &main, &old_dir, NULL), MODEL_OK);
    assert_int_equal(store_install(store, &tag, &again, NULL), MODEL_OK);
    assert_string_equal(old_dir, again);
    add_blob(store, "two", sha256);
    assert_int_equal(manifest_add(&main, "b.txt", NULL, 3, sha256, NULL), MODEL_OK);
    assert_int_equal(store_replace(store, old_dir, &main, &new_dir, NULL), MODEL_OK);
    assert_string_not_equal(old_dir, new_dir);
    expect_found(store, "acme/tiny", new_dir);
    expect_found(store, "acme/tiny@v1", new_dir);
    expect_found(store, "acme/tiny@aaaaaaa", new_dir);
    assert_true(path_is_dir(old_dir));
    free(old_dir);
    free(again);
    free(new_dir);
    manifest_finish(&main);
    manifest_finish(&tag);
    store_close(store);
}

static void without_an_old_version_it_installs(void **state)
{
    (void)state;
    struct store *store;
    char sha256[SHA256_HEX_BYTES];
    char *dir;
    assert_int_equal(store_open(in_folder("store"), 1, &store, NULL), MODEL_OK);
    struct manifest manifest = named("main");
    add_blob(store, "one", sha256);
    assert_int_equal(manifest_add(&manifest, "a.txt", "a.txt", 3, sha256, NULL), MODEL_OK);
    assert_int_equal(store_replace(store, NULL, &manifest, &dir, NULL), MODEL_OK);
    expect_found(store, "acme/tiny", dir);
    free(dir);
    manifest_finish(&manifest);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(every_name_of_the_old_version_leads_to_the_new_one),
        IN_FOLDER(without_an_old_version_it_installs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
