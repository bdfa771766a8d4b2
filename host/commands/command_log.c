/* command_log.c - see modelhost_commands.h: the host's log lines on stderr. Any thread: each line is one
 * write. */
#include "json_view.h"
#include "modelhost_commands.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const level_names[] = {"error", "warning", "info", "debug"};

static void print_text(void *context, int32_t level, const char *message)
{
    (void)context;
    fprintf(stderr, "modelhost: %s: %s\n", level_names[level & 3], message);
}

/* "2026-11-21T16:05:17.042Z" */
static void write_time(int64_t time_ns, char *text, size_t size_bytes)
{
    const time_t seconds = (time_t)(time_ns / 1000000000);
    struct tm utc;
    char second[32] = "";
    if (gmtime_r(&seconds, &utc) != NULL)
        (void)strftime(second, sizeof second, "%Y-%m-%dT%H:%M:%S", &utc);
    (void)snprintf(text, size_bytes, "%s.%03dZ", second, (int)(time_ns / 1000000 % 1000));
}

static void print_json(void *context, const struct modelhost_log_record *record)
{
    char time_text[64];
    json_node *line = json_new_object();
    (void)context;
    write_time(record->time_ns, time_text, sizeof time_text);
    (void)json_add_string(line, "time", time_text);
    (void)json_add_string(line, "level", level_names[record->level & 3]);
    if (record->model != NULL)
        (void)json_add_string(line, "model", record->model);
    if (record->request_id != 0)
        (void)json_add_number(line, "request", (double)record->request_id); /* exact to 2^53 */
    (void)json_add_string(line, "message", record->message);
    char *text = json_print(line, false);
    fprintf(stderr, "%s\n",
            text != NULL ? text : "{\"level\":\"error\",\"message\":\"no memory\"}");
    free(text);
    json_free(line);
}

static bool is_json(const char *format)
{
    return format != NULL && strcmp(format, "json") == 0;
}

void command_say(const char *format, const char *sentence, ...)
{
    char line[1024];
    struct timespec now = {0};
    va_list arguments;
    va_start(arguments, sentence);
    (void)vsnprintf(line, sizeof line, sentence, arguments);
    va_end(arguments);
    if (!is_json(format)) {
        fprintf(stderr, "modelhost: %s\n", line);
        return;
    }
    (void)clock_gettime(CLOCK_REALTIME, &now);
    const struct modelhost_log_record record = {.struct_size = sizeof record,
                                                .level = MODEL_LOG_INFO,
                                                .time_ns =
                                                    (int64_t)now.tv_sec * 1000000000 + now.tv_nsec,
                                                .message = line};
    print_json(NULL, &record);
}

bool command_log(const char *command, const char *format, struct modelhost_options *options)
{
    if (!is_json(format) && format != NULL && strcmp(format, "text") != 0)
        return command_usage(command, "--log-format is '%.80s', want text or json", format) == 0;
    options->log = print_text;
    options->log_record = is_json(format) ? print_json : NULL;
    return true;
}
