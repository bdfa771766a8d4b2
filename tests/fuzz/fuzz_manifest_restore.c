/* fuzz_manifest_restore.c - of a damaged metadata.json of any bytes a manifest of the same length is made that parses and is
 * of the same package, or nothing. */
#include "manifest_restore.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static const char text[] =
        "{\"format_version\":1,\"id\":\"a/b\",\"requested_id\":\"b\",\"requested_revision\":\"main\","
        "\"revision\":\"1111111aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"endpoint\":\"https://hub\","
        "\"created\":\"2026-11-21T09:00:00Z\",\"files\":[]}";
    static struct manifest manifest; /* kept: the process ends with it */
    struct manifest again;
    char before[SHA256_HEX_BYTES], after[SHA256_HEX_BYTES];
    if (manifest.id == NULL &&
        manifest_parse(text, sizeof text - 1, "m", &manifest, NULL) != MODEL_OK)
        abort();
    char *restored = manifest_restore(&manifest, (const char *)data, size_bytes);
    if (restored == NULL)
        return 0;
    if (strlen(restored) != size_bytes)
        abort();
    if (manifest_parse(restored, size_bytes, "m", &again, NULL) == MODEL_OK) {
        if (manifest_digest(&manifest, before, NULL) != MODEL_OK ||
            manifest_digest(&again, after, NULL) != MODEL_OK || strcmp(before, after) != 0)
            abort();
        manifest_finish(&again);
    }
    free(restored);
    return 0;
}
