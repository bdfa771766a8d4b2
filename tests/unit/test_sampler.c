/* Choosing tokens: penalties, filters and draws, against probabilities worked out by hand. */
#include "sampler.h"
#include "testing.h"

#include <math.h>

#define N 5
static const double probabilities[N] = {0.25, 0.5, 0.03, 0.15, 0.07};

static void fill(float *logits)
{
    for (int i = 0; i < N; i++)
        logits[i] = (float)(log(probabilities[i]) + 3); /* a constant changes nothing */
}

static struct sampler_settings usual(void)
{
    return (struct sampler_settings){
        .do_sample = true, .temperature = 1, .top_p = 1, .repetition_penalty = 1};
}

/* Draws many tokens and holds how often each came against `want`, which need not sum up to 1. */
static void expect_draws(const struct sampler_settings *settings, const double *want)
{
    enum { N_DRAWS = 40000 };
    struct sampler sampler;
    float logits[N];
    size_t counts[N] = {0};
    double total = 0;
    fill(logits);
    assert_int_equal(sampler_init(&sampler, settings, N, 1, 0, NULL), MODEL_OK);
    for (int i = 0; i < N_DRAWS; i++) {
        int64_t id = -1;
        assert_int_equal(sampler_next(&sampler, logits, &id, NULL), MODEL_OK);
        assert_in_range(id, 0, N - 1);
        counts[id]++;
    }
    for (int i = 0; i < N; i++)
        total += want[i];
    for (int i = 0; i < N; i++) {
        const double share = want[i] / total;
        const double deviation = 4 * sqrt(share * (1 - share) / N_DRAWS);
        assert_true(fabs((double)counts[i] / N_DRAWS - share) <= deviation);
    }
    sampler_finish(&sampler);
}

static void draws_follow_the_probabilities(void **state)
{
    (void)state;
    const struct sampler_settings settings = usual();
    expect_draws(&settings, probabilities);
}

static void a_temperature_sharpens_or_flattens(void **state)
{
    (void)state;
    struct sampler_settings settings = usual();
    double want[N];
    for (int i = 0; i < N; i++)
        want[i] = probabilities[i] * probabilities[i];
    settings.temperature = 0.5;
    expect_draws(&settings, want);
    for (int i = 0; i < N; i++)
        want[i] = sqrt(probabilities[i]);
    settings.temperature = 2;
    expect_draws(&settings, want);
}

static void top_k_keeps_the_k_most_probable(void **state)
{
    (void)state;
    struct sampler_settings settings = usual();
    settings.top_k = 2;
    expect_draws(&settings, (const double[N]){0.25, 0.5, 0, 0, 0});
    settings.top_k = 100;
    expect_draws(&settings, probabilities);
}

static void top_p_keeps_the_least_that_hold_p(void **state)
{
    (void)state;
    struct sampler_settings settings = usual();
    settings.top_p = 0.8; /* 0.5 + 0.25 are not enough */
    expect_draws(&settings, (const double[N]){0.25, 0.5, 0, 0.15, 0});
    settings.top_p = 0.0001; /* one is always left */
    expect_draws(&settings, (const double[N]){0, 1, 0, 0, 0});
}

static void top_p_counts_what_top_k_has_left(void **state)
{
    (void)state;
    struct sampler_settings settings = usual();
    settings.top_k = 3;
    settings.top_p = 0.83; /* of 0.9: 0.75 are 0.8333 of it */
    expect_draws(&settings, (const double[N]){0.25, 0.5, 0, 0, 0});
}

static void min_p_is_a_share_of_the_best(void **state)
{
    (void)state;
    struct sampler_settings settings = usual();
    settings.min_p = 0.29; /* 0.145 */
    expect_draws(&settings, (const double[N]){0.25, 0.5, 0, 0.15, 0});
}

static void filters_of_many_equal_candidates_are_exact(void **state)
{
    (void)state;
    enum { MANY = 5000 };
    static float logits[MANY]; /* all equal: ids decide */
    struct sampler_settings settings = usual();
    struct sampler sampler;
    settings.top_k = 1000;
    settings.top_p = 0.5;
    assert_int_equal(sampler_init(&sampler, &settings, MANY, 9, 0, NULL), MODEL_OK);
    int64_t highest = 0;
    for (int i = 0; i < 5000; i++) {
        int64_t id = -1;
        assert_int_equal(sampler_next(&sampler, logits, &id, NULL), MODEL_OK);
        highest = id > highest ? id : highest;
    }
    assert_in_range(highest, 480, 499);
    sampler_finish(&sampler);
}

static int64_t next_greedy(const struct sampler_settings *settings, const float *logits,
                           int64_t vocab_size, const int64_t *prompt, size_t n_prompt, int n_steps)
{
    struct sampler sampler;
    int64_t id = -1;
    assert_int_equal(sampler_init(&sampler, settings, vocab_size, 1, 0, NULL), MODEL_OK);
    sampler_add_prompt(&sampler, prompt, n_prompt);
    for (int i = 0; i < n_steps; i++)
        assert_int_equal(sampler_next(&sampler, logits, &id, NULL), MODEL_OK);
    sampler_finish(&sampler);
    return id;
}

