/* Proposals from what was there before: host/generation/speculation.c. */
#include "speculation.h"
#include "testing.h"

#include <math.h>

#define N(array) (sizeof(array) / sizeof *(array))

static size_t propose(struct speculation *s, const int64_t *ids, size_t n, int64_t *ret)
{
    return speculation_propose(s, ids, n, SPECULATION_MAX_TOKENS, ret);
}

static void what_followed_the_last_three_tokens_is_proposed(void **state)
{
    (void)state;
    const int64_t ids[] = {1, 2, 3, 40, 50, 2, 3, 60, 1, 2, 3};
    int64_t found[SPECULATION_MAX_TOKENS] = {0};
    struct speculation s;
    speculation_init(&s);
    assert_int_equal(propose(&s, ids, N(ids), found), 2);
    assert_int_equal(found[0], 40); /* not 60, which followed two of them */
    assert_int_equal(found[1], 50);
}

static void of_two_places_the_later_one_counts(void **state)
{
    (void)state;
    const int64_t ids[] = {7, 8, 9, 1, 7, 8, 9, 2, 7, 8, 9};
    int64_t found[SPECULATION_MAX_TOKENS] = {0};
    struct speculation s;
    speculation_init(&s);
    assert_int_equal(propose(&s, ids, N(ids), found), 2);
    assert_int_equal(found[0], 2);
    assert_int_equal(found[1], 7);
}

static void without_three_two_will_do_and_one_will_not(void **state)
{
    (void)state;
    const int64_t two[] = {5, 8, 9, 1, 6, 8, 9}, one[] = {5, 8, 9, 1, 6, 7, 9};
    int64_t found[SPECULATION_MAX_TOKENS] = {0};
    struct speculation s;
    speculation_init(&s);
    assert_int_equal(propose(&s, two, N(two), found), 2);
    assert_int_equal(found[0], 1);
    assert_int_equal(found[1], 6);
    assert_int_equal(propose(&s, one, N(one), found), 0);
    for (size_t n = 0; n <= 3; n++)
        assert_int_equal(propose(&s, one, n, found), 0);
}

static void a_repetition_goes_on_in_the_proposal(void **state)
{
    (void)state;
    const int64_t ids[] = {3, 4, 3, 4, 3, 4}, want[] = {3, 4, 3, 4, 3};
    int64_t found[SPECULATION_MAX_TOKENS] = {0};
    struct speculation s;
    speculation_init(&s);
    s.n_tokens = SPECULATION_MAX_TOKENS;
    assert_int_equal(propose(&s, ids, N(ids), found), 5);
    assert_memory_equal(found, want, sizeof want);
    assert_int_equal(speculation_propose(&s, ids, N(ids), 3, found), 3);
    assert_int_equal(speculation_propose(&s, ids, N(ids), 0, found), 0);
}

static void proposals_grow_when_they_are_taken_and_shrink_when_not(void **state)
{
    (void)state;
    struct speculation s;
    speculation_init(&s);
    assert_int_equal(s.n_tokens, 2);
    speculation_learn(&s, 2, 2, false);
    assert_int_equal(s.n_tokens, 4);
    speculation_learn(&s, 4, 4, false);
    assert_int_equal(s.n_tokens, SPECULATION_MAX_TOKENS);
    speculation_learn(&s, 5, 5, false);
    assert_int_equal(s.n_tokens, SPECULATION_MAX_TOKENS);
    speculation_learn(&s, 4, 3, false);
    assert_int_equal(s.n_tokens, 3);
    assert_int_equal(s.n_proposed, 15);
    assert_int_equal(s.n_accepted, 14);
}

static void after_a_failure_it_pauses_until_two_guesses_were_right(void **state)
{
    (void)state;
    const int64_t ids[] = {1, 2, 3, 4, 5, 1, 2, 3, 9, 5, 1, 2, 3, 9, 5, 1};
    int64_t found[SPECULATION_MAX_TOKENS] = {0};
    struct speculation s;
    speculation_init(&s);
    assert_int_equal(propose(&s, ids, 8, found), 2);
    speculation_learn(&s, 1, 0, false);
    assert_int_equal(s.n_tokens, 0);
    assert_int_equal(propose(&s, ids, 9, found), 0);  /* no guess behind 2 3 9 */
    assert_int_equal(propose(&s, ids, 10, found), 0); /* 3 9 5: none */
    assert_int_equal(propose(&s, ids, 11, found), 0); /* 5 1: guesses 2 */
    assert_int_equal(propose(&s, ids, 12, found), 0); /* right, once; guesses 3 */
    assert_int_equal(propose(&s, ids, 13, found), 2); /* twice */
    assert_int_equal(found[0], 9);
    assert_int_equal(found[1], 5);
}

