/* test_breaker.c - the circuit breaker on a clock of the test's own: each transition by itself, and then
 * random calls against a slow reference that keeps every call and counts anew each time. */
#include "breaker.h"
#include "clock.h"
#include "testing.h"

#include <math.h>

static const struct breaker_policy usual = {.window_calls = 40,
                                            .window_ns = 60 * NS_PER_S,
                                            .min_calls = 20,
                                            .success_rate = 0.95,
                                            .cooldown_ns = 4 * NS_PER_S,
                                            .max_cooldown_ns = 20 * NS_PER_S,
                                            .max_probes = 2,
                                            .good_probes = 3};

/* A breaker and its clock. */
struct bench {
    struct breaker breaker;
    int64_t now_ns;
};

static struct bench make(struct breaker_policy policy)
{
    struct bench bench = {.now_ns = 1000 * NS_PER_S};
    assert_int_equal(breaker_init(&bench.breaker, &policy, bench.now_ns, NULL), MODEL_OK);
    return bench;
}

static struct breaker_ticket begin(struct bench *bench)
{
    struct breaker_ticket ticket = {0};
    assert_true(breaker_would_admit(&bench->breaker, bench->now_ns));
    assert_true(breaker_admit(&bench->breaker, bench->now_ns, &ticket));
    return ticket;
}

static void assert_refuses(struct bench *bench)
{
    struct breaker_ticket ticket = {0};
    assert_false(breaker_would_admit(&bench->breaker, bench->now_ns));
    assert_false(breaker_admit(&bench->breaker, bench->now_ns, &ticket));
    assert_int_equal(ticket.epoch, 0);
}

static bool end(struct bench *bench, struct breaker_ticket ticket, enum breaker_outcome outcome)
{
    return breaker_end(&bench->breaker, &ticket, outcome, bench->now_ns);
}

/* Calls one after the other that take no time. */
static void call(struct bench *bench, uint32_t n, enum breaker_outcome outcome)
{
    for (uint32_t i = 0; i < n; i++)
        (void)end(bench, begin(bench), outcome);
}

static void call_for(struct bench *bench, int64_t duration_ns)
{
    struct breaker_ticket ticket = begin(bench);
    bench->now_ns += duration_ns;
    (void)end(bench, ticket, BREAKER_GOOD);
}

static void trip(struct bench *bench)
{
    call(bench, bench->breaker.policy.min_calls, BREAKER_BAD);
    assert_int_equal(bench->breaker.state, BREAKER_OPEN);
}

static void assert_state(const struct bench *bench, enum breaker_state state)
{
    assert_int_equal(bench->breaker.state, state);
}

static void few_calls_say_nothing(void **state)
{
    (void)state;
    struct bench bench = make(usual);
    call(&bench, 19, BREAKER_BAD);
    assert_state(&bench, BREAKER_CLOSED);
    call(&bench, 1, BREAKER_BAD);
    assert_state(&bench, BREAKER_OPEN);
    assert_int_equal(bench.breaker.seen_calls, 20);
    assert_int_equal(bench.breaker.seen_bad, 20);
    assert_refuses(&bench);
    breaker_finish(&bench.breaker);
}

static void hopeless_ones_need_no_others(void **state)
{
    (void)state;
    struct bench bench = make(usual);
    call(&bench, 1, BREAKER_HOPELESS);
    assert_state(&bench, BREAKER_OPEN);
    breaker_finish(&bench.breaker);
}

static void it_opens_below_the_rate_and_not_at_it(void **state)
{
    (void)state;
    struct bench bench = make(usual);
    call(&bench, 38, BREAKER_GOOD);
    call(&bench, 2, BREAKER_BAD); /* 38 of 40 are 95 % */
    assert_state(&bench, BREAKER_CLOSED);
    call(&bench, 1, BREAKER_BAD); /* the window has moved on: 37 of 40 */
    assert_state(&bench, BREAKER_OPEN);
    assert_int_equal(bench.breaker.seen_calls, 40);
    assert_int_equal(bench.breaker.seen_bad, 3);
    breaker_finish(&bench.breaker);
}

