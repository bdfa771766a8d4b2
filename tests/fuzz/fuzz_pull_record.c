/* fuzz_pull_record.c - a mirror's record of a commit, as it may lie in a folder that somebody copied.
 * What is accepted is the same after it was written and read again. */
#include "errors.h"
#include "files.h"
#include "pull_record.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct pull_record record, again;
    struct model_error err = MODEL_ERROR_INIT;
    if (pull_record_parse((const char *)data, size_bytes, "record", &record, &err) != MODEL_OK) {
        if (err.message[0] == '\0')
            abort();
        return 0;
    }
    for (size_t i = 0; i < record.files.n_files; i++)
        if (!path_is_safe(record.files.files[i].path))
            abort();
    char *text = pull_record_print(&record);
    if (text != NULL &&
        (pull_record_parse(text, strlen(text), "record", &again, NULL) != MODEL_OK ||
         again.files.n_files != record.files.n_files))
        abort();
    if (text != NULL)
        pull_record_finish(&again);
    free(text);
    pull_record_finish(&record);
    return 0;
}
