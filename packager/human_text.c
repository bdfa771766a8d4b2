/* human_text.c - see human_text.h. */
#include "human_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *human_size(uint64_t size_bytes, char text[HUMAN_TEXT_BYTES])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)size_bytes;
    size_t unit = 0;
    /* 999.5 would be printed as 1000 */
    while (value >= 999.5 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1000;
        unit++;
    }
    if (unit == 0) {
        (void)snprintf(text, HUMAN_TEXT_BYTES, "%llu B", (unsigned long long)size_bytes);
        return text;
    }
    int decimals = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    (void)snprintf(text, HUMAN_TEXT_BYTES, "%.*f %s", decimals, value, units[unit]);
    return text;
}

const char *human_duration(int64_t seconds, char text[HUMAN_TEXT_BYTES])
{
    const int64_t most = 359999; /* 99:59:59 */
    if (seconds > most)
        seconds = most;
    int hours = (int)(seconds / 3600), minutes = (int)(seconds / 60 % 60),
        rest = (int)(seconds % 60);
    if (seconds < 0)
        (void)snprintf(text, HUMAN_TEXT_BYTES, "--:--");
    else if (hours > 0)
        (void)snprintf(text, HUMAN_TEXT_BYTES, "%d:%02d:%02d", hours, minutes, rest);
    else
        (void)snprintf(text, HUMAN_TEXT_BYTES, "%d:%02d", minutes, rest);
    return text;
}

void progress_line(const struct progress_state *state, size_t columns, char *ret, size_t ret_bytes)
{
    char done[HUMAN_TEXT_BYTES], total[HUMAN_TEXT_BYTES], rate[HUMAN_TEXT_BYTES];
    char left[HUMAN_TEXT_BYTES];
    uint64_t rest =
        state->total_bytes > state->done_bytes ? state->total_bytes - state->done_bytes : 0;
    int64_t seconds = state->rate_bytes_per_s > 0 ? (int64_t)(rest / state->rate_bytes_per_s) : -1;
    double percent = state->total_bytes > 0
                         ? 100.0 * (double)state->done_bytes / (double)state->total_bytes
                         : 100.0;
    int n = snprintf(ret, ret_bytes, "%zu/%zu files  %s of %s  %d%%  %s/s  %s left", state->file,
                     state->n_files, human_size(state->done_bytes, done),
                     human_size(state->total_bytes, total), (int)percent,
                     human_size(state->rate_bytes_per_s, rate), human_duration(seconds, left));
    size_t used = n > 0 && (size_t)n < ret_bytes ? (size_t)n : strlen(ret);
    size_t name = state->name != NULL ? strlen(state->name) : 0;
    if (name > 0 && used + 2 + name <= columns && used + 2 + name < ret_bytes)
        (void)snprintf(ret + used, ret_bytes - used, "  %s", state->name);
    else if (used > columns && columns < ret_bytes)
        ret[columns] = '\0';
}

bool human_size_read(const char *text, uint64_t *ret)
{
    static const char units[] = "kMGT";
    char *end = NULL;
    double size = strtod(text, &end);
    const char *unit = *end != '\0' ? strchr(units, *end) : NULL;
    for (const char *u = units; unit != NULL && u <= unit; u++)
        size *= 1000;
    if (end == text || end[unit != NULL] != '\0' || !(size >= 1) || size > 1e15)
        return false;
    *ret = (uint64_t)size;
    return true;
}
