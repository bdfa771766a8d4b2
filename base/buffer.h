/* buffer.h - a growing byte buffer with a stated maximum, always followed by a 0 byte.
 *
 *   struct buffer text = BUFFER_INIT(1 << 20);
 *   status = buffer_printf(&text, "%d\n", n);
 *   ... text.data, text.size ...
 *   buffer_finish(&text);
 *
 * data is NULL until something is appended. Appending past the maximum fails with
 * MODEL_INVALID_ARGUMENT, without memory with MODEL_OUT_OF_MEMORY; the content stays as it was. */
#ifndef BUFFER_H
#define BUFFER_H

#include "modelhost.h"

struct buffer {
    char *data;
    size_t size;
    size_t capacity;
    size_t max_bytes;
};

#define BUFFER_INIT(max_)                                                                          \
    {                                                                                              \
        .max_bytes = (max_)                                                                        \
    }

model_status buffer_append(struct buffer *buffer, const void *data, size_t size_bytes);
model_status buffer_append_text(struct buffer *buffer, const char *text);
model_status buffer_printf(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Room for size_bytes more, without a further allocation. */
model_status buffer_reserve(struct buffer *buffer, size_t size_bytes);
/* Empties it and keeps the memory. */
void buffer_clear(struct buffer *buffer);
/* Hands the memory to the caller (free()); the buffer is empty afterwards. Never NULL on success: an
 * empty buffer gives "". NULL when there is no memory. */
char *buffer_take(struct buffer *buffer);
void buffer_finish(struct buffer *buffer);

/* A new string by printf's rules, to be freed by the caller; NULL when there is no memory. */
char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
