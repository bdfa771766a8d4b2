/* log.c - see log.h. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>

void log_write(const struct log_sink *sink, int32_t level, const char *format, ...)
{
    if (sink == NULL || sink->write == NULL || level > sink->level)
        return;
    char line[1001];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    sink->write(sink->context, level, line);
}
