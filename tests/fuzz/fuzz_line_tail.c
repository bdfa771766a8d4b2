/* fuzz_line_tail.c - what a dying process wrote, in pieces, as the lines of a sentence. The first byte says
 * how long the pieces are. Covers line_tail.c and crash_report.c. */
#include "crash_report.h"
#include "errors.h"
#include "line_tail.h"
#include "utf8.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct line_tail whole = {0}, pieces = {0};
    const char *lines[LINE_TAIL_LINES], *same[LINE_TAIL_LINES];
    if (size == 0)
        return 0;
    const size_t step = (size_t)data[0] + 1;
    const char *text = (const char *)data + 1;
    size--;
    line_tail_append(&whole, text, size);
    for (size_t i = 0; i < size; i += step)
        line_tail_append(&pieces, text + i, size - i < step ? size - i : step);
    const size_t n = line_tail_lines(&whole, lines);
    assert(n == line_tail_lines(&pieces, same));
    for (size_t i = 0; i < n; i++)
        assert(strcmp(lines[i], same[i]) == 0 && strlen(lines[i]) < LINE_TAIL_BYTES);
    struct model_error err = MODEL_ERROR_INIT;
    crash_report_write(&err, 11, "run", lines, n, false);
    const size_t length = strlen(err.message);
    assert(utf8_valid_prefix(err.message, length) == length && strchr(err.message, '\n') == NULL);
    return 0;
}
