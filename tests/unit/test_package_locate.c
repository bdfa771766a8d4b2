/* test_package_locate.c - a word is a folder or a name in the store. */
#include "in_folder.h"

#include "package_locate.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_folder_is_told_from_a_name),
        IN_FOLDER(a_folder_below_the_stores_packages_is_in_the_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