static void a_wrong_guess_begins_the_count_again(void **state)
{
    (void)state;
    const int64_t ids[] = {1, 2, 3, 4, 8, 1, 2, 3, 7, 1, 2, 3, 7};
    int64_t found[SPECULATION_MAX_TOKENS] = {0};
    struct speculation s;
    speculation_init(&s);
    speculation_learn(&s, 2, 0, false);
    assert_int_equal(propose(&s, ids, 7, found), 0); /* 1 2: guesses 3 */
    assert_int_equal(propose(&s, ids, 8, found), 0); /* right; guesses 4 */
    assert_int_equal(propose(&s, ids, 9, found), 0); /* wrong */
    assert_int_equal(s.n_hits, 0);
}

static void failures_in_a_row_make_the_pause_longer(void **state)
{
    (void)state;
    const int64_t ids[] = {3, 4, 3, 4, 3, 4, 3, 4, 3, 4, 3, 4, 3, 4, 3, 4, 3, 4, 3, 4, 3, 4, 3, 4};
    static const size_t want[] = {2, 4, 8, 16, 16};
    int64_t found[SPECULATION_MAX_TOKENS] = {0};
    struct speculation s;
    speculation_init(&s);
    for (size_t i = 0; i < N(want); i++) {
        speculation_learn(&s, 1, 0, false);
        size_t n_steps = 0; /* the first has no guess to judge */
        while (propose(&s, ids, 6 + n_steps, found) == 0)
            n_steps++;
        assert_int_equal(n_steps, want[i]);
    }
    speculation_learn(&s, 2, 2, false);
    speculation_learn(&s, 1, 0, false);
    assert_int_equal(s.n_needed, 2);
}

static void behind_a_close_call_one_step_is_made_without_a_proposal(void **state)
{
    (void)state;
    const int64_t ids[] = {3, 4, 3, 4, 3, 4};
    int64_t found[SPECULATION_MAX_TOKENS] = {0};
    struct speculation s;
    speculation_init(&s);
    speculation_learn(&s, 0, 0, true);
    assert_int_equal(propose(&s, ids, N(ids), found), 0);
    assert_int_equal(propose(&s, ids, N(ids), found), 2);
}

static void a_close_call_is_told_from_a_certain_one(void **state)
{
    (void)state;
    const float clear[] = {1.0f, 4.0f, 3.0f, -9.0f}, close[] = {4.0f, 1.0f, 4.0005f, -9.0f};
    const float equal[] = {2.0f, 2.0f}, below[] = {-80.0f, -80.01f}, far[] = {-80.0f, -80.1f};
    const float broken[] = {NAN, 1.0f, NAN, 0.0f}, none[] = {NAN, NAN}, endless[] = {INFINITY, 0};
    const float masked[] = {-INFINITY, 3.0f};
    assert_true(speculation_is_certain(clear, 4));
    assert_false(speculation_is_certain(close, 4));
    assert_false(speculation_is_certain(equal, 2));
    assert_false(speculation_is_certain(below, 2));
    assert_true(speculation_is_certain(far, 2));
    assert_true(speculation_is_certain(broken, 4));
    assert_false(speculation_is_certain(none, 2));
    assert_false(speculation_is_certain(endless, 2));
    assert_true(speculation_is_certain(masked, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_followed_the_last_three_tokens_is_proposed),
        cmocka_unit_test(of_two_places_the_later_one_counts),
        cmocka_unit_test(without_three_two_will_do_and_one_will_not),
        cmocka_unit_test(a_repetition_goes_on_in_the_proposal),
        cmocka_unit_test(proposals_grow_when_they_are_taken_and_shrink_when_not),
        cmocka_unit_test(after_a_failure_it_pauses_until_two_guesses_were_right),
        cmocka_unit_test(a_wrong_guess_begins_the_count_again),
        cmocka_unit_test(failures_in_a_row_make_the_pause_longer),
        cmocka_unit_test(behind_a_close_call_one_step_is_made_without_a_proposal),
        cmocka_unit_test(a_close_call_is_told_from_a_certain_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
