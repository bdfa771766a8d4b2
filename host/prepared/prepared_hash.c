/* prepared_hash.c - see prepared_hash.h. The one place that knows libxxhash; covered by test_prepared_file.c. */
#include "prepared_hash.h"

#include <xxhash.h>

uint64_t prepared_hash(const void *data, size_t size_bytes)
{
    return XXH3_64bits(data, size_bytes);
}
