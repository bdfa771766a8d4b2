/* test_package_locate.c - a word is a folder or a name in the store. */
#include "in_folder.h"

#include "package_locate.h"

#include <unistd.h>

static void a_folder_is_told_from_a_name(void **state)
{
    struct package_place place;
    struct model_error err = {.struct_size = sizeof err};
    (void)state;
    assert_int_equal(package_locate(NULL, folder, &place, NULL), MODEL_OK);
    assert_false(place.in_store);
    package_place_finish(&place);
    assert_int_equal(package_locate(NULL, "acme/tiny", &place, &err), MODEL_NOT_FOUND);
    assert_non_null(strstr(err.message, "no such model: 'acme/tiny'"));
    assert_int_equal(package_locate(NULL, in_folder("nothing"), &place, NULL), MODEL_NOT_FOUND);
}

static void a_folder_below_the_stores_packages_is_in_the_store(void **state)
{
    struct package_place place;
    struct store *store;
    (void)state;
    assert_int_equal(store_open(in_folder("store"), 1, &store, NULL), MODEL_OK);
    assert_int_equal(dir_make_all(in_folder("store/packages/acme--tiny/d"), NULL), MODEL_OK);
    assert_int_equal(
        package_locate(store, in_folder("store/packages/../packages/acme--tiny/d"), &place, NULL),
        MODEL_OK);
    assert_true(place.in_store);
    package_place_finish(&place);
    assert_int_equal(dir_make_all(in_folder("store/packages-mine"), NULL), MODEL_OK);
    assert_int_equal(package_locate(store, in_folder("store/packages-mine"), &place, NULL),
                     MODEL_OK);
    assert_false(place.in_store);
    package_place_finish(&place);
    store_close(store);
}

static void a_folder_of_the_name_that_is_no_package_is_mentioned(void **state)
{
    struct package_place place;
    struct model_error err = {.struct_size = sizeof err};
    (void)state;
    char before[PATH_MAX];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(dir_make_all(in_folder("nopk"), NULL), MODEL_OK);
    assert_int_equal(chdir(folder), 0);
    model_status status = package_locate(NULL, "nopk", &place, &err);
    model_status by_path = package_locate(NULL, "./nopk", &place, NULL);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(status, MODEL_NOT_FOUND);
    assert_non_null(strstr(err.message, "; the folder 'nopk' is no package, it has neither "
                                        "metadata.json nor backends/: say ./nopk if you mean it"));
    assert_int_equal(by_path, MODEL_OK);
    package_place_finish(&place);
}

static void a_file_that_is_not_there_is_told(void **state)
{
    struct package_place place;
    struct model_error err = {.struct_size = sizeof err};
    struct store *store;
    (void)state;
    assert_int_equal(store_open(in_folder("store"), 1, &store, NULL), MODEL_OK);
    assert_int_equal(package_locate(store, "gone.mhp", &place, &err), MODEL_NOT_FOUND);
    assert_string_equal(err.message, "there is no file 'gone.mhp', and no package of that name in "
                                     "the store; look at the path");
    assert_int_equal(package_locate(store, "gone", &place, &err), MODEL_NOT_FOUND);
    assert_null(strstr(err.message, "there is no file"));
    store_close(store);
}

static void a_word_that_no_store_could_know_is_told(void **state)
{
    static const char *const bad[] = {"a/../../b", "a//b", "", "@x", "a/b/c", "m@"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(package_check_word(bad[i], NULL), MODEL_INVALID_ARGUMENT);
    assert_int_equal(package_check_word("a/b@v1", NULL), MODEL_OK);
    assert_int_equal(package_check_word("../b", NULL), MODEL_OK); /* a folder */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_folder_is_told_from_a_name),
        IN_FOLDER(a_folder_below_the_stores_packages_is_in_the_store),
        IN_FOLDER(a_folder_of_the_name_that_is_no_package_is_mentioned),
        IN_FOLDER(a_file_that_is_not_there_is_told),
        IN_FOLDER(a_word_that_no_store_could_know_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
