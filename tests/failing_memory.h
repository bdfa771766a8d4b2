/* failing_memory.h - lets the n-th allocation of the code under test fail. Included once, by a test
 * program; the Makefile links such programs with --wrap, so that malloc, calloc and realloc of the
 * project's own objects come through here (those inside shared libraries do not). One thread.
 *
 *   for (int n = 0;; n++) {
 *       failing_memory_after(n);
 *       status = work();
 *       if (!failing_memory_end())
 *           break;                       // n allocations were enough
 *       ... status must be MODEL_OUT_OF_MEMORY, and nothing may leak ...
 *   } */
#ifndef FAILING_MEMORY_H
#define FAILING_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

static int failing_memory_left = -1; /* allocations that still succeed; -1: all */
static bool failing_memory_failed;

/* The next n allocations succeed, the one after fails, later ones succeed again. */
static inline void failing_memory_after(int n)
{
    failing_memory_left = n;
    failing_memory_failed = false;
}

/* Back to normal; whether an allocation was made to fail. */
static inline bool failing_memory_end(void)
{
    failing_memory_left = -1;
    return failing_memory_failed;
}

static inline bool failing_memory_fails_now(void)
{
    if (failing_memory_left < 0 || failing_memory_left-- > 0)
        return false;
    failing_memory_failed = true;
    return true;
}

void *__real_malloc(size_t size_bytes);
void *__real_calloc(size_t n_items, size_t size_bytes);
void *__real_realloc(void *memory, size_t size_bytes);
void *__wrap_malloc(size_t size_bytes);
void *__wrap_calloc(size_t n_items, size_t size_bytes);
void *__wrap_realloc(void *memory, size_t size_bytes);

void *__wrap_malloc(size_t size_bytes)
{
    return failing_memory_fails_now() ? NULL : __real_malloc(size_bytes);
}

void *__wrap_calloc(size_t n_items, size_t size_bytes)
{
    return failing_memory_fails_now() ? NULL : __real_calloc(n_items, size_bytes);
}

void *__wrap_realloc(void *memory, size_t size_bytes)
{
    return failing_memory_fails_now() ? NULL : __real_realloc(memory, size_bytes);
}

#endif
