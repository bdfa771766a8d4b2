/* secret_memory.h - memory for secrets, and random bytes for them. Beside signature_primitives.h and
 * cipher_primitives.h the third place that knows libsodium; without it (make SODIUM=no) the memory is plain, and there
 * are no random bytes. No state, any thread.
 *
 * Secrets lie in memory of their own between pages that nobody may touch, locked where the process may do that,
 * left out of core files, and zeroed when it is freed. */
#ifndef SECRET_MEMORY_H
#define SECRET_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* Whether libsodium is there and starts; any thread may be the first to ask. */
bool secret_memory_starts(void);

/* Of so many bytes, all zero; NULL without memory. */
void *secret_allocate(size_t size_bytes);
/* Zeroes and frees; NULL does nothing. */
void secret_free(void *secret);
/* Zeroes what is not in such memory, in a way that no compiler leaves out; NULL does nothing. */
void secret_wipe(void *data, size_t size_bytes);
/* Whether they are equal, in a time that does not depend on it. */
bool secret_equals(const void *a, const void *b, size_t size_bytes);
/* From the system's generator; false: there is none. */
bool random_fill(void *data, size_t size_bytes);

#endif
