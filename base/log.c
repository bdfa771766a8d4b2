/* log.c - see log.h. The subject is the thread's: a request's lines come from deep below the lane that runs
 * it, from code that knows neither. */
#include "log.h"
#include "utf8.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MAX_LINE_BYTES 1000

static _Thread_local struct log_subject subject_now;

struct log_subject log_set_subject(struct log_subject subject)
{
    const struct log_subject before = subject_now;
    subject_now = subject;
    return before;
}

struct log_subject log_subject_now(void)
{
    return subject_now;
}

/* Makes a text of a line's room a line. */
static void tidy(char line[MAX_LINE_BYTES + 1])
{
    size_t length = strlen(line);
    if (length == MAX_LINE_BYTES) { /* perhaps cut inside a character */
        size_t end = utf8_valid_prefix(line, length);
        length = length - end < 4 ? end : length;
        line[length] = '\0';
    }
    for (size_t at = 0; (at += utf8_valid_prefix(line + at, length - at)) < length;)
        line[at] = '?';
    for (char *c = line; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            *c = ' ';
}

static void write_record(const struct log_sink *sink, int32_t level, const char *line)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    const struct modelhost_log_record record = {
        .struct_size = sizeof record,
        .level = level,
        .time_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec,
        .request_id = subject_now.request_id,
        .model = subject_now.model,
        .message = line,
    };
    sink->record(sink->context, &record);
}

/* The line behind what it is about. */
static void write_text(const struct log_sink *sink, int32_t level, const char *line)
{
    char request[40] = "", text[MAX_LINE_BYTES + 1];
    const char *model = subject_now.model;
    if (subject_now.request_id != 0)
        (void)snprintf(request, sizeof request, "request %" PRIu64 ": ", subject_now.request_id);
    if (model == NULL && request[0] == '\0') {
        sink->write(sink->context, level, line);
        return;
    }
    const int length = snprintf(text, sizeof text, "%s%s%s%s", model != NULL ? model : "",
                                model != NULL ? ": " : "", request, line);
    if (length < 0)
        return;
    tidy(text);
    sink->write(sink->context, level, text);
}

void log_write(const struct log_sink *sink, int32_t level, const char *format, ...)
{
    level = level < MODEL_LOG_ERROR ? MODEL_LOG_ERROR : level;
    level = level > MODEL_LOG_DEBUG ? MODEL_LOG_DEBUG : level;
    if (sink == NULL || (sink->write == NULL && sink->record == NULL) || level > sink->level)
        return;
    char line[MAX_LINE_BYTES + 1];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    tidy(line);
    if (sink->record != NULL)
        write_record(sink, level, line);
    else
        write_text(sink, level, line);
}
