/* test_value_seal.c - a value is known again, and one that is changed or of another key is not. The seal is what
 * sha256sum says of "a\0x". */
#include "value_seal.h"
#include "testing.h"

#define SEAL_OF_X "8b86bced10290476e3cbf7ec75ec99dc5afd02120997525be1c62db47aa5c524"

static void a_seal_is_the_digest_of_key_and_value(void **state)
{
    (void)state;
    char seal[SHA256_HEX_BYTES];
    assert_int_equal(value_seal_make("a", "x", 1, seal), MODEL_OK);
    assert_string_equal(seal, SEAL_OF_X);
    assert_true(value_seal_fits("a", SEAL_OF_X "x", VALUE_SEAL_BYTES + 1));
}

static void a_value_under_another_key_does_not_fit(void **state)
{
    (void)state;
    assert_false(value_seal_fits("b", SEAL_OF_X "x", VALUE_SEAL_BYTES + 1));
    assert_false(value_seal_fits("", SEAL_OF_X "x", VALUE_SEAL_BYTES + 1));
}

static void a_value_that_is_cut_longer_or_changed_anywhere_does_not_fit(void **state)
{
    (void)state;
    char sealed[] = SEAL_OF_X "x";
    for (size_t n = 0; n <= VALUE_SEAL_BYTES; n++)
        assert_false(value_seal_fits("a", sealed, n));
    assert_false(value_seal_fits("a", sealed, VALUE_SEAL_BYTES + 2));
    for (size_t i = 0; i <= VALUE_SEAL_BYTES; i++) {
        sealed[i] ^= 1;
        assert_false(value_seal_fits("a", sealed, VALUE_SEAL_BYTES + 1));
        sealed[i] ^= 1;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seal_is_the_digest_of_key_and_value),
        cmocka_unit_test(a_value_under_another_key_does_not_fit),
        cmocka_unit_test(a_value_that_is_cut_longer_or_changed_anywhere_does_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
