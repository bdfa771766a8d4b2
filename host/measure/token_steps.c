/* token_steps.c - see token_steps.h. */
#include "token_steps.h"

int64_t token_steps_take(struct token_steps *steps, uint32_t prompt, int64_t now_ns)
{
    const int64_t begin_ns = steps->begin_ns;
    if (prompt >= steps->n_started) { /* its first one: behind it the next step begins */
        steps->n_started = prompt + 1;
        steps->begin_ns = now_ns;
        return -1;
    }
    if (prompt != 0)
        return -1;
    steps->begin_ns = now_ns;
    return now_ns - begin_ns;
}
