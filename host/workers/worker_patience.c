/* worker_patience.c - see worker_patience.h. */
#include "worker_patience.h"
#include "errors.h"

bool worker_patience_is_over(struct worker_patience *patience, int64_t now_ns)
{
    if (!patience->was_cancelled && patience->cancelled != NULL &&
        __atomic_load_n(patience->cancelled, __ATOMIC_ACQUIRE) != 0) {
        patience->was_cancelled = true;
        if (now_ns < patience->until_ns - patience->grace_ns)
            patience->until_ns = now_ns + patience->grace_ns;
    }
    return now_ns >= patience->until_ns;
}

model_status worker_patience_say_over(const struct worker_patience *patience, const char *what,
                                      struct model_error *err)
{
    const uint32_t raised =
        patience->cancelled != NULL ? __atomic_load_n(patience->cancelled, __ATOMIC_ACQUIRE) : 0;
    return error_set(err, raised != 0 ? (model_status)raised : MODEL_DEADLINE,
                     "%s did not come in time", what);
}
