/* Tests of merging one word, and of the table of merges (host/tokenizers/merge_table.c), against the
 * plainest way to do it. */
#include "tokenizer_fixture.h"

#include "merge_word.h"

static uint64_t state = 88172645463325252u;

static uint32_t below(uint32_t n)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32) % n;
}

/* Looks through all merges by rank, again and again. */
static size_t merge_plainly(const struct merge *merges, size_t n_merges, int32_t *ids, size_t n)
{
    for (size_t m = 0; m < n_merges;) {
        size_t i = 0;
        while (i + 1 < n && !(ids[i] == merges[m].left && ids[i + 1] == merges[m].right))
            i++;
        if (i + 1 >= n) {
            m++;
            continue;
        }
        ids[i] = merges[m].merged;
        memmove(&ids[i + 1], &ids[i + 2], (n - i - 2) * sizeof *ids);
        n--;
        m = 0;
    }
    return n;
}

#define N_BYTES  4
#define N_MERGES 40

static void words_merge_as_the_plainest_way_does(void **unused)
{
    (void)unused;
    for (size_t round = 0; round < 300; round++) {
        struct merge merges[N_MERGES];
        struct merge_table table = {0};
        struct merge_word word = {0};
        assert_int_equal(merge_table_init(&table, N_MERGES), MODEL_OK);
        for (uint32_t i = 0; i < N_MERGES; i++) {
            do
                merges[i] = (struct merge){(int32_t)below(N_BYTES + i), (int32_t)below(N_BYTES + i),
                                           i, (int32_t)(N_BYTES + i)};
            while (merge_table_find(&table, merges[i].left, merges[i].right) != NULL);
            merge_table_put(&table, &merges[i]);
        }
        for (size_t k = 0; k < 10; k++) {
            int32_t ids[200];
            size_t n = below(200);
            word.n = 0;
            for (size_t i = 0; i < n; i++) {
                ids[i] = (int32_t)below(N_BYTES);
                assert_int_equal(merge_word_add(&word, ids[i], 1), MODEL_OK);
            }
            assert_int_equal(merge_word_run(&word, &table), MODEL_OK);
            size_t want = merge_plainly(merges, N_MERGES, ids, n);
            size_t bytes = 0;
            assert_int_equal(word.n, want);
            for (size_t i = 0; i < want; i++) {
                assert_int_equal(word.symbols[i].id, ids[i]);
                bytes += word.symbols[i].bytes;
            }
            assert_int_equal(bytes, n);
        }
        merge_word_finish(&word);
        merge_table_finish(&table);
    }
}

static void of_a_merge_that_stands_twice_the_last_counts(void **unused)
{
    (void)unused;
    struct merge_table table = {0};
    assert_int_equal(merge_table_init(&table, 2), MODEL_OK);
    merge_table_put(&table, &(struct merge){1, 2, 0, 7});
    merge_table_put(&table, &(struct merge){1, 2, 5, 8});
    assert_int_equal(merge_table_find(&table, 1, 2)->rank, 5);
    assert_int_equal(merge_table_find(&table, 1, 2)->merged, 8);
    assert_null(merge_table_find(&table, 2, 1));
    merge_table_finish(&table);
}

static void a_long_word_stops_when_its_request_is_cancelled(void **unused)
{
    (void)unused;
    const uint32_t cancelled = MODEL_CANCELLED;
    struct merge_table table = {0};
    struct merge_word word = {.cancelled = &cancelled};
    assert_int_equal(merge_table_init(&table, 1), MODEL_OK);
    merge_table_put(&table, &(struct merge){1, 1, 0, 2});
    for (size_t i = 0; i < 1000000; i++)
        assert_int_equal(merge_word_add(&word, 1, 1), MODEL_OK);
    assert_int_equal(merge_word_run(&word, &table), MODEL_CANCELLED);
    assert_true(word.n > 500000); /* what all merges would leave */
    merge_word_finish(&word);
    merge_table_finish(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_merge_as_the_plainest_way_does),
        cmocka_unit_test(of_a_merge_that_stands_twice_the_last_counts),
        cmocka_unit_test(a_long_word_stops_when_its_request_is_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
