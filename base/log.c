/* log.c - see log.h. */
#include "log.h"
#include "utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void log_write(const struct log_sink *sink, int32_t level, const char *format, ...)
{
    level = level < MODEL_LOG_ERROR ? MODEL_LOG_ERROR : level;
    level = level > MODEL_LOG_DEBUG ? MODEL_LOG_DEBUG : level;
    if (sink == NULL || sink->write == NULL || level > sink->level)
        return;
    char line[1001];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    size_t length = strlen(line);
    if (length + 1 == sizeof line) /* perhaps cut inside a character */
        line[utf8_valid_prefix(line, length)] = '\0';
    for (char *c = line; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            *c = ' ';
    sink->write(sink->context, level, line);
}