static void the_repetition_penalty_divides_what_is_positive_and_multiplies_what_is_not(void **state)
{
    (void)state;
    struct sampler_settings settings = {.temperature = 1, .top_p = 1, .repetition_penalty = 2};
    const int64_t prompt[] = {0, 77, -5};           /* ids that there are not are passed over */
    const float positive[] = {3.0f, 1.6f, 0.0f};    /* 3 / 2 < 1.6 */
    const float negative[] = {-1.0f, -1.9f, -4.0f}; /* -1 * 2 < -1.9 */
    assert_int_equal(next_greedy(&settings, positive, 3, prompt, 0, 1), 0);
    assert_int_equal(next_greedy(&settings, positive, 3, prompt, 3, 1), 1);
    assert_int_equal(next_greedy(&settings, negative, 3, prompt, 0, 1), 0);
    assert_int_equal(next_greedy(&settings, negative, 3, prompt, 3, 1), 1);
}

static void presence_and_frequency_count_new_tokens_only(void **state)
{
    (void)state;
    struct sampler_settings settings = {.temperature = 1, .top_p = 1, .repetition_penalty = 1};
    const int64_t prompt[] = {0, 0, 0};
    const float logits[] = {3.0f, 2.5f, 0.0f};
    settings.presence_penalty = 1;
    assert_int_equal(next_greedy(&settings, logits, 3, prompt, 3, 1), 0);
    assert_int_equal(next_greedy(&settings, logits, 3, prompt, 3, 2), 1); /* 2 < 2.5 */
    assert_int_equal(next_greedy(&settings, logits, 3, prompt, 3, 3), 0); /* 2 > 1.5, and so on */
    assert_int_equal(next_greedy(&settings, logits, 3, prompt, 3, 9), 0);
    settings.presence_penalty = 0;
    settings.frequency_penalty = 0.2;
    assert_int_equal(next_greedy(&settings, logits, 3, prompt, 3, 3), 0); /* 2.6 > 2.5 */
    assert_int_equal(next_greedy(&settings, logits, 3, prompt, 3, 4), 1); /* 2.4 < 2.5 */
}

static void infinities_and_nan_are_handled(void **state)
{
    (void)state;
    struct sampler_settings settings = usual();
    struct sampler sampler;
    struct model_error err = {.struct_size = sizeof err};
    int64_t id = -1;
    const float some[] = {-INFINITY, NAN, 1.0f, -INFINITY};
    const float none[] = {NAN, NAN, NAN, NAN}, minus[] = {-INFINITY, -INFINITY, NAN, -INFINITY};
    assert_int_equal(sampler_init(&sampler, &settings, 4, 1, 0, NULL), MODEL_OK);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(sampler_next(&sampler, some, &id, &err), MODEL_OK);
        assert_int_equal(id, 2);
    }
    assert_int_equal(sampler_next(&sampler, none, &id, &err), MODEL_INTERNAL);
    assert_int_equal(sampler_next(&sampler, minus, &id, &err), MODEL_INTERNAL);
    sampler_finish(&sampler);
}

static void logprobs_are_logarithms_of_the_probabilities(void **state)
{
    (void)state;
    const struct sampler_settings settings = usual();
    struct sampler sampler;
    struct candidate top[3];
    float logits[N];
    fill(logits);
    assert_int_equal(sampler_init(&sampler, &settings, N, 1, 0, NULL), MODEL_OK);
    for (int i = 0; i < N; i++)
        assert_true(fabs(sampler_logprob(logits, N, i) - log(probabilities[i])) < 1e-6);
    assert_int_equal(sampler_top_logprobs(&sampler, logits, 3, top), 3);
    assert_int_equal(top[0].id, 1);
    assert_int_equal(top[1].id, 0);
    assert_int_equal(top[2].id, 3);
    assert_true(fabs(top[2].value - log(0.15)) < 1e-6);
    sampler_finish(&sampler);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_follow_the_probabilities),
        cmocka_unit_test(a_temperature_sharpens_or_flattens),
        cmocka_unit_test(top_k_keeps_the_k_most_probable),
        cmocka_unit_test(top_p_keeps_the_least_that_hold_p),
        cmocka_unit_test(top_p_counts_what_top_k_has_left),
        cmocka_unit_test(min_p_is_a_share_of_the_best),
        cmocka_unit_test(filters_of_many_equal_candidates_are_exact),
        cmocka_unit_test(
            the_repetition_penalty_divides_what_is_positive_and_multiplies_what_is_not),
        cmocka_unit_test(presence_and_frequency_count_new_tokens_only),
        cmocka_unit_test(infinities_and_nan_are_handled),
        cmocka_unit_test(logprobs_are_logarithms_of_the_probabilities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
