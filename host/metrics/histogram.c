/* histogram.c - see histogram.h. The bounds' texts stand beside the numbers, since printf would write them
 * by the application's locale. */
#include "histogram.h"

#include <math.h>

const struct histogram_bounds histogram_seconds = {
    .n_bounds = 21,
    .upper = {10000,     25000,      50000,      100000,     250000,      500000,      1000000,
              2500000,   5000000,    10000000,   25000000,   50000000,    100000000,   250000000,
              500000000, 1000000000, 2500000000, 5000000000, 10000000000, 30000000000, 60000000000},
    .text = {"0.00001", "0.000025", "0.00005", "0.0001", "0.00025", "0.0005", "0.001",
             "0.0025",  "0.005",    "0.01",    "0.025",  "0.05",    "0.1",    "0.25",
             "0.5",     "1",        "2.5",     "5",      "10",      "30",     "60"},
    .per_unit = 1000000000,
};

const struct histogram_bounds histogram_sizes = {
    .n_bounds = 9,
    .upper = {1, 2, 4, 8, 16, 32, 64, 128, 256},
    .text = {"1", "2", "4", "8", "16", "32", "64", "128", "256"},
    .per_unit = 1,
};

uint32_t histogram_bucket(const struct histogram_bounds *bounds, int64_t value)
{
    uint32_t low = 0, high = bounds->n_bounds;
    while (low < high) {
        const uint32_t middle = (low + high) / 2;
        if (value <= bounds->upper[middle])
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

double histogram_quantile(const struct histogram_bounds *bounds, const uint64_t *buckets, double q)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i <= bounds->n_bounds; i++)
        total += buckets[i];
    if (total == 0)
        return NAN;
    const double rank = (double)total * (q < 0 ? 0 : q > 1 ? 1 : q);
    double below = 0;
    for (uint32_t i = 0; i < bounds->n_bounds; i++) {
        const double count = (double)buckets[i];
        if (count > 0 && below + count >= rank) {
            const double lower = i > 0 ? (double)bounds->upper[i - 1] : 0;
            return lower + ((double)bounds->upper[i] - lower) * (rank - below) / count;
        }
        below += count;
    }
    return (double)bounds->upper[bounds->n_bounds - 1];
}
