/* test_file_digests.c - one reading, three digests; wanted values by sha256sum, sha1sum, git hash-object. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "file_digests.h"
#include "store_packages.h"

static void a_file_has_three_digests(void **state)
{
    struct file_digests digests;
    put_text(in_folder(*state, "x"), "hello\n");
    assert_int_equal(file_digests_read(in_folder(*state, "x"),
                                       FILE_SHA256 | FILE_SHA1 | FILE_GIT_BLOB, &digests, NULL),
                     MODEL_OK);
    assert_int_equal(digests.size_bytes, 6);
    assert_string_equal(digests.sha256,
                        "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
    assert_string_equal(digests.sha1, "f572d396fae9206628714fb2ce00f72e94f2258f");
    assert_string_equal(digests.git_blob, "ce013625030ba8dba906f756967f9e9ca394464a");
}

static void only_what_is_asked_for_is_computed(void **state)
{
    struct file_digests digests;
    put_text(in_folder(*state, "x"), "hello\n");
    assert_int_equal(file_digests_read(in_folder(*state, "x"), FILE_SHA1, &digests, NULL),
                     MODEL_OK);
    assert_string_equal(digests.sha256, "");
    assert_string_equal(digests.sha1, "f572d396fae9206628714fb2ce00f72e94f2258f");
    assert_string_equal(digests.git_blob, "");
}

static void what_is_no_file_has_none(void **state)
{
    struct file_digests digests = {.size_bytes = 7};
    assert_int_equal(file_digests_read(*state, FILE_SHA256, &digests, NULL),
                     MODEL_INVALID_ARGUMENT);
    assert_int_equal(file_digests_read(in_folder(*state, "none"), FILE_SHA256, &digests, NULL),
                     MODEL_NOT_FOUND);
    assert_int_equal(digests.size_bytes, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {FOLDER_TEST(a_file_has_three_digests),
                                       FOLDER_TEST(only_what_is_asked_for_is_computed),
                                       FOLDER_TEST(what_is_no_file_has_none)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