static void neutral_ends_count_nowhere(void **state)
{
    (void)state;
    struct bench bench = make(usual);
    call(&bench, 1000, BREAKER_NEUTRAL);
    call(&bench, 19, BREAKER_BAD);
    call(&bench, 1000, BREAKER_NEUTRAL);
    assert_state(&bench, BREAKER_CLOSED);
    assert_int_equal(bench.breaker.n_calls, 19);
    breaker_finish(&bench.breaker);
}

static void old_calls_leave_the_window(void **state)
{
    (void)state;
    struct bench bench = make(usual);
    call(&bench, 19, BREAKER_BAD);
    bench.now_ns += usual.window_ns;
    call(&bench, 1, BREAKER_GOOD); /* just in time: all twenty count */
    assert_state(&bench, BREAKER_OPEN);
    breaker_finish(&bench.breaker);

    bench = make(usual);
    call(&bench, 19, BREAKER_BAD);
    bench.now_ns += usual.window_ns + 1;
    call(&bench, 19, BREAKER_BAD);
    assert_state(&bench, BREAKER_CLOSED);
    breaker_finish(&bench.breaker);
}

static void slow_calls_open_it_beyond_one_percent(void **state)
{
    (void)state;
    struct breaker_policy policy = usual;
    policy.sla_ns = 10 * NS_PER_MS;
    policy.window_calls = 300;
    struct bench bench = make(policy);
    for (int i = 0; i < 297; i++)
        call_for(&bench, policy.sla_ns); /* at the SLA is within it */
    for (int i = 0; i < 3; i++)
        call_for(&bench, policy.sla_ns + 1);
    assert_state(&bench, BREAKER_CLOSED); /* p99 of 300 is the 297th */
    call_for(&bench, policy.sla_ns + 1);
    assert_state(&bench, BREAKER_OPEN);
    assert_int_equal(bench.breaker.seen_slow, 4);
    assert_int_equal(bench.breaker.seen_bad, 0);
    breaker_finish(&bench.breaker);
}

static void one_slow_call_among_few_is_forgiven(void **state)
{
    (void)state;
    struct breaker_policy policy = usual;
    policy.sla_ns = 10 * NS_PER_MS;
    struct bench bench = make(policy);
    for (int i = 0; i < 19; i++)
        call_for(&bench, 0);
    call_for(&bench, NS_PER_S);
    assert_state(&bench, BREAKER_CLOSED);
    call_for(&bench, NS_PER_S);
    assert_state(&bench, BREAKER_OPEN);
    breaker_finish(&bench.breaker);
}

static void good_probes_close_it(void **state)
{
    (void)state;
    struct bench bench = make(usual);
    trip(&bench);
    bench.now_ns += usual.cooldown_ns - 1;
    assert_refuses(&bench);
    bench.now_ns += 1;
    struct breaker_ticket first = begin(&bench);
    assert_state(&bench, BREAKER_HALF_OPEN);
    struct breaker_ticket second = begin(&bench);
    assert_refuses(&bench); /* two at a time */
    assert_false(end(&bench, first, BREAKER_GOOD));
    struct breaker_ticket third = begin(&bench);
    assert_refuses(&bench);
    assert_false(end(&bench, second, BREAKER_GOOD));
    assert_true(end(&bench, third, BREAKER_GOOD));
    assert_state(&bench, BREAKER_CLOSED);
    call(&bench, 19, BREAKER_BAD); /* an empty window */
    assert_state(&bench, BREAKER_CLOSED);
    breaker_finish(&bench.breaker);
}

static void a_bad_probe_opens_it_for_twice_as_long(void **state)
{
    (void)state;
    struct bench bench = make(usual);
    trip(&bench);
    static const int64_t cooldowns_s[] = {4, 8, 16, 20, 20};
    for (size_t i = 0; i < sizeof cooldowns_s / sizeof *cooldowns_s; i++) {
        bench.now_ns += cooldowns_s[i] * NS_PER_S - 1;
        assert_refuses(&bench);
        bench.now_ns += 1;
        assert_true(end(&bench, begin(&bench), BREAKER_BAD));
        assert_state(&bench, BREAKER_OPEN);
        assert_true(bench.breaker.by_probe);
    }
    assert_int_equal(bench.breaker.n_openings, 6);
    breaker_finish(&bench.breaker);
}

