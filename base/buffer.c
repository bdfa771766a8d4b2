/* buffer.c - see buffer.h. A buffer belongs to one thread at a time. */
#include "buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 64

model_status buffer_reserve(struct buffer *buffer, size_t size_bytes)
{
    if (size_bytes > buffer->max_bytes - buffer->size)
        return MODEL_INVALID_ARGUMENT;
    size_t needed = buffer->size + size_bytes + 1;
    if (needed == 0)
        return MODEL_OUT_OF_MEMORY;
    if (needed <= buffer->capacity)
        return MODEL_OK;
    size_t capacity = buffer->capacity > 0 ? buffer->capacity : FIRST_CAPACITY;
    while (capacity < needed)
        capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
    char *data = realloc(buffer->data, capacity);
    if (data == NULL)
        return MODEL_OUT_OF_MEMORY;
    buffer->data = data;
    buffer->capacity = capacity;
    buffer->data[buffer->size] = '\0';
    return MODEL_OK;
}

model_status buffer_append(struct buffer *buffer, const void *data, size_t size_bytes)
{
    model_status status = buffer_reserve(buffer, size_bytes);
    if (status != MODEL_OK)
        return status;
    if (size_bytes > 0)
        memcpy(buffer->data + buffer->size, data, size_bytes);
    buffer->size += size_bytes;
    buffer->data[buffer->size] = '\0';
    return MODEL_OK;
}

model_status buffer_append_text(struct buffer *buffer, const char *text)
{
    return buffer_append(buffer, text, strlen(text));
}

model_status buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0)
        return MODEL_INTERNAL;
    model_status status = buffer_reserve(buffer, (size_t)length);
    if (status != MODEL_OK)
        return status;
    va_start(arguments, format);
    (void)vsnprintf(buffer->data + buffer->size, (size_t)length + 1, format, arguments);
    va_end(arguments);
    buffer->size += (size_t)length;
    return MODEL_OK;
}

void buffer_clear(struct buffer *buffer)
{
    buffer->size = 0;
    if (buffer->data != NULL)
        buffer->data[0] = '\0';
}

char *buffer_take(struct buffer *buffer)
{
    if (buffer->data == NULL && buffer_reserve(buffer, 0) != MODEL_OK)
        return NULL;
    char *data = buffer->data;
    buffer->data = NULL;
    buffer->size = buffer->capacity = 0;
    return data;
}

void buffer_finish(struct buffer *buffer)
{
    free(buffer->data);
    buffer->data = NULL;
    buffer->size = buffer->capacity = 0;
}

char *text_format(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = length < 0 ? NULL : malloc((size_t)length + 1);
    if (text == NULL)
        return NULL;
    va_start(arguments, format);
    (void)vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return text;
}
