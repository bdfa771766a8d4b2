/* fuzz_lease.c - a lease made of any bytes is refused, or has a subject that stays in the store. */
#include "errors.h"
#include "files.h"
#include "store_lease.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static const char *started(void *context, int64_t pid, char text[32])
{
    (void)context;
    text[0] = '\0';
    return pid % 2 == 0 ? text : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static const struct store_witness witness = {"here", started, NULL};
    struct store_lease_record record = {0};
    if (store_lease_parse((const char *)data, size_bytes, &record, NULL) != MODEL_OK)
        return 0;
    if (!path_is_safe(record.subject) || record.pid < 1)
        abort();
    (void)store_lease_is_alive(&record, 100, &witness);
    store_lease_record_finish(&record);
    return 0;
}