static void a_slow_probe_is_a_bad_one(void **state)
{
    (void)state;
    struct breaker_policy policy = usual;
    policy.sla_ns = NS_PER_S;
    struct bench bench = make(policy);
    trip(&bench);
    bench.now_ns += policy.cooldown_ns;
    call_for(&bench, policy.sla_ns + 1);
    assert_state(&bench, BREAKER_OPEN);
    breaker_finish(&bench.breaker);
}

static void a_cancelled_probe_makes_room_for_another(void **state)
{
    (void)state;
    struct bench bench = make(usual);
    trip(&bench);
    bench.now_ns += usual.cooldown_ns;
    call(&bench, 100, BREAKER_NEUTRAL);
    assert_state(&bench, BREAKER_HALF_OPEN);
    call(&bench, 3, BREAKER_GOOD);
    assert_state(&bench, BREAKER_CLOSED);
    breaker_finish(&bench.breaker);
}

static void ends_of_calls_from_before_do_not_count(void **state)
{
    (void)state;
    struct bench bench = make(usual);
    struct breaker_ticket old[3];
    for (int i = 0; i < 3; i++)
        old[i] = begin(&bench);
    trip(&bench);
    assert_false(end(&bench, old[0], BREAKER_GOOD)); /* open */
    bench.now_ns += usual.cooldown_ns;
    struct breaker_ticket probe = begin(&bench);
    assert_false(end(&bench, old[1], BREAKER_BAD)); /* half-open: not a probe */
    assert_state(&bench, BREAKER_HALF_OPEN);
    (void)end(&bench, probe, BREAKER_GOOD);
    call(&bench, 2, BREAKER_GOOD);
    assert_state(&bench, BREAKER_CLOSED);
    (void)end(&bench, old[2], BREAKER_BAD);
    assert_int_equal(bench.breaker.n_calls, 0);
    breaker_finish(&bench.breaker);
}

static void a_ticket_ends_once(void **state)
{
    (void)state;
    struct bench bench = make(usual);
    struct breaker_ticket ticket = begin(&bench);
    (void)breaker_end(&bench.breaker, &ticket, BREAKER_BAD, bench.now_ns);
    (void)breaker_end(&bench.breaker, &ticket, BREAKER_BAD, bench.now_ns);
    assert_int_equal(bench.breaker.n_calls, 1);
    breaker_finish(&bench.breaker);
}

static void the_cooldown_is_short_again_after_a_good_while(void **state)
{
    (void)state;
    struct bench bench = make(usual);
    trip(&bench);
    bench.now_ns += usual.cooldown_ns;
    call(&bench, 3, BREAKER_GOOD);
    trip(&bench); /* at once: twice as long */
    assert_true(bench.breaker.probe_ns - bench.now_ns == 2 * usual.cooldown_ns);
    bench.now_ns += 2 * usual.cooldown_ns;
    call(&bench, 3, BREAKER_GOOD);
    bench.now_ns += usual.window_ns;
    trip(&bench);
    assert_true(bench.breaker.probe_ns - bench.now_ns == usual.cooldown_ns);
    breaker_finish(&bench.breaker);
}

static void a_rate_of_zero_never_opens_it(void **state)
{
    (void)state;
    struct breaker_policy policy = usual;
    policy.success_rate = 0;
    struct bench bench = make(policy);
    call(&bench, 10000, BREAKER_BAD);
    call(&bench, 1, BREAKER_HOPELESS);
    assert_state(&bench, BREAKER_CLOSED);
    breaker_finish(&bench.breaker);
}

/* ---- against a reference that is slow and plain */

enum { MAX_EVENTS = 4000, MAX_RUNNING = 64 };

