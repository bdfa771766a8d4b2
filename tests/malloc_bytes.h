/* malloc_bytes.h - the bytes that malloc() has given out, whoever called it. Where glibc does not count, and under sanitizers, which
 * take its place and look for what is lost themselves, 0. */
#ifndef MALLOC_BYTES_H
#define MALLOC_BYTES_H

#include <stdlib.h> /* says whether this is glibc */
#ifdef __GLIBC__
#include <malloc.h>
#endif

static inline size_t bytes_in_use(void)
{
#ifdef __GLIBC__
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#else
    return 0;
#endif
}

/* All threads allocate where mallinfo2() counts; a group's set-up. */
static inline int count_everything(void **state)
{
    (void)state;
#ifdef __GLIBC__
    (void)mallopt(M_ARENA_MAX, 1);
#endif
    return 0;
}

#endif
