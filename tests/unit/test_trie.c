/* Tests of the double-array trie against a plain search. */
#include "tokenizer_fixture.h"
#include "trie.h"

static const char *const words[] = {"a", "ab", "abc", "b", "bcd", "unaffable", "\xff\x01", "zz"};
#define N_WORDS (sizeof words / sizeof words[0])

static void fill(struct trie_entry *entries)
{
    for (size_t i = 0; i < N_WORDS; i++)
        entries[i] = (struct trie_entry){words[i], (uint32_t)strlen(words[i]), (int32_t)i};
}

static void finds_every_entry_and_nothing_else(void **state)
{
    (void)state;
    struct trie trie;
    struct trie_entry entries[N_WORDS];
    const struct trie_entry *duplicate = NULL;
    fill(entries);
    assert_int_equal(trie_build(entries, N_WORDS, &trie, &duplicate), MODEL_OK);
    for (size_t i = 0; i < N_WORDS; i++)
        assert_int_equal(trie_find(&trie, words[i], strlen(words[i])), i);
    assert_int_equal(trie_find(&trie, "unaff", 5), -1);
    assert_int_equal(trie_find(&trie, "abcd", 4), -1);
    assert_int_equal(trie_find(&trie, "", 0), -1);
    assert_int_equal(trie_find(&trie, "\x00", 1), -1);
    trie_finish(&trie);
}

static void longest_prefix_wins(void **state)
{
    (void)state;
    struct trie trie;
    struct trie_entry entries[N_WORDS];
    const struct trie_entry *duplicate = NULL;
    size_t bytes = 0;
    fill(entries);
    assert_int_equal(trie_build(entries, N_WORDS, &trie, &duplicate), MODEL_OK);
    assert_int_equal(trie_longest(&trie, TRIE_ROOT, "abcx", 4, &bytes), 2);
    assert_int_equal(bytes, 3);
    assert_int_equal(trie_longest(&trie, TRIE_ROOT, "abx", 3, &bytes), 1);
    assert_int_equal(bytes, 2);
    assert_int_equal(trie_longest(&trie, TRIE_ROOT, "bc", 2, &bytes), 3);
    assert_int_equal(trie_longest(&trie, TRIE_ROOT, "unaff", 5, &bytes), -1);
    trie_finish(&trie);
}

static void refuses_a_key_that_stands_twice(void **state)
{
    (void)state;
    struct trie trie;
    const struct trie_entry *duplicate = NULL;
    struct trie_entry twice[] = {{"b", 1, 0}, {"a", 1, 1}, {"b", 1, 2}};
    assert_int_equal(trie_build(twice, 3, &trie, &duplicate), MODEL_INVALID_ARGUMENT);
    assert_string_equal(duplicate->key, "b");
    struct trie_entry empty[] = {{"", 0, 0}};
    assert_int_equal(trie_build(empty, 1, &trie, &duplicate), MODEL_INVALID_ARGUMENT);
}

static void an_empty_trie_finds_nothing(void **state)
{
    (void)state;
    struct trie trie;
    const struct trie_entry *duplicate = NULL;
    assert_int_equal(trie_build(NULL, 0, &trie, &duplicate), MODEL_OK);
    assert_int_equal(trie_find(&trie, "a", 1), -1);
    trie_finish(&trie);
}

/* Keys of every length over few letters, so that nodes have many and few children. */
static void many_keys_are_all_found(void **state)
{
    (void)state;
    enum { N = 20000 };
    char(*keys)[8] = calloc(N, sizeof *keys);
    struct trie_entry *entries = calloc(N, sizeof *entries);
    assert_true(keys != NULL && entries != NULL);
    for (unsigned i = 0; i < N; i++) {
        size_t n = 0;
        for (unsigned v = i + 1; v > 0; v /= 11) /* digits 1..11: every number another key */
            keys[i][n++] = (char)(1 + (v % 11) * 23);
        entries[i] = (struct trie_entry){keys[i], (uint32_t)n, (int32_t)i};
    }
    struct trie trie;
    const struct trie_entry *duplicate = NULL;
    assert_int_equal(trie_build(entries, N, &trie, &duplicate), MODEL_OK);
    for (unsigned i = 0; i < N; i++)
        assert_int_equal(trie_find(&trie, keys[i], strlen(keys[i])), i);
    trie_finish(&trie);
    free(entries);
    free(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_every_entry_and_nothing_else),
        cmocka_unit_test(longest_prefix_wins),
        cmocka_unit_test(refuses_a_key_that_stands_twice),
        cmocka_unit_test(an_empty_trie_finds_nothing),
        cmocka_unit_test(many_keys_are_all_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
