/* Tests of the way back from normalised text to its source. */
#include "tokenizer_fixture.h"
#include "normalized_text.h"

static void put(struct normalized_text *t, const char *bytes, size_t source, size_t source_bytes)
{
    assert_int_equal(normalized_text_reserve(t, strlen(bytes)), MODEL_OK);
    if (source_bytes == 0)
        normalized_text_plain(t, source);
    else
        normalized_text_block(t, source, source_bytes);
    memcpy(t->data + t->size, bytes, strlen(bytes));
    t->size += strlen(bytes);
}

static void assert_source(const struct normalized_text *t, size_t *run, size_t start, size_t end,
                          uint32_t want_start, uint32_t want_end)
{
    struct text_span span = normalized_text_source(t, run, start, end);
    assert_int_equal(span.start, want_start);
    assert_int_equal(span.end, want_end);
}

/* "caf\u00e9 x" as "cafe x", with two bytes dropped before the x. */
static void spans_cross_plain_and_block_runs(void **state)
{
    (void)state;
    struct normalized_text t = {0};
    put(&t, "caf", 0, 0);
    put(&t, "e", 3, 2);
    put(&t, " ", 5, 0);
    put(&t, "x", 8, 0);
    size_t run = 0;
    assert_source(&t, &run, 0, 4, 0, 5);
    assert_source(&t, &run, 4, 5, 5, 6);
    assert_source(&t, &run, 5, 6, 8, 9);
    assert_source(&t, &run, 0, 2, 0, 2); /* backwards works too */
    assert_source(&t, &run, 3, 4, 3, 5);
    normalized_text_finish(&t);
}

static void a_plain_run_goes_on_without_a_new_one(void **state)
{
    (void)state;
    struct normalized_text t = {0};
    put(&t, "abc", 10, 0);
    put(&t, "def", 13, 0);
    assert_int_equal(t.n_runs, 1);
    put(&t, "g", 17, 0);
    assert_int_equal(t.n_runs, 2);
    normalized_text_clear(&t);
    assert_int_equal(t.n_runs + t.size, 0);
    normalized_text_finish(&t);
}

static void grows_to_what_is_asked(void **state)
{
    (void)state;
    struct normalized_text t = {0};
    for (unsigned i = 0; i < 3000; i++)
        put(&t, "ab", 3 * i, 3);
    size_t run = 0;
    assert_int_equal(t.n_runs, 3000);
    assert_source(&t, &run, 5998, 6000, 8997, 9000);
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(normalized_text_reserve_pending(&t), MODEL_OK);
        t.n_pending++;
    }
    normalized_text_finish(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_cross_plain_and_block_runs),
        cmocka_unit_test(a_plain_run_goes_on_without_a_new_one),
        cmocka_unit_test(grows_to_what_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
