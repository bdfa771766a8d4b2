/* prepared_hash.h - the checksum of prepared weights: XXH3 of 64 bits, from libxxhash. It finds damage, not forgery:
 * who may write the file is asked of its owner and mode (prepared_folder.h). No state, any thread. */
#ifndef PREPARED_HASH_H
#define PREPARED_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t prepared_hash(const void *data, size_t size_bytes);

#endif
