/* test_string_map.c - many keys, odd keys, growth, and no memory. */
#include "failing_memory.h"
#include "string_map.h"
#include "testing.h"

static void finds_what_was_added_and_nothing_else(void **state)
{
    (void)state;
    struct string_map map;
    assert_int_equal(string_map_init(&map, 3), MODEL_OK);
    assert_int_equal(string_map_add(&map, "alpha", 5, 7), MODEL_OK);
    assert_int_equal(string_map_add(&map, "beta", 4, UINT32_MAX), MODEL_OK);
    assert_int_equal(string_map_add(&map, "gamma", 5, 0), MODEL_OK);
    assert_true(string_map_find(&map, "alpha", 5) == 7);
    assert_true(string_map_find(&map, "beta", 4) == (int64_t)UINT32_MAX);
    assert_true(string_map_find(&map, "gamma", 5) == 0);
    assert_true(string_map_find(&map, "delta", 5) == -1);
    assert_true(string_map_find(&map, "alph", 4) == -1);
    assert_true(string_map_find(&map, "", 0) == -1);
    assert_int_equal(map.size, 3);
    string_map_finish(&map);
}

static void a_second_key_is_refused_and_the_old_value_stays(void **state)
{
    (void)state;
    struct string_map map;
    assert_int_equal(string_map_init(&map, 0), MODEL_OK);
    assert_int_equal(string_map_add(&map, "k", 1, 1), MODEL_OK);
    assert_int_equal(string_map_add(&map, "k", 1, 2), MODEL_INVALID_ARGUMENT);
    assert_true(string_map_find(&map, "k", 1) == 1);
    assert_int_equal(map.size, 1);
    string_map_finish(&map);
}

static void keys_may_be_empty_or_hold_zero_bytes(void **state)
{
    (void)state;
    struct string_map map;
    assert_int_equal(string_map_init(&map, 0), MODEL_OK);
    static const char zeros[20];
    for (uint32_t n = 0; n <= 20; n++)
        assert_int_equal(string_map_add(&map, zeros, n, n), MODEL_OK);
    assert_int_equal(string_map_add(&map, "a\0b", 3, 100), MODEL_OK);
    assert_int_equal(string_map_add(&map, "a\0c", 3, 101), MODEL_OK);
    for (uint32_t n = 0; n <= 20; n++)
        assert_true(string_map_find(&map, zeros, n) == n);
    assert_true(string_map_find(&map, "a\0b", 3) == 100);
    assert_true(string_map_find(&map, "a\0c", 3) == 101);
    assert_true(string_map_find(&map, "a\0d", 3) == -1);
    string_map_finish(&map);
}

static void a_hundred_thousand_keys_survive_growth(void **state)
{
    (void)state;
    enum { N = 100000 };
    char(*keys)[16] = calloc(N, sizeof *keys);
    assert_non_null(keys);
    struct string_map map = {0};
    for (uint32_t i = 0; i < N; i++) {
        (void)snprintf(keys[i], sizeof keys[i], "token%u", i * 7919u);
        assert_int_equal(string_map_add(&map, keys[i], strlen(keys[i]), i), MODEL_OK);
    }
    assert_int_equal(map.size, N);
    for (uint32_t i = 0; i < N; i++)
        assert_true(string_map_find(&map, keys[i], strlen(keys[i])) == i);
    assert_true(string_map_find(&map, "token1", 6) == -1);
    string_map_finish(&map);
    free(keys);
}

static void each_entry_is_walked_once(void **state)
{
    (void)state;
    enum { N = 100 };
    char keys[N][16];
    bool seen[N] = {false};
    struct string_map map = {0};
    assert_null(string_map_next(&map, NULL));
    for (uint32_t i = 0; i < N; i++) {
        (void)snprintf(keys[i], sizeof keys[i], "key%u", i);
        assert_int_equal(string_map_add(&map, keys[i], strlen(keys[i]), i), MODEL_OK);
    }
    size_t n = 0;
    const struct string_map_slot *slot = NULL;
    while ((slot = string_map_next(&map, slot)) != NULL) {
        assert_ptr_equal(slot->key, keys[slot->value]);
        assert_false(seen[slot->value]);
        seen[slot->value] = true;
        n++;
    }
    assert_int_equal(n, N);
    string_map_finish(&map);
}

static void an_announced_number_of_keys_needs_no_growth(void **state)
{
    (void)state;
    struct string_map map;
    char keys[1000][8];
    assert_int_equal(string_map_init(&map, 1000), MODEL_OK);
    const struct string_map_slot *slots = map.slots;
    for (uint32_t i = 0; i < 1000; i++) {
        (void)snprintf(keys[i], sizeof keys[i], "%u", i);
        assert_int_equal(string_map_add(&map, keys[i], strlen(keys[i]), i), MODEL_OK);
    }
    assert_ptr_equal(map.slots, slots);
    string_map_finish(&map);
}

static void a_map_may_be_moved(void **state)
{
    (void)state;
    struct string_map first;
    assert_int_equal(string_map_init(&first, 10), MODEL_OK);
    assert_int_equal(string_map_add(&first, "one", 3, 1), MODEL_OK);
    assert_int_equal(string_map_add(&first, "a longer key", 12, 2), MODEL_OK);
    struct string_map second = first;
    assert_true(string_map_find(&second, "one", 3) == 1);
    assert_true(string_map_find(&second, "a longer key", 12) == 2);
    assert_int_equal(string_map_add(&second, "one", 3, 5), MODEL_INVALID_ARGUMENT);
    string_map_finish(&second);
}

static void an_empty_or_finished_map_finds_nothing(void **state)
{
    (void)state;
    struct string_map map = {0};
    assert_true(string_map_find(&map, "x", 1) == -1);
    string_map_finish(&map);
    string_map_finish(&map);
    assert_true(string_map_find(&map, "x", 1) == -1);
}

static void without_memory_what_was_there_stays(void **state)
{
    (void)state;
    struct string_map map;
    failing_memory_after(0);
    assert_int_equal(string_map_init(&map, 5), MODEL_OUT_OF_MEMORY);
    assert_true(failing_memory_end());
    assert_int_equal(string_map_init(&map, SIZE_MAX), MODEL_OUT_OF_MEMORY);

    char keys[16][4];
    assert_int_equal(string_map_init(&map, 0), MODEL_OK);
    uint32_t n = 0;
    model_status status = MODEL_OK;
    for (; n < 16 && status == MODEL_OK; n++) {
        (void)snprintf(keys[n], sizeof keys[n], "%u", n);
        failing_memory_after(0);
        status = string_map_add(&map, keys[n], strlen(keys[n]), n);
        assert_int_equal(failing_memory_end(), status != MODEL_OK);
    }
    assert_int_equal(status, MODEL_OUT_OF_MEMORY);
    assert_int_equal(map.size, n - 1);
    for (uint32_t i = 0; i + 1 < n; i++)
        assert_true(string_map_find(&map, keys[i], strlen(keys[i])) == i);
    string_map_finish(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_was_added_and_nothing_else),
        cmocka_unit_test(a_second_key_is_refused_and_the_old_value_stays),
        cmocka_unit_test(keys_may_be_empty_or_hold_zero_bytes),
        cmocka_unit_test(a_hundred_thousand_keys_survive_growth),
        cmocka_unit_test(each_entry_is_walked_once),
        cmocka_unit_test(an_announced_number_of_keys_needs_no_growth),
        cmocka_unit_test(a_map_may_be_moved),
        cmocka_unit_test(an_empty_or_finished_map_finds_nothing),
        cmocka_unit_test(without_memory_what_was_there_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
