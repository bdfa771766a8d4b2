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

static void what_came_from_no_hub_can_be_left_out(void **state)
{
    struct store *store = open_store(*state);
    struct lockfile read = {0};
    free(install_text(store, "x/a", "a", "main", COMMIT_A, "1")); /* has no sources */
    char *text = lock_all(store, true);
    assert_int_equal(lockfile_parse(text, strlen(text), "test", &read, NULL), MODEL_OK);
    assert_int_equal(read.packages[0].manifest.n_files, 0);
    lockfile_finish(&read);
    free(text);
    store_close(store);
}

#define PACKAGE(id_, refs_, path_)                                                                 \
    "{\"lock_version\":1,\"packages\":[{\"format_version\":1,\"id\":\"" id_                        \
    "\",\"revision\":\"r\",\"refs\":" refs_ ",\"files\":[{\"path\":\"" path_                       \
    "\",\"size\":1,\"sha256\":"                                                                    \
    "\"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\"}]}]}"

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
        FOLDER_TEST(what_came_from_no_hub_can_be_left_out),
        cmocka_unit_test(who_signed_is_read_and_written),
        cmocka_unit_test(other_texts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
