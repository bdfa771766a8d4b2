/* speculation.c - see speculation.h. */
#include "speculation.h"

#include <math.h>

#define LONGEST_NGRAM  3
#define SHORTEST_NGRAM 2
#define FIRST_TOKENS   2
#define LEAST_HITS     2u
#define MOST_DOUBLINGS 3
#define MAX_DIFFERENCE 2.5e-4 /* of a logit computed in another way, to its size */

void speculation_init(struct speculation *speculation)
{
    *speculation = (struct speculation){.n_tokens = FIRST_TOKENS, .guess = -1};
}

/* Where the text goes on after the latest earlier place of its last n tokens; n_ids: there is none. */
static size_t find_ngram(const int64_t *ids, size_t n_ids, size_t n)
{
    const int64_t *last = ids + n_ids - n;
    for (size_t end = n_ids - 1; end >= n; end--) {
        size_t k = 0;
        while (k < n && ids[end - 1 - k] == last[n - 1 - k])
            k++;
        if (k == n)
            return end;
    }
    return n_ids;
}

/* Goes on behind the end with what is proposed itself, so that a repetition is seen as one. */
static size_t look_up(const int64_t *ids, size_t n_ids, size_t max_tokens, int64_t *ret)
{
    size_t from = n_ids, n_tokens = 0;
    for (size_t n = LONGEST_NGRAM; n >= SHORTEST_NGRAM && from == n_ids; n--)
        if (n_ids > n)
            from = find_ngram(ids, n_ids, n);
    for (; from < n_ids && n_tokens < max_tokens; n_tokens++) {
        const size_t at = from + n_tokens;
        ret[n_tokens] = at < n_ids ? ids[at] : ret[at - n_ids];
    }
    return n_tokens;
}

size_t speculation_propose(struct speculation *speculation, const int64_t *ids, size_t n_ids,
                           size_t max_tokens, int64_t *ret)
{
    const bool is_unsure = speculation->is_unsure;
    speculation->is_unsure = false;
    if (n_ids == 0 || is_unsure)
        return 0;
    if (speculation->n_tokens == 0) {
        const bool was_right = speculation->guess >= 0 && speculation->guess == ids[n_ids - 1];
        speculation->n_hits = was_right ? speculation->n_hits + 1 : 0;
        speculation->guess = -1;
        (void)look_up(ids, n_ids, 1, &speculation->guess);
        if (speculation->n_hits < speculation->n_needed)
            return 0;
        speculation->n_tokens = FIRST_TOKENS;
    }
    const size_t n = speculation->n_tokens;
    return look_up(ids, n_ids, n < max_tokens ? n : max_tokens, ret);
}

void speculation_learn(struct speculation *speculation, size_t n_judged, size_t n_accepted,
                       bool is_unsure)
{
    speculation->n_proposed += (int64_t)n_judged;
    speculation->n_accepted += (int64_t)n_accepted;
    speculation->is_unsure = is_unsure;
    if (n_accepted > 0)
        speculation->n_failed = 0;
    if (n_judged > 0 && n_accepted == 0) {
        speculation->n_needed = LEAST_HITS << speculation->n_failed;
        speculation->n_failed += speculation->n_failed < MOST_DOUBLINGS;
    }
    if (n_accepted < n_judged) {
        speculation->n_tokens = (uint32_t)n_accepted;
        speculation->n_hits = 0;
        speculation->guess = -1;
    } else if (n_judged > 0 && speculation->n_tokens < SPECULATION_MAX_TOKENS) {
        const uint32_t more = 2 * speculation->n_tokens;
        speculation->n_tokens = more < SPECULATION_MAX_TOKENS ? more : SPECULATION_MAX_TOKENS;
    }
}

bool speculation_is_certain(const float *logits, int64_t n)
{
    float best = -INFINITY, second = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        const float logit = logits[i]; /* one that is no number is neither */
        second = logit > best ? best : logit > second ? logit : second;
        best = logit > best ? logit : best;
    }
    const double other = isfinite(second) ? fabs((double)second) : 0;
    const double largest = fmax(fabs((double)best), other);
    return isfinite(best) && (double)best - (double)second > MAX_DIFFERENCE * largest;
}
