/* worker_lines.c - see worker_lines.h. */
#include "worker_lines.h"
#include "clock.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void worker_lines_say(const struct worker_slot *slot, int32_t level, uint64_t request_id,
                      const char *text)
{
    const struct log_subject before =
        log_set_subject((struct log_subject){slot->config->model_name, request_id});
    log_write(slot->config->log, level, "worker %ld: %s", (long)slot->process.pid, text);
    (void)log_set_subject(before);
}

void worker_lines_tell_omitted(struct worker_slot *slot, bool force)
{
    char text[80];
    const uint64_t n = log_limit_take_omitted(&slot->limit, clock_now_ns(), force);
    if (n == 0)
        return;
    (void)snprintf(text, sizeof text, "%llu more lines were left out", (unsigned long long)n);
    worker_lines_say(slot, MODEL_LOG_WARN, 0, text);
}

void worker_lines_take(struct worker_slot *slot, int32_t level, uint64_t request_id,
                       const char *text)
{
    if (level <= slot->config->log->level && log_limit_admit(&slot->limit, clock_now_ns()))
        worker_lines_say(slot, level, request_id, text);
}

void worker_lines_end(struct worker_slot *slot)
{
    while (slot->line_bytes > 0 && memchr(" \t\r", slot->line[slot->line_bytes - 1], 3) != NULL)
        slot->line_bytes--;
    slot->line[slot->line_bytes] = '\0';
    if (slot->line_bytes > 0)
        worker_lines_take(slot, MODEL_LOG_WARN, 0, slot->line);
    slot->line_bytes = 0;
}

/* Whole lines go to the log as they come; the last ones are kept. */
static void take_output(struct worker_slot *slot, const char *data, size_t size_bytes)
{
    line_tail_append(&slot->tail, data, size_bytes);
    for (size_t i = 0; i < size_bytes; i++) {
        if (data[i] == '\n' || slot->line_bytes + 1 == sizeof slot->line)
            worker_lines_end(slot);
        if (data[i] != '\n')
            slot->line[slot->line_bytes++] = data[i] != '\0' ? data[i] : ' ';
    }
}

bool worker_lines_read(struct worker_slot *slot)
{
    char data[4096];
    const ssize_t n = read(slot->process.output, data, sizeof data);
    if (n > 0)
        take_output(slot, data, (size_t)n);
    return n > 0;
}