struct reference {
    struct breaker_policy policy;
    enum breaker_state state;
    int n_changes;
    int64_t changed_ns, probe_ns, last_cooldown_ns;
    bool was_open;
    /* Everything that ended since the last change. */
    struct {
        int64_t end_ns, duration_ns;
        bool is_bad;
    } ended[MAX_EVENTS];
    int n_ended;
    int n_probing, n_good;
};

static int compare(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static bool reference_is_unwell(const struct reference *r, int64_t now_ns)
{
    int64_t durations[MAX_EVENTS];
    int n = 0, n_good = 0, n_slow = 0;
    for (int i = r->n_ended - 1; i >= 0 && n < (int)r->policy.window_calls; i--) {
        if (now_ns - r->ended[i].end_ns > r->policy.window_ns)
            break;
        durations[n++] = r->ended[i].duration_ns;
        n_good += !r->ended[i].is_bad;
        n_slow += r->ended[i].duration_ns > r->policy.sla_ns;
    }
    if (n < (int)r->policy.min_calls)
        return false;
    qsort(durations, (size_t)n, sizeof *durations, compare);
    const int64_t p99 = durations[(int)ceil(0.99 * n - 1e-9) - 1];
    return (double)n_good / n < r->policy.success_rate - 1e-12 ||
           (r->policy.sla_ns > 0 && p99 > r->policy.sla_ns && n_slow > 1);
}

static void reference_change(struct reference *r, enum breaker_state state, int64_t now_ns)
{
    r->state = state;
    r->changed_ns = now_ns;
    r->n_changes++;
    r->n_ended = r->n_probing = r->n_good = 0;
}

static void reference_open(struct reference *r, bool longer, int64_t now_ns)
{
    int64_t cooldown = longer ? 2 * r->last_cooldown_ns : r->policy.cooldown_ns;
    if (cooldown > r->policy.max_cooldown_ns)
        cooldown = r->policy.max_cooldown_ns;
    r->last_cooldown_ns = cooldown;
    reference_change(r, BREAKER_OPEN, now_ns);
    r->probe_ns = now_ns + cooldown;
    r->was_open = true;
}

static bool reference_admit(struct reference *r, int64_t now_ns)
{
    if (r->state == BREAKER_OPEN && now_ns >= r->probe_ns)
        reference_change(r, BREAKER_HALF_OPEN, now_ns);
    if (r->state == BREAKER_HALF_OPEN && r->n_probing < (int)r->policy.max_probes) {
        r->n_probing++;
        return true;
    }
    return r->state == BREAKER_CLOSED;
}

/* `began`: how many changes there had been when the call was let through. */
static void reference_end(struct reference *r, int began, int64_t duration_ns,
                          enum breaker_outcome outcome, int64_t now_ns)
{
    if (began != r->n_changes)
        return;
    if (r->state == BREAKER_HALF_OPEN) {
        r->n_probing--;
        const bool slow = r->policy.sla_ns > 0 && duration_ns > r->policy.sla_ns;
        if (outcome == BREAKER_BAD || (outcome == BREAKER_GOOD && slow))
            reference_open(r, true, now_ns);
        else if (outcome == BREAKER_GOOD && ++r->n_good == (int)r->policy.good_probes)
            reference_change(r, BREAKER_CLOSED, now_ns);
    } else if (outcome != BREAKER_NEUTRAL) {
        assert_true(r->n_ended < MAX_EVENTS);
        r->ended[r->n_ended].end_ns = now_ns;
        r->ended[r->n_ended].duration_ns = duration_ns;
        r->ended[r->n_ended++].is_bad = outcome == BREAKER_BAD;
        if (reference_is_unwell(r, now_ns))
            reference_open(r, r->was_open && now_ns - r->changed_ns < r->policy.window_ns, now_ns);
    }
}

static uint64_t draw(uint64_t *seed, uint64_t below)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return (*seed >> 11) % below;
}

