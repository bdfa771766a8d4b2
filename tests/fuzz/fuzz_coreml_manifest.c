/* fuzz_coreml_manifest.c - any bytes as a Manifest.json of a .mlpackage, and as the path of a file: what is found may be
 * joined to a folder. */
#include "coreml_package.h"
#include "errors.h"
#include "files.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct model_error err = MODEL_ERROR_INIT;
    char *root = NULL, *path = malloc(size_bytes + 1);
    if (path == NULL)
        return 0;
    if (size_bytes > 0)
        memcpy(path, data, size_bytes);
    path[size_bytes] = '\0';
    if (coreml_container_length(path) > strlen(path))
        abort();
    const model_status status = coreml_manifest_root(path, size_bytes, "m", &root, &err);
    if (status == MODEL_OK ? !path_is_safe(root) : root != NULL || err.message[0] == '\0')
        abort();
    free(root);
    free(path);
    return 0;
}
