/* guarded_memory.h - memory between two pages that nobody may touch, in a check's process.
 *
 * Data lies at the end of its pages, so that one byte behind it faults, or at the beginning, so that one
 * byte before it does; the rest of the pages is filled, and looked at afterwards. A fault in it is
 * reported by the block's name before the process ends. Blocks are made and freed by any thread. */
#ifndef GUARDED_MEMORY_H
#define GUARDED_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

enum guarded_place { GUARDED_AT_END, GUARDED_AT_START };

struct guarded;

/* From here on a fault in a guarded block writes "wrote 3 bytes behind output 'y'" as a failed verdict to
 * record_fd; then the signal ends the process. */
void guarded_memory_watch(int record_fd);

/* `kind` and `name` ("input", "x") say what it is; both are copied, cut to 80 bytes. NULL: no memory. At
 * the end of a page the data is aligned to `alignment`, a power of two, at most a page. */
struct guarded *guarded_create(const char *kind, const char *name, size_t size_bytes,
                               size_t alignment, enum guarded_place place);
void *guarded_data(const struct guarded *block);
/* From here on it can only be read. */
void guarded_freeze(struct guarded *block);
/* Whether what surrounds the data in its pages is as it was. */
bool guarded_is_intact(const struct guarded *block);
/* NULL does nothing. */
void guarded_destroy(struct guarded *block);

#endif
