/* test_store_names.c - ids, keys, revisions and refs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store_packages.h"
#include "store_paths.h"

#define DIGEST "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define X24    "xxxxxxxxxxxxxxxxxxxxxxxx"
#define X96    X24 X24 X24 X24

static void keys_come_from_good_ids(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"gpt2", "gpt2"},
        {"google-bert/bert-base-uncased", "google-bert--bert-base-uncased"},
        {"a/b.c_d-1", "a--b.c_d-1"},
        {"_/_", "_--_"},
        {X96 "/" X96, X96 "--" X96},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *key = NULL;
        assert_int_equal(store_key_of(cases[i][0], &key, NULL), MODEL_OK);
        assert_string_equal(key, cases[i][1]);
        free(key);
    }
}

static void other_ids_are_refused(void **state)
{
    (void)state;
    static const char *const ids[] = {
        "",      "/",       "a/",   "/a",       "a/b/c", "..",     "a/..",       ".",  "a/.b",
        "a b",   "a@b",     "a\\b", "a:b",      "a--b",  "x/a--b", "a..b",       "-a", "a-",
        "a.git", "x.git/a", "a/b.", "\xc3\xa9", "a%2fb", "a\nb",   "../../etc/x"};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        char *key = NULL;
        struct model_error err = MODEL_ERROR_INIT;
        if (store_key_of(ids[i], &key, &err) != MODEL_INVALID_ARGUMENT)
            fail_msg("accepted: %s", ids[i]);
        assert_null(key);
        char *wanted = text_format("'%s' is no repository id; want 'name' or 'namespace/name' of "
                                   "letters, digits, '-', '_' and '.'",
                                   ids[i]);
        assert_string_equal(err.message, wanted);
        free(wanted);
    }
}

static void refuses_ids_that_are_too_long(void **state)
{
    (void)state;
    static const char *const ids[] = {X96 "x", "x/" X96 "x", X96 "x/y"};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        char *key = NULL;
        struct model_error err = MODEL_ERROR_INIT;
        assert_int_equal(store_key_of(ids[i], &key, &err), MODEL_INVALID_ARGUMENT);
        assert_null(key);
        char *wanted = text_format("'%s' is too long for a repository id; want at most 96 bytes "
                                   "before and behind the '/'",
                                   ids[i]);
        assert_string_equal(err.message, wanted);
        free(wanted);
    }
}

static void names_split_at_the_first_at_sign(void **state)
{
    (void)state;
    static const struct {
        const char *name, *id, *revision;
    } cases[] = {{"a/b", "a/b", NULL},
                 {"a/b@main", "a/b", "main"},
                 {"a@refs/pr/1", "a", "refs/pr/1"},
                 {"a@b@c", "a", "b@c"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *id = NULL, *revision = NULL;
        assert_int_equal(store_split_name(cases[i].name, &id, &revision, NULL), MODEL_OK);
        assert_string_equal(id, cases[i].id);
        if (cases[i].revision == NULL)
            assert_null(revision);
        else
            assert_string_equal(revision, cases[i].revision);
        free(id);
        free(revision);
    }
    static const char *const bad[] = {"", "@", "@main", "a/b@"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *id = NULL, *revision = NULL;
        struct model_error err = MODEL_ERROR_INIT;
        assert_int_equal(store_split_name(bad[i], &id, &revision, &err), MODEL_INVALID_ARGUMENT);
        char *wanted = text_format("'%s': want 'id' or 'id@revision'", bad[i]);
        assert_string_equal(err.message, wanted);
        free(wanted);
        assert_null(id);
    }
}

static void any_revision_becomes_one_file_name_and_comes_back(void **state)
{
    struct store *store = open_store(*state);
    static const char *const cases[][2] = {{"main", "main"},      {"refs/pr/1", "refs%2Fpr%2F1"},
                                           {"..", "%2E."},        {".hidden", "%2Ehidden"},
                                           {"50%", "50%25"},      {"v1.0+x", "v1.0%2Bx"},
                                           {"\xc3\xa9", "%C3%A9"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *path = NULL;
        assert_int_equal(store_ref_path(store, "a--b", cases[i][0], &path, NULL), MODEL_OK);
        char *folder = text_format("%s/refs/a--b/", store_dir(store));
        assert_memory_equal(path, folder, strlen(folder));
        assert_string_equal(path_base(path), cases[i][1]);
        char *revision = store_ref_revision(path_base(path));
        assert_string_equal(revision, cases[i][0]);
        free(revision);
        free(folder);
        free(path);
    }
    char *path = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(store_ref_path(store, "a", "", &path, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "an empty revision");
    assert_int_equal(store_ref_path(store, "a", "a\nb", &path, &err), MODEL_INVALID_ARGUMENT);
    assert_string_equal(err.message, "a revision with a control character");
    assert_int_equal(store_ref_path(store, "a", X96 X96 X96, &path, &err), MODEL_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "...' is too long"));
    assert_null(path);
    assert_null(store_ref_revision(".main.12.tmp"));
    assert_null(store_ref_revision("a%2"));
    assert_null(store_ref_revision("a%0A"));
    assert_null(store_ref_revision("a%zz"));
    store_close(store);
}

static void refs_are_written_read_and_checked(void **state)
{
    struct store *store = open_store(*state);
    struct store_refs refs;
    char *path = NULL, *target = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(store_ref_write(store, "a--b", "refs/pr/1", "a--b/" DIGEST, &err), MODEL_OK);
    assert_int_equal(store_ref_write(store, "b", "main", "a--b/" DIGEST, &err), MODEL_OK);
    assert_int_equal(store_ref_path(store, "b", "main", &path, &err), MODEL_OK);
    assert_file_is(path, "a--b/" DIGEST "\n");
    assert_int_equal(store_ref_read(path, &target, &err), MODEL_OK);
    assert_string_equal(target, "a--b/" DIGEST);
    free(target);
    target = NULL;

    static const char *const bad[] = {
        "",        "a--b", "../../x/" DIGEST, "a--b/" DIGEST "0", "a/b/" DIGEST, "a--b/../" DIGEST,
        "/" DIGEST};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        put_text(in_folder(store_dir(store), "refs/b/bad"), bad[i]);
        assert_int_equal(store_ref_read(in_folder(store_dir(store), "refs/b/bad"), &target, &err),
                         MODEL_CORRUPT);
        assert_null(target);
    }
    put_text(in_folder(store_dir(store), "refs/not a key/main"), "a--b/" DIGEST);
    assert_int_equal(store_refs_read(store, &refs, &err), MODEL_OK);
    assert_int_equal(refs.n_refs, 2);
    assert_string_equal(refs.refs[0].key, "a--b");
    assert_string_equal(refs.refs[0].revision, "refs/pr/1");
    assert_string_equal(refs.refs[1].key, "b");
    assert_string_equal(refs.refs[1].path, path);
    store_refs_finish(&refs);
    free(path);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_come_from_good_ids),
        cmocka_unit_test(other_ids_are_refused),
        cmocka_unit_test(refuses_ids_that_are_too_long),
        cmocka_unit_test(names_split_at_the_first_at_sign),
        FOLDER_TEST(any_revision_becomes_one_file_name_and_comes_back),
        FOLDER_TEST(refs_are_written_read_and_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
