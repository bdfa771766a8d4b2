/* test_store_find.c - the names that find a package, and what is said when none is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store_packages.h"

static void assert_finds(const struct store *store, const char *name, const char *dir)
{
    char *found = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    if (store_find(store, name, &found, &err) != MODEL_OK)
        fail_msg("%s: %s", name, err.message);
    assert_string_equal(found, dir);
    free(found);
}

/* `sentence` has %s for the store's folder. */
static void assert_misses(const struct store *store, const char *name, model_status wanted,
                          const char *before, const char *after)
{
    char *found = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    assert_int_equal(store_find(store, name, &found, &err), wanted);
    assert_null(found);
    char *sentence = after != NULL ? text_format("%s%s%s", before, store_dir(store), after)
                                   : text_format("%s", before);
    assert_string_equal(err.message, sentence);
    free(sentence);
}

static void finds_by_id_by_asked_name_and_by_revision(void **state)
{
    struct store *store = open_store(*state);
    char *dir = install_text(store, "google/bert", "bert-old", "main", COMMIT_A, "1");
    assert_finds(store, "google/bert", dir);
    assert_finds(store, "google/bert@main", dir);
    assert_finds(store, "google/bert@" COMMIT_A, dir);
    assert_finds(store, "google/bert@1111111", dir);
    assert_finds(store, "google/bert@1111111aaaa", dir);
    assert_finds(store, "bert-old", dir);
    assert_finds(store, "bert-old@main", dir);
    assert_finds(store, "bert-old@" COMMIT_A, dir); /* through the repository behind the name */
    assert_finds(store, "bert-old@1111111", dir);
    assert_finds(store, "bert", dir); /* the only ANY/bert */
    assert_finds(store, "bert@1111111", dir);
    free(dir);
    store_close(store);
}

static void the_revision_decides(void **state)
{
    struct store *store = open_store(*state);
    char *a = install_text(store, "x/m", "x/m", "main", COMMIT_A, "1");
    char *b = install_text(store, "x/m", "x/m", "refs/pr/1", COMMIT_B, "2");
    assert_finds(store, "x/m", a);
    assert_finds(store, "x/m@refs/pr/1", b);
    assert_finds(store, "x/m@1111111b", b);
    assert_finds(store, "m@refs/pr/1", b);
    assert_misses(store, "x/m@1111111", MODEL_INVALID_ARGUMENT,
                  "'x/m@1111111' is the beginning of " COMMIT_A ", " COMMIT_B, NULL);
    assert_misses(store, "x/m@v2", MODEL_NOT_FOUND,
                  "'x/m@v2' is in the store only at " COMMIT_A ", " COMMIT_B
                  ", main, refs/pr/1; `pkgmgr download` fetches another revision",
                  NULL);
    /* too short for a commit */
    assert_misses(store, "x/m@111111", MODEL_NOT_FOUND,
                  "'x/m@111111' is in the store only at " COMMIT_A ", " COMMIT_B
                  ", main, refs/pr/1; `pkgmgr download` fetches another revision",
                  NULL);
    free(a);
    free(b);
    store_close(store);
}

static void without_main_the_only_package_is_meant(void **state)
{
    struct store *store = open_store(*state);
    char *a = install_text(store, "x/m", "x/m", "v1", COMMIT_A, "1");
    assert_finds(store, "x/m", a);
    char *b = install_text(store, "x/m", "x/m", "v2", COMMIT_B, "2");
    assert_misses(store, "x/m", MODEL_INVALID_ARGUMENT,
                  "'x/m' has several revisions and no main: " COMMIT_A ", " COMMIT_B
                  ", v1, v2; say name@revision",
                  NULL);
    free(a);
    free(b);
    store_close(store);
}

static void a_bare_name_must_be_clear(void **state)
{
    struct store *store = open_store(*state);
    free(install_text(store, "x/m", "x/m", "main", COMMIT_A, "1"));
    free(install_text(store, "y/m", "y/m", "main", COMMIT_A, "1"));
    assert_misses(store, "m", MODEL_INVALID_ARGUMENT, "'m' may be one of x/m, y/m; say which",
                  NULL);
    char *own = install_text(store, "m", "m", "main", COMMIT_A, "1");
    assert_finds(store, "m", own);
    free(own);
    store_close(store);
}

static void says_what_the_store_has(void **state)
{
    struct store *store = open_store(*state);
    assert_misses(store, "a/b", MODEL_NOT_FOUND, "'a/b' is not in the store ",
                  ", which is empty; `pkgmgr download a/b` fetches it");
    free(install_text(store, "x/m", "old", "main", COMMIT_A, "1"));
    free(install_text(store, "gpt2", "gpt2", "main", COMMIT_A, "1"));
    assert_misses(store, "a/b", MODEL_NOT_FOUND, "'a/b' is not in the store ",
                  ", which has gpt2, x/m; `pkgmgr download a/b` fetches it");
    assert_misses(store, "a//b", MODEL_INVALID_ARGUMENT,
                  "'a//b' is no repository id; want 'name' or 'namespace/name' of letters, digits, "
                  "'-', '_' and '.'",
                  NULL);
    for (char id[] = "n/a"; id[2] <= 'f'; id[2]++)
        free(install_text(store, id, id, "main", COMMIT_A, "1"));
    assert_misses(store, "a/b", MODEL_NOT_FOUND, "'a/b' is not in the store ",
                  ", which has gpt2, n/a, n/b, n/c, n/d and 3 more; `pkgmgr download a/b` fetches "
                  "it");
    store_close(store);
}

static void a_ref_to_a_package_that_is_gone_finds_nothing(void **state)
{
    struct store *store = open_store(*state);
    char *dir = install_text(store, "x/m", "x/m", "main", COMMIT_A, "1");
    assert_int_equal(dir_remove_all(dir, NULL), MODEL_OK);
    assert_misses(store, "x/m", MODEL_NOT_FOUND, "'x/m' is not in the store ",
                  ", which is empty; `pkgmgr download x/m` fetches it");
    free(dir);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(finds_by_id_by_asked_name_and_by_revision),
        FOLDER_TEST(the_revision_decides),
        FOLDER_TEST(without_main_the_only_package_is_meant),
        FOLDER_TEST(a_bare_name_must_be_clear),
        FOLDER_TEST(says_what_the_store_has),
        FOLDER_TEST(a_ref_to_a_package_that_is_gone_finds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
