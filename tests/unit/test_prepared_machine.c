/* test_prepared_machine.c - which file of prepared weights is a machine's own. */
#include "prepared_machine.h"

#include "testing.h"

#include <string.h>

static const char model[SHA256_HEX_BYTES] =
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static void each_kind_of_processor_has_a_file_of_its_own(void **state)
{
    (void)state;
    char keys[1 + PREPARED_MACHINE_WORDS][SHA256_HEX_BYTES];
    for (size_t i = 0; i <= PREPARED_MACHINE_WORDS; i++) {
        struct prepared_machine machine = {{0}};
        if (i > 0)
            machine.words[i - 1] = 1;
        assert_int_equal(prepared_machine_key(model, machine, keys[i]), MODEL_OK);
        assert_int_equal(strlen(keys[i]), SHA256_HEX_BYTES - 1);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(keys[i], keys[k]);
    }
}

static void a_processor_is_of_the_same_kind_each_time(void **state)
{
    (void)state;
    const struct prepared_machine first = prepared_machine();
    for (int i = 0; i < 100; i++) { /* on whatever core */
        const struct prepared_machine again = prepared_machine();
        assert_memory_equal(&again, &first, sizeof first);
    }
}

static void models_on_one_machine_differ_and_a_key_may_be_written_over(void **state)
{
    (void)state;
    char other[SHA256_HEX_BYTES], key[SHA256_HEX_BYTES], of_other[SHA256_HEX_BYTES];
    memcpy(other, model, sizeof other);
    other[63] = '0';
    assert_int_equal(prepared_machine_key(model, prepared_machine(), key), MODEL_OK);
    assert_int_equal(prepared_machine_key(other, prepared_machine(), of_other), MODEL_OK);
    assert_string_not_equal(key, of_other);
    assert_int_equal(prepared_machine_key(other, prepared_machine(), other), MODEL_OK);
    assert_string_equal(other, of_other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_processor_has_a_file_of_its_own),
        cmocka_unit_test(a_processor_is_of_the_same_kind_each_time),
        cmocka_unit_test(models_on_one_machine_differ_and_a_key_may_be_written_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
