/* test_case_twins.c - names that are one on some disks. */
#include "testing.h"

#include "case_twins.h"

static const char *path_at(const void *context, size_t i)
{
    return ((const char *const *)context)[i];
}

static void the_first_pair_that_differs_in_case_is_found(void **state)
{
    static const char *const paths[] = {"a.txt", "Sub/x.TXT", "b.txt", "sub/X.txt", "A.TXT"};
    size_t first = 0, second = 0;
    (void)state;
    assert_true(case_twins_find(path_at, paths, 5, &first, &second));
    assert_int_equal(first, 1);
    assert_int_equal(second, 3);
}

static void other_names_are_none(void **state)
{
    static const char *const paths[] = {"a.txt",    "a.tx", "b/a.txt", "\xc3\x84",
                                        "\xc3\xa4", "[",    "{"};
    size_t first = 0, second = 0;
    (void)state;
    assert_false(case_twins_find(path_at, paths, 7, &first, &second));
    assert_false(case_twins_find(path_at, paths, 0, &first, &second));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_pair_that_differs_in_case_is_found),
        cmocka_unit_test(other_names_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
