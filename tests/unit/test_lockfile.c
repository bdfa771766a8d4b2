/* test_lockfile.c - packages written down and read again, with who signed them (locked_signer.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lockfile.h"
#include "store_packages.h"

static char *lock_all(const struct store *store, bool hub_only)
{
    struct lockfile lockfile = {0};
    struct store_list list = {0};
    const struct trusted_keys keys = {0};
    assert_int_equal(store_list_packages(store, &list, NULL), MODEL_OK);
    for (size_t i = list.n_entries; i-- > 0;) /* in another order than it is written */
        assert_int_equal(lockfile_add(&lockfile, &list.entries[i], hub_only, &keys, NULL),
                         MODEL_OK);
    char *text = lockfile_print(&lockfile);
    assert_non_null(text);
    lockfile_finish(&lockfile);
    store_list_finish(&list);
    return text;
}

static void a_lockfile_says_what_it_was_told(void **state)
{
    struct store *store = open_store(*state);
    struct lockfile read = {0};
    char *a = install_text(store, "x/a", "a", "main", COMMIT_A, "1");
    free(install_text(store, "x/a", "a", "v1", COMMIT_A, "1"));
    char *b = install_text(store, "x/b", "x/b", "main", COMMIT_B, "22");
    char *text = lock_all(store, false);
    assert_null(strstr(text, "2026-")); /* no times */
    assert_null(strstr(text, "created"));
    assert_null(strstr(text, "requested_"));
    assert_int_equal(lockfile_parse(text, strlen(text), "test", &read, NULL), MODEL_OK);
    assert_int_equal(read.n_packages, 2);
    assert_string_equal(read.packages[0].manifest.id, "x/a");
    assert_string_equal(read.packages[1].manifest.revision, COMMIT_B);
    assert_int_equal(read.packages[0].n_refs, 2);
    assert_string_equal(read.packages[0].refs[0], "main");
    assert_string_equal(read.packages[0].refs[1], "v1");
    char hex[SHA256_HEX_BYTES]; /* the locked files name the same package */
    assert_int_equal(manifest_digest(&read.packages[1].manifest, hex, NULL), MODEL_OK);
    assert_string_equal(hex, path_base(b));
    char *again = lockfile_print(&read);
    assert_string_equal(again, text);
    free(again);
    lockfile_finish(&read);
    free(text);
    free(a);
    free(b);
    store_close(store);
}

static void a_package_without_hub_files_is_not_locked_hub_only(void **state)
{
    struct store *store = open_store(*state);
    struct lockfile lockfile = {0};
    struct store_list list = {0};
    struct model_error err = MODEL_ERROR_INIT;
    const struct trusted_keys keys = {0};
    free(install_text(store, "x/a", "a", "main", COMMIT_A, "1")); /* has no sources */
    assert_int_equal(store_list_packages(store, &list, NULL), MODEL_OK);
    assert_int_equal(lockfile_add(&lockfile, &list.entries[0], true, &keys, &err),
                     MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "x/a@"));
    assert_int_equal(lockfile.n_packages, 0);
    store_list_finish(&list);
    store_close(store);
}

static void hub_only_leaves_out_what_came_from_no_hub(void **state)
{
    struct store *store = open_store(*state);
    struct lockfile read = {0};
    struct manifest manifest = new_manifest("x/a", "a", "main", COMMIT_A);
    char *dir = NULL;
    add_text_file(store, &manifest, "backends/cpu/config.json", "{}");
    add_text_file(store, &manifest, "data.txt", "1");
    manifest.files[1].source = strdup("data.txt");
    assert_int_equal(store_install(store, &manifest, &dir, NULL), MODEL_OK);
    char *text = lock_all(store, true);
    assert_int_equal(lockfile_parse(text, strlen(text), "test", &read, NULL), MODEL_OK);
    assert_int_equal(read.packages[0].manifest.n_files, 1);
    assert_string_equal(read.packages[0].manifest.files[0].path, "data.txt");
    lockfile_finish(&read);
    free(text);
    free(dir);
    manifest_finish(&manifest);
    store_close(store);
}

#define PACKAGE(id_, refs_, path_)                                                                 \
    "{\"lock_version\":1,\"packages\":[{\"format_version\":1,\"id\":\"" id_                        \
    "\",\"revision\":\"r\",\"refs\":" refs_ ",\"files\":[{\"path\":\"" path_                       \
    "\",\"size\":1,\"sha256\":"                                                                    \
    "\"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\"}]}]}"

#define AT_REVISION(revision_, source_, refs_)                                                         \
    "{\"lock_version\":1,\"packages\":[{\"format_version\":1,\"id\":\"x/a\",\"revision\":\"" revision_ \
    "\",\"refs\":" refs_ ",\"files\":[{\"path\":\"a\",\"size\":1,\"sha256\":"                          \
    "\"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\"" source_ "}]}]}"

#define LOCKING_NOTHING                                                                               \
    "{\"lock_version\":1,\"packages\":[{\"format_version\":1,\"id\":\"x/a\",\"revision\":\"" COMMIT_A \
    "\",\"refs\":[],\"files\":[]}]}"

