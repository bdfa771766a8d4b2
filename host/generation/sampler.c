/* sampler.c - see sampler.h. */
#include "sampler.h"
#include "errors.h"

#include <math.h>
#include <stdlib.h>

/* Candidates that are put into order at first; then four times as many, and so on. */
#define FIRST_SORTED 64

static bool has_penalties(const struct sampler_settings *settings)
{
    return settings->repetition_penalty != 1.0 || settings->presence_penalty != 0.0 ||
           settings->frequency_penalty != 0.0;
}

model_status sampler_init(struct sampler *sampler, const struct sampler_settings *settings,
                          int64_t vocab_size, uint64_t seed, uint64_t sequence,
                          struct model_error *err)
{
    const size_t n = (size_t)vocab_size;
    *sampler = (struct sampler){.settings = settings, .vocab_size = vocab_size};
    random_stream_init(&sampler->random, seed, sequence);
    sampler->candidates = calloc(n, sizeof *sampler->candidates);
    if (has_penalties(settings)) {
        sampler->n_new = calloc(n, sizeof *sampler->n_new);
        sampler->in_prompt = calloc(n, sizeof *sampler->in_prompt);
        sampler->adjusted = calloc(n, sizeof *sampler->adjusted);
    }
    if (sampler->candidates == NULL ||
        (has_penalties(settings) &&
         (sampler->n_new == NULL || sampler->in_prompt == NULL || sampler->adjusted == NULL))) {
        sampler_finish(sampler);
        return error_no_memory(err, "a sampler");
    }
    return MODEL_OK;
}

void sampler_finish(struct sampler *sampler)
{
    free(sampler->candidates);
    free(sampler->n_new);
    free(sampler->in_prompt);
    free(sampler->adjusted);
    *sampler = (struct sampler){.settings = NULL};
}

void sampler_add_prompt(struct sampler *sampler, const int64_t *ids, size_t n)
{
    for (size_t i = 0; i < n && sampler->in_prompt != NULL; i++)
        if (ids[i] >= 0 && ids[i] < sampler->vocab_size)
            sampler->in_prompt[ids[i]] = true;
}

static const float *apply_penalties(struct sampler *sampler, const float *logits)
{
    const struct sampler_settings *settings = sampler->settings;
    if (sampler->adjusted == NULL)
        return logits;
    for (int64_t i = 0; i < sampler->vocab_size; i++) {
        double logit = (double)logits[i];
        const uint32_t n_new = sampler->n_new[i];
        if (n_new > 0 || sampler->in_prompt[i])
            logit = logit > 0 ? logit / settings->repetition_penalty
                              : logit * settings->repetition_penalty;
        if (n_new > 0)
            logit -= settings->presence_penalty + settings->frequency_penalty * n_new;
        sampler->adjusted[i] = (float)logit;
    }
    return sampler->adjusted;
}

/* -1 when there is no number among them. */
static int64_t largest(const float *logits, int64_t n)
{
    int64_t best = -1;
    for (int64_t i = 0; i < n; i++)
        if (!isnan(logits[i]) && (best < 0 || logits[i] > logits[best]))
            best = i;
    return best;
}

/* The larger first, equal ones by id. */
static int by_value(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->value != y->value)
        return x->value < y->value ? 1 : -1;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Reorders so that the k first are the k largest, in any order: quickselect (Hoare 1961). No two are
 * equal, so each round leaves two parts with something in them. */
static void select_largest(struct candidate *items, size_t n, size_t k)
{
    size_t low = 0, high = n;
    while (high - low > 1) {
        const struct candidate pivot = items[low + (high - 1 - low) / 2];
        size_t i = low, j = high - 1;
        for (;; i++, j--) {
            while (by_value(&items[i], &pivot) < 0)
                i++;
            while (by_value(&items[j], &pivot) > 0)
                j--;
            if (i >= j)
                break;
            const struct candidate swapped = items[i];
            items[i] = items[j];
            items[j] = swapped;
        }
        if (k <= j + 1)
            high = j + 1;
        else
            low = j + 1;
    }
}

/* The k largest of n, sorted. */
static void sort_largest(struct candidate *items, size_t n, size_t k)
{
    if (k < n)
        select_largest(items, n, k);
    qsort(items, k < n ? k : n, sizeof *items, by_value);
}

/* The candidates that top-p leaves of the n first, whose probabilities sum up to `total`: the most
 * probable ones until they hold top_p of it. Sorts no more than it needs. */
