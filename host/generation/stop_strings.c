/* stop_strings.c - see stop_strings.h. */
#include "stop_strings.h"

#include <string.h>

#define MAX_HELD_BYTES (1u << 20)

void stop_strings_init(struct stop_strings *stops, const char *const *strings, uint32_t n_strings)
{
    *stops = (struct stop_strings){
        .strings = strings, .n_strings = n_strings, .held = BUFFER_INIT(MAX_HELD_BYTES)};
}

void stop_strings_finish(struct stop_strings *stops)
{
    buffer_finish(&stops->held);
}

/* Whether the held text has, at byte `at`, a whole stop string, or, if !whole, the start of one up to the
 * text's end. */
static bool stands_at(const struct stop_strings *stops, size_t at, bool whole)
{
    const size_t rest = stops->held.size - at;
    for (uint32_t i = 0; i < stops->n_strings; i++) {
        const size_t length = strlen(stops->strings[i]);
        if (whole ? rest < length : rest >= length)
            continue;
        if (memcmp(stops->held.data + at, stops->strings[i], whole ? length : rest) == 0)
            return true;
    }
    return false;
}

static size_t first_at(const struct stop_strings *stops, bool whole)
{
    size_t at = 0;
    while (at < stops->held.size && !stands_at(stops, at, whole))
        at++;
    return at;
}

model_status stop_strings_push(struct stop_strings *stops, const char *text, size_t text_bytes,
                               struct buffer *ret_text, bool *ret_stopped)
{
    *ret_stopped = stops->stopped;
    if (stops->stopped || text_bytes == 0)
        return MODEL_OK;
    if (stops->n_strings == 0)
        return buffer_append(ret_text, text, text_bytes);
    model_status status = buffer_append(&stops->held, text, text_bytes);
    if (status != MODEL_OK)
        return status;
    size_t at = first_at(stops, true);
    const bool stopped = at < stops->held.size;
    if (!stopped)
        at = first_at(stops, false);
    status = buffer_append(ret_text, stops->held.data, at);
    if (status != MODEL_OK)
        return status;
    stops->held.size -= at;
    memmove(stops->held.data, stops->held.data + at, stops->held.size);
    *ret_stopped = stops->stopped = stopped;
    return MODEL_OK;
}

model_status stop_strings_end(struct stop_strings *stops, struct buffer *ret_text)
{
    if (stops->stopped || stops->held.size == 0)
        return MODEL_OK;
    model_status status = buffer_append(ret_text, stops->held.data, stops->held.size);
    buffer_clear(&stops->held);
    return status;
}