/* "Ed", an id in little-endian order, 32 bytes: of ADB7817BDA039948, and of one that is one bit off */
#define PUBLIC_KEY  "RWRImQPae4G3rQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define OTHER_KEY   "RWRJmQPae4G3rQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define SIGNER(key) "{\"key\":\"ADB7817BDA039948\",\"public_key\":\"" key "\"}"

static void who_signed_is_read_and_written(void **state)
{
    (void)state;
    struct lockfile read = {0}, again = {0};
    const char *text = PACKAGE("x/a", "[],\"signer\":" SIGNER(PUBLIC_KEY), "a");
    assert_int_equal(lockfile_parse(text, strlen(text), "test", &read, NULL), MODEL_OK);
    assert_string_equal(read.packages[0].signer.key_id, "ADB7817BDA039948");
    char *printed = lockfile_print(&read);
    assert_int_equal(lockfile_parse(printed, strlen(printed), "test", &again, NULL), MODEL_OK);
    assert_string_equal(again.packages[0].signer.public_key, PUBLIC_KEY);
    free(printed);
    lockfile_finish(&again);
    lockfile_finish(&read);
}

static void other_texts_are_refused(void **state)
{
    static const struct {
        const char *text;
        model_status want;
    } cases[] = {
        {PACKAGE("x/a", "[\"main\"]", "a"), MODEL_OK},
        {PACKAGE("x/a", "[]", "a"), MODEL_OK},
        {PACKAGE("x/a", "[],\"signer\":{\"key\":\"ADB7817BDA039948\"}", "a"), MODEL_OK},
        {PACKAGE("x/a", "[],\"signer\":" SIGNER(PUBLIC_KEY), "a"), MODEL_OK},
        {PACKAGE("x/a", "[],\"signer\":" SIGNER("RWQAAAAA"), "a"), MODEL_CORRUPT},
        {PACKAGE("x/a", "[],\"signer\":" SIGNER(OTHER_KEY), "a"), MODEL_CORRUPT},
        {PACKAGE("x/a", "[],\"signer\":{}", "a"), MODEL_CORRUPT},
        {PACKAGE("x/a", "[],\"signer\":1", "a"), MODEL_CORRUPT},
        {PACKAGE("x/a", "[],\"signer\":{\"key\":\"ada\"}", "a"), MODEL_CORRUPT},
        {PACKAGE("x/a", "null", "a"), MODEL_CORRUPT},
        {PACKAGE("x/a", "[1]", "a"), MODEL_CORRUPT},
        {PACKAGE("x/a", "[\"a\\nb\"]", "a"), MODEL_CORRUPT},
        {PACKAGE("x/a", "[\"refs/pr/1\"]", "a"), MODEL_OK},
        {PACKAGE("x/a", "[\"" COMMIT_A "\"]", "a"), MODEL_CORRUPT},
        {PACKAGE("x/a", "[\"../main\"]", "a"), MODEL_CORRUPT},
        {PACKAGE("x/a", "[\"/main\"]", "a"), MODEL_CORRUPT},
        {AT_REVISION("../../evil", "", "[]"), MODEL_CORRUPT},
        {AT_REVISION("v1.0", "", "[]"), MODEL_OK}, /* an author's */
        {AT_REVISION("v1.0", ",\"source\":\"a\"", "[]"), MODEL_CORRUPT},
        {AT_REVISION(COMMIT_A "a", ",\"source\":\"a\"", "[]"), MODEL_CORRUPT},
        {AT_REVISION("AAAA", ",\"source\":\"a\"", "[]"), MODEL_CORRUPT},
        {AT_REVISION(COMMIT_A, ",\"source\":\"a\"", "[]"), MODEL_OK},
        {AT_REVISION(COMMIT_A, ",\"source\":\"../a\"", "[]"), MODEL_CORRUPT},
        {AT_REVISION(COMMIT_A, "", "[\"" COMMIT_A "\"]"), MODEL_OK},
        {AT_REVISION(COMMIT_A, "", "[\"" COMMIT_B "\"]"), MODEL_CORRUPT},
        {LOCKING_NOTHING, MODEL_CORRUPT},
        {PACKAGE("../a", "[]", "a"), MODEL_CORRUPT},
        {PACKAGE("x/a", "[]", "../a"), MODEL_CORRUPT},
        {"", MODEL_CORRUPT},
        {"[]", MODEL_CORRUPT},
        {"{\"lock_version\":1}", MODEL_CORRUPT},
        {"{\"lock_version\":1,\"packages\":[1]}", MODEL_CORRUPT},
        {"{\"lock_version\":2,\"packages\":[]}", MODEL_UNSUPPORTED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct lockfile read = {0};
        struct model_error err = MODEL_ERROR_INIT;
        model_status status =
            lockfile_parse(cases[i].text, strlen(cases[i].text), "test", &read, &err);
        if (status != cases[i].want)
            fail_msg("case %zu: %d, %s", i, status, err.message);
        lockfile_finish(&read);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(a_lockfile_says_what_it_was_told),
        FOLDER_TEST(a_package_without_hub_files_is_not_locked_hub_only),
        FOLDER_TEST(hub_only_leaves_out_what_came_from_no_hub),
        cmocka_unit_test(who_signed_is_read_and_written),
        cmocka_unit_test(other_texts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
