/* lane_watchdog.c - see lane_watchdog.h. */
#include "lane_watchdog.h"
#include "clock.h"

#define PATIENCE        10       /* times the estimate */
#define MIN_LATE_NS     NS_PER_S /* estimates of short calls are rough, and machines are busy */
#define MAX_LATE_NS     (3600 * NS_PER_S) /* whatever a plugin says */
#define UNKNOWN_LATE_NS (60 * NS_PER_S)
#define MAX_RELIEF_NS   (5 * NS_PER_S) /* others run beside it then, which harms it little */

void lane_progress_mark(struct lane_progress *progress, int64_t n_items, int64_t now_ns)
{
    if (n_items > 0)
        atomic_store_explicit(&progress->n_items, n_items, memory_order_relaxed);
    atomic_store_explicit(&progress->at_ns, now_ns, memory_order_relaxed);
}

/* How long a call over so many items may show nothing. */
static int64_t patience_ns(int64_t estimated_run_ns, int64_t n_items)
{
    if (estimated_run_ns <= 0)
        return UNKNOWN_LATE_NS;
    if (estimated_run_ns > MAX_LATE_NS / PATIENCE / n_items)
        return MAX_LATE_NS;
    const int64_t patience_ns = PATIENCE * estimated_run_ns * n_items;
    return patience_ns > MIN_LATE_NS ? patience_ns : MIN_LATE_NS;
}

int64_t lane_watchdog_due_ns(const struct lane_progress *progress, int64_t estimated_run_ns)
{
    const int64_t at_ns = atomic_load_explicit(&progress->at_ns, memory_order_relaxed);
    const int64_t n_items = atomic_load_explicit(&progress->n_items, memory_order_relaxed);
    return at_ns == 0 ? INT64_MAX
                      : at_ns + patience_ns(estimated_run_ns, n_items > 0 ? n_items : 1);
}

int64_t lane_watchdog_relief_ns(const struct lane_progress *progress, int64_t estimated_run_ns)
{
    const int64_t at_ns = atomic_load_explicit(&progress->at_ns, memory_order_relaxed);
    const int64_t due_ns = lane_watchdog_due_ns(progress, estimated_run_ns);
    return at_ns == 0 || due_ns - at_ns < MAX_RELIEF_NS ? due_ns : at_ns + MAX_RELIEF_NS;
}