static size_t cut_top_p(struct candidate *items, size_t n, double total, double top_p)
{
    for (size_t n_sorted = FIRST_SORTED; top_p < 1.0; n_sorted *= 4) {
        n_sorted = n_sorted < n ? n_sorted : n;
        sort_largest(items, n, n_sorted);
        double sum = 0;
        for (size_t i = 0; i < n_sorted; i++) {
            sum += items[i].value;
            if (sum >= top_p * total)
                return i + 1;
        }
        if (n_sorted == n)
            break;
    }
    return n;
}

static int by_id(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* In the order of ids, so that a draw does not hang on how they were sorted. */
static void order_by_id(struct candidate *items, size_t n)
{
    size_t n_ordered = 1;
    while (n_ordered < n && items[n_ordered - 1].id < items[n_ordered].id)
        n_ordered++;
    if (n_ordered < n)
        qsort(items, n, sizeof *items, by_id);
}

/* Fills the candidates that the filters leave; returns how many. */
static size_t filter(struct sampler *sampler, const float *logits, float best)
{
    const struct sampler_settings *settings = sampler->settings;
    struct candidate *items = sampler->candidates;
    size_t n = 0;
    for (int64_t i = 0; i < sampler->vocab_size; i++)
        if (logits[i] > -INFINITY)
            items[n++] = (struct candidate){i, (double)logits[i]};
    if (settings->top_k > 0 && (size_t)settings->top_k < n) {
        select_largest(items, n, (size_t)settings->top_k);
        n = (size_t)settings->top_k;
    }
    double total = 0;
    for (size_t i = 0; i < n; i++) {
        items[i].value = exp((items[i].value - (double)best) / settings->temperature);
        total += items[i].value;
    }
    n = cut_top_p(items, n, total, settings->top_p);
    size_t n_kept = 0; /* min-p: of the most probable, whose value is 1 */
    for (size_t i = 0; i < n; i++)
        if (items[i].value >= settings->min_p)
            items[n_kept++] = items[i];
    order_by_id(items, n_kept);
    return n_kept;
}

/* One of the n candidates by its probability. */
static int64_t draw(struct sampler *sampler, size_t n)
{
    const struct candidate *items = sampler->candidates;
    double total = 0, sum = 0;
    for (size_t i = 0; i < n; i++)
        total += items[i].value;
    const double at = random_stream_uniform(&sampler->random) * total;
    for (size_t i = 0; i < n; i++) {
        sum += items[i].value;
        if (at < sum)
            return items[i].id;
    }
    return items[n - 1].id;
}

model_status sampler_filter(struct sampler *sampler, const float *logits, size_t *ret_n,
                            struct model_error *err)
{
    const float *adjusted = apply_penalties(sampler, logits);
    const int64_t best = largest(adjusted, sampler->vocab_size);
    if (best < 0 || isinf(adjusted[best]))
        return error_set(err, MODEL_INTERNAL,
                         "the model's logits are not numbers: its weights may be broken (pkgmgr "
                         "verify), or overflow");
    sampler->candidates[0] = (struct candidate){best, 1.0};
    *ret_n = sampler->settings->do_sample ? filter(sampler, adjusted, adjusted[best]) : 1;
    return MODEL_OK;
}

model_status sampler_next(struct sampler *sampler, const float *logits, int64_t *ret_id,
                          struct model_error *err)
{
    size_t n = 0;
    model_status status = sampler_filter(sampler, logits, &n, err);
    if (status != MODEL_OK)
        return status;
    const int64_t id = sampler->settings->do_sample ? draw(sampler, n) : sampler->candidates[0].id;
    if (sampler->n_new != NULL)
        sampler->n_new[id]++;
    *ret_id = id;
    return MODEL_OK;
}

/* log(sum(exp(logits))) */
static double log_sum_exp(const float *logits, int64_t n)
{
    const int64_t best = largest(logits, n);
    double sum = 0;
    for (int64_t i = 0; i < n && best >= 0; i++)
        if (!isnan(logits[i]))
            sum += exp((double)logits[i] - (double)logits[best]);
    return best >= 0 ? (double)logits[best] + log(sum) : NAN;
}

double sampler_logprob(const float *logits, int64_t vocab_size, int64_t id)
{
    return (double)logits[id] - log_sum_exp(logits, vocab_size);
}

size_t sampler_top_logprobs(const struct sampler *sampler, const float *logits, size_t n,
                            struct candidate *ret)
{
    const double total = log_sum_exp(logits, sampler->vocab_size);
    struct candidate *items = sampler->candidates;
    size_t n_items = 0;
    for (int64_t i = 0; i < sampler->vocab_size; i++)
        if (!isnan(logits[i]))
            items[n_items++] = (struct candidate){i, (double)logits[i] - total};
    n = n < n_items ? n : n_items;
    sort_largest(items, n_items, n);
    for (size_t i = 0; i < n; i++)
        ret[i] = items[i];
    return n;
}
