/* fuzz_accuracy_report.c - a report made of any bytes is refused with a sentence, or printed and read again to the same
 * verdict. */
#include "accuracy_report.h"
#include "errors.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct accuracy_report report, again;
    struct model_error err = MODEL_ERROR_INIT;
    char why[160];
    if (accuracy_report_parse((const char *)data, size_bytes, "r", &report, &err) != MODEL_OK) {
        if (err.message[0] == '\0')
            abort();
        return 0;
    }
    accuracy_report_say(&report, &report.budget, why, sizeof why);
    char *text = accuracy_report_print(&report);
    if (text == NULL || accuracy_report_parse(text, strlen(text), "r", &again, NULL) != MODEL_OK ||
        strcmp(report.key, again.key) != 0 || report.cosine != again.cosine ||
        report.samples != again.samples ||
        accuracy_report_passes(&report, &report.budget) !=
            accuracy_report_passes(&again, &again.budget))
        abort();
    free(text);
    return 0;
}
