/* fuzz_quarantine_entry.c - an entry made of any bytes is refused, or printed and read again to the same. */
#include "conformance_report.h"
#include "errors.h"
#include "quarantine.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct quarantine_entry entry, again;
    struct model_error err = MODEL_ERROR_INIT;
    if (quarantine_parse((const char *)data, size_bytes, "q", &entry, &err) != MODEL_OK) {
        if (err.message[0] == '\0')
            abort();
        return 0;
    }
    char *text = quarantine_print(&entry);
    if (text == NULL || !is_sha256(entry.sha256) ||
        quarantine_parse(text, strlen(text), "q", &again, NULL) != MODEL_OK ||
        strcmp(entry.reason, again.reason) != 0 || entry.expires_s != again.expires_s)
        abort();
    free(text);
    return 0;
}
