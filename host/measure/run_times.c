/* run_times.c - see run_times.h. */
#include "run_times.h"
#include "errors.h"

#include <math.h>
#include <stdlib.h>

model_status run_times_add(struct run_times *times, int64_t ns, struct model_error *err)
{
    if (times->n == times->capacity) {
        const size_t capacity = times->capacity > 0 ? 2 * times->capacity : 256;
        int64_t *grown = realloc(times->ns, capacity * sizeof *grown);
        if (grown == NULL)
            return error_no_memory(err, "the measured times");
        times->ns = grown;
        times->capacity = capacity;
    }
    times->ns[times->n++] = ns;
    return MODEL_OK;
}

void run_times_finish(struct run_times *times)
{
    free(times->ns);
    *times = (struct run_times){NULL, 0, 0};
}

static int compare(const void *a, const void *b)
{
    const int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

int64_t run_times_percentile(struct run_times *times, double share)
{
    if (times->n == 0)
        return 0;
    qsort(times->ns, times->n, sizeof *times->ns, compare);
    const double rank = ceil(share * (double)times->n);
    const size_t index = rank < 1 ? 0 : (size_t)rank - 1;
    return times->ns[index < times->n ? index : times->n - 1];
}
