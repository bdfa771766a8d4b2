/* check_list.c - see check.h: the table of checks, and how a check says things. */
#include "check.h"
#include "check_record.h"
#include "clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const struct check_entry check_list[CHECK_COUNT] = {
    {"static", "exports, note, libraries, stack, undefined symbols", check_static, false},
    {"versions", "structs of other versions, another major version", check_versions, false},
    {"load", "loading changes nothing in the process", check_load, false},
    {"growth", "create, run and destroy again and again", check_growth, true},
    {"packages", "missing and wrong weights and configuration values", check_bad_packages, false},
    {"memory", "each allocation fails once", check_no_memory, true},
    {"schema", "the description is true of inputs and outputs", check_schema, true},
    {"bounds", "inputs are not written to, outputs not left", check_bounds, true},
    {"results", "the same again, a batch as its items, the reference", check_results, true},
    {"parallel", "instances side by side, threads within the budget", check_parallel, true},
    {"cancel", "cancelled and expired calls end, nothing comes later", check_cancel, true},
    {"unload", "destroy, ends of threads and of the process, load again", check_unload, false},
};

static const char *const verdict_names[] = {"passed", "failed", "skipped"};

const char *check_verdict_name(enum check_verdict verdict)
{
    return verdict_names[verdict];
}

int check_verdict_of(const char *name)
{
    for (int i = 0; i <= CHECK_SKIPPED; i++)
        if (strcmp(name, verdict_names[i]) == 0)
            return i;
    return -1;
}

void check_step(struct check *check, const char *format, ...)
{
    char text[CHECK_STEP_BYTES];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    check_record_write(check->record_fd, 'S', text);
}

#define SET_REASON(check_, format_)                                                                \
    do {                                                                                           \
        va_list arguments;                                                                         \
        va_start(arguments, format_);                                                              \
        (void)vsnprintf((check_)->reason, sizeof(check_)->reason, format_, arguments);             \
        va_end(arguments);                                                                         \
    } while (0)

enum check_verdict check_passed(struct check *check, const char *format, ...)
{
    SET_REASON(check, format);
    return CHECK_PASSED;
}

enum check_verdict check_failed(struct check *check, const char *format, ...)
{
    SET_REASON(check, format);
    return CHECK_FAILED;
}

enum check_verdict check_skipped(struct check *check, const char *format, ...)
{
    SET_REASON(check, format);
    return CHECK_SKIPPED;
}

bool check_has_time(const struct check *check)
{
    return clock_now_ns() < check->end_ns;
}