static struct breaker_policy draw_policy(uint64_t *seed)
{
    struct breaker_policy policy = {.window_calls = 1 + (uint32_t)draw(seed, 260),
                                    .window_ns = 1 + (int64_t)draw(seed, 2000),
                                    .success_rate = (double)draw(seed, 101) / 100,
                                    .sla_ns = (int64_t)draw(seed, 2) * (int64_t)draw(seed, 60),
                                    .cooldown_ns = 1 + (int64_t)draw(seed, 100),
                                    .max_probes = 1 + (uint32_t)draw(seed, 4),
                                    .good_probes = 1 + (uint32_t)draw(seed, 5)};
    policy.min_calls = 1 + (uint32_t)draw(seed, policy.window_calls);
    policy.max_cooldown_ns = policy.cooldown_ns + (int64_t)draw(seed, 1000);
    return policy;
}

struct running {
    struct breaker_ticket ticket;
    int began;
};

/* One walk of random calls, ends and pauses; returns how many changes of state it saw. */
static int walk(uint64_t seed)
{
    static struct reference r;
    struct running running[MAX_RUNNING];
    int n_running = 0;
    const struct breaker_policy policy = draw_policy(&seed);
    const uint64_t percent_bad = draw(&seed, 30), longest = 1 + draw(&seed, 30);
    struct bench bench = make(policy);
    memset(&r, 0, sizeof r);
    r.policy = policy;
    r.changed_ns = bench.now_ns;
    for (int step = 0; step < MAX_EVENTS; step++) {
        bench.now_ns += (int64_t)draw(&seed, draw(&seed, 50) == 0 ? 400 : longest);
        if (draw(&seed, 2) == 0 && n_running < MAX_RUNNING) {
            struct running *new = &running[n_running];
            const bool admitted = reference_admit(&r, bench.now_ns);
            assert_int_equal(breaker_would_admit(&bench.breaker, bench.now_ns), admitted);
            assert_int_equal(breaker_admit(&bench.breaker, bench.now_ns, &new->ticket), admitted);
            new->began = r.n_changes;
            n_running += admitted;
        } else if (n_running > 0) {
            struct running *ending = &running[draw(&seed, (uint64_t)n_running)];
            const enum breaker_outcome outcome = draw(&seed, 10) == 0             ? BREAKER_NEUTRAL
                                                 : draw(&seed, 100) < percent_bad ? BREAKER_BAD
                                                                                  : BREAKER_GOOD;
            const int before = r.n_changes;
            reference_end(&r, ending->began, bench.now_ns - ending->ticket.start_ns, outcome,
                          bench.now_ns);
            assert_int_equal(breaker_end(&bench.breaker, &ending->ticket, outcome, bench.now_ns),
                             r.n_changes != before);
            *ending = running[--n_running];
        }
        assert_int_equal(bench.breaker.state, r.state);
        assert_true(r.state != BREAKER_OPEN || bench.breaker.probe_ns == r.probe_ns);
    }
    breaker_finish(&bench.breaker);
    return r.n_changes;
}

static void random_calls_agree_with_the_reference(void **state)
{
    (void)state;
    int n_changes = 0;
    for (uint64_t seed = 1; seed <= 400; seed++)
        n_changes += walk(seed * 0x9E3779B97F4A7C15u);
    assert_true(n_changes > 10000); /* the walks went through the states */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_calls_say_nothing),
        cmocka_unit_test(hopeless_ones_need_no_others),
        cmocka_unit_test(it_opens_below_the_rate_and_not_at_it),
        cmocka_unit_test(neutral_ends_count_nowhere),
        cmocka_unit_test(old_calls_leave_the_window),
        cmocka_unit_test(slow_calls_open_it_beyond_one_percent),
        cmocka_unit_test(one_slow_call_among_few_is_forgiven),
        cmocka_unit_test(good_probes_close_it),
        cmocka_unit_test(a_bad_probe_opens_it_for_twice_as_long),
        cmocka_unit_test(a_slow_probe_is_a_bad_one),
        cmocka_unit_test(a_cancelled_probe_makes_room_for_another),
        cmocka_unit_test(ends_of_calls_from_before_do_not_count),
        cmocka_unit_test(a_ticket_ends_once),
        cmocka_unit_test(the_cooldown_is_short_again_after_a_good_while),
        cmocka_unit_test(a_rate_of_zero_never_opens_it),
        cmocka_unit_test(random_calls_agree_with_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
