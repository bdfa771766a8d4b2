/* page_guard.h - a weights file that is truncated while it is mapped is an error of the requests that
 * touch it, not a dead process.
 *
 * Reading a page beyond the file's end raises SIGBUS. The guard's handler puts a page of zeros there,
 * marks the range as damaged and lets the reader go on; whoever ran on the range asks
 * page_guard_check() afterwards and throws the result away. Faults elsewhere go to the handler that was
 * there before. */
#ifndef PAGE_GUARD_H
#define PAGE_GUARD_H

#include "file_map.h"

struct page_guard; /* one guarded mapping */

/* Sees to it that the handler is installed, as page_guard_add() does. [any-thread] */
model_status page_guard_install(struct model_error *err);
/* Starts guarding; sees to it that the handler is installed. MODEL_BUSY when the table is full.
 * [any-thread] */
model_status page_guard_add(const struct file_map *map, struct page_guard **ret,
                            struct model_error *err);
/* Before the mapping is closed. NULL does nothing. */
void page_guard_remove(struct page_guard *guard);
/* MODEL_OK, or MODEL_CORRUPT naming `path` once the file behind the mapping is not what it was: shorter,
 * or written to. Costs an fstat. [any-thread] */
model_status page_guard_check(const struct page_guard *guard, const char *path,
                              struct model_error *err);

#endif
