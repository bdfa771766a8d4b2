/* fuzz_manifest.c - a metadata.json made of any bytes is refused, or printed and read again to the same
 * content with nothing but safe paths. */
#include "errors.h"
#include "files.h"
#include "manifest.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void check_round_trip(const struct manifest *manifest)
{
    char before[SHA256_HEX_BYTES], after[SHA256_HEX_BYTES];
    struct manifest again;
    for (size_t i = 0; i < manifest->n_files; i++)
        if (!path_is_safe(manifest->files[i].path) ||
            manifest_find(manifest, manifest->files[i].path) != &manifest->files[i])
            abort();
    char *text = manifest_print(manifest);
    if (text == NULL || manifest_parse(text, strlen(text), "m", &again, NULL) != MODEL_OK ||
        manifest_digest(manifest, before, NULL) != MODEL_OK ||
        manifest_digest(&again, after, NULL) != MODEL_OK || strcmp(before, after) != 0)
        abort();
    manifest_finish(&again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct manifest manifest;
    struct model_error err = MODEL_ERROR_INIT;
    if (manifest_parse((const char *)data, size_bytes, "m", &manifest, &err) == MODEL_OK) {
        check_round_trip(&manifest);
        manifest_finish(&manifest);
    } else if (err.message[0] == '\0') {
        abort();
    }
    return 0;
}
