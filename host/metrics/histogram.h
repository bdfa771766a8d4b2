/* histogram.h - counting values in fixed buckets, and reading quantiles back. Pure functions. [any-thread]
 *
 * Bucket i counts the values up to upper[i] and above upper[i - 1]; one more counts what is larger. */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_MAX_BOUNDS 24

struct histogram_bounds {
    uint32_t n_bounds;
    int64_t upper[HISTOGRAM_MAX_BOUNDS];    /* (n_bounds), rising */
    const char *text[HISTOGRAM_MAX_BOUNDS]; /* (n_bounds), the same in the family's unit: "0.25" */
    int64_t per_unit;                       /* values in one unit: 10^9 for seconds */
};

/* 10 microseconds to a minute, in nanoseconds. */
extern const struct histogram_bounds histogram_seconds;
/* 1 to 256, in powers of two. */
extern const struct histogram_bounds histogram_sizes;

/* The bucket of a value, at most n_bounds. */
uint32_t histogram_bucket(const struct histogram_bounds *bounds, int64_t value);

/* The value that a share q of all counted ones, 0 to 1, does not exceed, as if values lay evenly in their
 * bucket (from 0 in the first); at most the last bound. NaN when nothing was counted.
 * buckets: (n_bounds + 1) counts. As Prometheus' histogram_quantile() does. */
double histogram_quantile(const struct histogram_bounds *bounds, const uint64_t *buckets, double q);

#endif
