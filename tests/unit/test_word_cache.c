/* Tests of the cache of words. */
#include "tokenizer_fixture.h"

#include "word_cache.h"

static void a_word_is_found_again_until_its_place_is_taken(void **state)
{
    (void)state;
    struct word_cache cache = {0};
    bool found = true;
    struct word_entry *entry = word_cache_at(&cache, 1, "hello", 5, &found);
    assert_non_null(entry);
    assert_false(found);
    word_entry_take(entry, "hello", 5);
    assert_ptr_equal(word_cache_at(&cache, 1, "hello", 5, &found), entry);
    assert_true(found);
    (void)word_cache_at(&cache, 1, "hell", 4, &found);
    assert_false(found);
    (void)word_cache_at(&cache, 1, "hello\0", 6, &found);
    assert_false(found);
    word_entry_take(entry, "another", 7);
    (void)word_cache_at(&cache, 1, "hello", 5, &found);
    assert_false(found);
    word_cache_finish(&cache);
}

static void another_owner_finds_nothing(void **state)
{
    (void)state;
    struct word_cache cache = {0};
    bool found = true;
    word_entry_take(word_cache_at(&cache, 1, "hello", 5, &found), "hello", 5);
    (void)word_cache_at(&cache, 2, "hello", 5, &found);
    assert_false(found);
    (void)word_cache_at(&cache, 1, "hello", 5, &found);
    assert_false(found);
    word_cache_finish(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_is_found_again_until_its_place_is_taken),
        cmocka_unit_test(another_owner_finds_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
