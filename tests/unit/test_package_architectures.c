/* test_package_architectures.c - which architectures a config.json names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "package_architectures.h"
#include "store_fixture.h"

static void architectures_start_with_the_model_type(void **state)
{
    const char *path = in_folder(*state, "config.json");
    struct package_architectures found;
    struct model_error err = MODEL_ERROR_INIT;
    put_text(path, "{\"architectures\":[\"BertForMaskedLM\",7,\"BertModel\"],"
                   "\"model_type\":\"bert\"}");
    assert_int_equal(package_architectures_read(NULL, path, &found, &err), MODEL_OK);
    assert_int_equal(found.n_names, 3);
    assert_string_equal(found.names[0], "bert");
    assert_string_equal(found.names[1], "BertForMaskedLM");
    assert_string_equal(found.names[2], "BertModel");
    package_architectures_finish(&found);
    put_text(path, "{\"model_type\":null,\"architectures\":\"x\"}");
    assert_int_equal(package_architectures_read(NULL, path, &found, &err), MODEL_OK);
    assert_int_equal(found.n_names, 0);
    package_architectures_finish(&found);
    put_text(path, "[]");
    assert_int_equal(package_architectures_read(NULL, path, &found, &err), MODEL_CORRUPT);
    assert_non_null(strstr(err.message, "/config.json: want a JSON object"));
    put_text(path, "{\"model_type\":");
    assert_int_equal(package_architectures_read(NULL, path, &found, &err), MODEL_CORRUPT);
    assert_int_equal(package_architectures_read(NULL, "/nowhere/config.json", &found, &err),
                     MODEL_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(architectures_start_with_the_model_type, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
