/* result_memory.h - results as bytes by their keys, in this process's memory: bounded, the least recently
 * used go first. [any-thread] */
#ifndef RESULT_MEMORY_H
#define RESULT_MEMORY_H

#include "buffer.h"

#include <stdbool.h>

#define RESULT_KEY_BYTES 65 /* a SHA-256 in hex, terminated */

struct result_memory;

/* At most max_bytes of keys and values together. */
model_status result_memory_create(uint64_t max_bytes, struct result_memory **ret,
                                  struct model_error *err);
void result_memory_destroy(struct result_memory *memory); /* NULL does nothing */

/* Appends a copy of the value; false when there is none, or no memory for it. */
bool result_memory_find(struct result_memory *memory, const char *key, struct buffer *ret);
/* Keeps a copy, in the place of one that is there; what is too large is not kept. Returns how many others had
 * to go. */
uint32_t result_memory_keep(struct result_memory *memory, const char *key, const void *value,
                            size_t size_bytes);

#endif
