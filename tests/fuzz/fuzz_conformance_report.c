/* fuzz_conformance_report.c - a report made of any bytes is refused, or printed and read again to the same;
 * what claims to be conformant has twelve passed checks. The same bytes as what a check's process tells. */
#include "check_record.h"
#include "conformance_report.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct conformance_report report, again;
    struct check_record record;
    struct model_error err = MODEL_ERROR_INIT;
    check_record_read((const char *)data, size_bytes, "0123456789abcdef0123456789abcdef", &record);
    if (strlen(record.reason) >= CHECK_REASON_BYTES || strlen(record.step) >= CHECK_STEP_BYTES)
        abort();
    if (conformance_report_parse((const char *)data, size_bytes, "r", &report, &err) != MODEL_OK) {
        if (err.message[0] == '\0')
            abort();
        return 0;
    }
    char *text = conformance_report_print(&report);
    if (text == NULL || !is_sha256(report.sha256) ||
        conformance_report_parse(text, strlen(text), "r", &again, NULL) != MODEL_OK ||
        strcmp(report.plugin, again.plugin) != 0 ||
        conformance_report_is_conformant(&report) != conformance_report_is_conformant(&again))
        abort();
    free(text);
    return 0;
}
