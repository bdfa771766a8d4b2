/* store_packages.h - putting small packages into a store, for the tests of the store. Include after
 * store_fixture.h. */
#ifndef STORE_PACKAGES_H
#define STORE_PACKAGES_H

#include "store.h"
#include "store_fixture.h"

#define COMMIT_A "1111111aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define COMMIT_B "1111111bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

/* Opens <folder>/store, making it. */
static inline struct store *open_store(const char *folder)
{
    struct store *store = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    if (store_open(in_folder(folder, "store"), 1, &store, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    return store;
}

/* Adds the text as a blob, through a staging folder as a download does. */
static inline void add_text_blob(const struct store *store, const char *text,
                                 char ret_hex[SHA256_HEX_BYTES])
{
    char *staging = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(digest_bytes_sha256(text, strlen(text), ret_hex, &err), MODEL_OK);
    assert_int_equal(store_make_staging(store, &staging, &err), MODEL_OK);
    put_text(in_folder(staging, "download"), text);
    if (store_add_blob(store, in_folder(staging, "download"), ret_hex, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(rmdir(staging), 0); /* the file was moved */
    store_end_staging(store, staging);
}

/* A manifest whose fields are copies; to be finished. */
static inline struct manifest new_manifest(const char *id, const char *requested_id,
                                           const char *requested_revision, const char *revision)
{
    struct manifest manifest = {.id = text_format("%s", id),
                                .requested_id = text_format("%s", requested_id),
                                .requested_revision = text_format("%s", requested_revision),
                                .revision = text_format("%s", revision),
                                .endpoint = text_format("https://hub"),
                                .created = text_format("2026-11-21T09:00:00Z")};
    return manifest;
}

/* Adds a file of this text to the store's blobs and to the manifest. */
static inline void add_text_file(const struct store *store, struct manifest *manifest,
                                 const char *path, const char *text)
{
    char hex[SHA256_HEX_BYTES];
    add_text_blob(store, text, hex);
    assert_int_equal(manifest_add(manifest, path, NULL, strlen(text), hex, NULL), MODEL_OK);
}

/* Installs a package of config.json and one file "data.txt" of the given text; its folder, to be
 * freed. */
static inline char *install_text(const struct store *store, const char *id,
                                 const char *requested_id, const char *requested_revision,
                                 const char *revision, const char *text)
{
    struct manifest manifest = new_manifest(id, requested_id, requested_revision, revision);
    struct model_error err = MODEL_ERROR_INIT;
    char *dir = NULL;
    add_text_file(store, &manifest, "backends/cpu/config.json", "{\"model_type\":\"echo\"}");
    add_text_file(store, &manifest, "data.txt", text);
    if (store_install(store, &manifest, &dir, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    manifest_finish(&manifest);
    return dir;
}

static inline void assert_file_is(const char *path, const char *text)
{
    struct buffer content = BUFFER_INIT(1 << 20);
    struct model_error err = MODEL_ERROR_INIT;
    if (file_read(path, 1 << 20, &content, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    assert_string_equal(content.data, text);
    buffer_finish(&content);
}

/* Entries of a folder of the store. */
static inline size_t count_in(const struct store *store, const char *name)
{
    struct dir_list list;
    assert_int_equal(dir_read(in_folder(store_dir(store), name), &list, NULL), MODEL_OK);
    size_t n = list.n_names;
    dir_list_finish(&list);
    return n;
}

#define FOLDER_TEST(test_) cmocka_unit_test_setup_teardown(test_, make_folder, remove_folder)

#endif
