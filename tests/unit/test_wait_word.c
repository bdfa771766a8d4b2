/* test_wait_word.c - posts reach their waiter, early, late and many times. */
#include "clock.h"
#include "testing.h"
#include "wait_word.h"

#include <uv.h>

static void a_post_that_came_before_is_not_waited_for(void **state)
{
    (void)state;
    struct wait_word word = {0};
    wait_word_post(&word);
    wait_word_post(&word);
    assert_true(wait_word_wait(&word, NULL, false, INT64_MAX));
    assert_true(wait_word_wait(&word, NULL, false, 0)); /* until the reset */
    wait_word_reset(&word);
    assert_false(wait_word_wait(&word, NULL, false, 0));
}

static void a_wait_ends_at_its_deadline_and_not_before(void **state)
{
    (void)state;
    struct wait_word word = {0};
    const int64_t deadline_ns = clock_now_ns() + 2 * NS_PER_MS;
    assert_false(wait_word_wait(&word, NULL, false, deadline_ns));
    assert_true(clock_now_ns() >= deadline_ns);
    wait_word_post(&word); /* which finds a word that somebody slept on */
    assert_true(wait_word_wait(&word, NULL, false, INT64_MAX));
}

static void on_one_cpu_nobody_looks_before_sleeping(void **state)
{
    (void)state;
    struct wait_spin one = {0}, two = {0};
    wait_spin_init(&one, 1);
    wait_spin_init(&two, 2);
    assert_int_equal(one.max_ns, 0);
    assert_true(two.max_ns > 0);
}

/* How often the budget allowed a look in n waits that end without a post. */
static int count_looks(struct wait_spin *spin, int n_waits)
{
    int n_looks = 0;
    for (int i = 0; i < n_waits; i++) {
        struct wait_word word = {0};
        n_looks += atomic_load(&spin->budget_ns) >= 0;
        assert_false(wait_word_wait(&word, spin, true, 0));
    }
    return n_looks;
}

static void looking_stops_when_it_does_not_pay_and_is_tried_again(void **state)
{
    (void)state;
    struct wait_spin spin = {0};
    wait_spin_init(&spin, 2);
    assert_int_equal(count_looks(&spin, 2), 2);
    assert_int_equal(count_looks(&spin, 32), 0);
    assert_int_equal(count_looks(&spin, 33 * 10), 10);
}

struct table {
    struct wait_word to, from;
    struct wait_spin *spin;
    bool gives_way;
    int ball; /* guarded by whose turn it is */
};

enum { N_ROUNDS = 20000 };

static void return_balls(void *argument)
{
    struct table *table = argument;
    for (int i = 0; i < N_ROUNDS; i++) {
        (void)wait_word_wait(&table->to, table->spin, table->gives_way, INT64_MAX);
        wait_word_reset(&table->to);
        table->ball++;
        wait_word_post(&table->from);
    }
}

static void play(struct wait_spin *spin, bool gives_way)
{
    struct table table = {.spin = spin, .gives_way = gives_way};
    uv_thread_t thread;
    assert_int_equal(uv_thread_create(&thread, return_balls, &table), 0);
    for (int i = 0; i < N_ROUNDS; i++) {
        table.ball++;
        wait_word_post(&table.to);
        assert_true(wait_word_wait(&table.from, spin, gives_way, INT64_MAX));
        wait_word_reset(&table.from);
        assert_int_equal(table.ball, 2 * i + 2);
    }
    assert_int_equal(uv_thread_join(&thread), 0);
}

static void no_post_is_lost_between_two_threads(void **state)
{
    (void)state;
    struct wait_spin spin = {0};
    wait_spin_init(&spin, 2);
    play(NULL, false);
    play(&spin, false);
    play(&spin, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_post_that_came_before_is_not_waited_for),
        cmocka_unit_test(a_wait_ends_at_its_deadline_and_not_before),
        cmocka_unit_test(on_one_cpu_nobody_looks_before_sleeping),
        cmocka_unit_test(looking_stops_when_it_does_not_pay_and_is_tried_again),
        cmocka_unit_test(no_post_is_lost_between_two_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
