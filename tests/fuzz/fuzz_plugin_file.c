/* fuzz_plugin_file.c - a plugin's file made of any bytes is refused with a sentence, or read into
 * terminated text. */
#include "errors.h"
#include "plugin_file.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct plugin_file file;
    struct model_error err = MODEL_ERROR_INIT;
    if (plugin_file_parse(data, size_bytes, "p", &file, &err) == MODEL_OK) {
        if (strnlen(file.name, sizeof file.name) == sizeof file.name ||
            strnlen(file.version, sizeof file.version) == sizeof file.version ||
            strnlen(file.architectures, sizeof file.architectures) == sizeof file.architectures ||
            strnlen(file.exports, sizeof file.exports) == sizeof file.exports ||
            strnlen(file.needed, sizeof file.needed) == sizeof file.needed)
            abort();
        if (plugin_file_check(&file, "p", &err) != MODEL_OK && err.message[0] == '\0')
            abort();
        (void)plugin_file_serves(&file, "bert");
    } else if (err.message[0] == '\0') {
        abort();
    }
    return 0;
}
