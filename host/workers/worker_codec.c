/* worker_codec.c - see worker_codec.h. */
#include "worker_codec.h"

#include <string.h>

#define NO_TEXT UINT64_MAX

static const uint8_t *take(struct worker_reader *reader, uint64_t size_bytes)
{
    if (reader->failed || size_bytes > reader->size_bytes - reader->at) {
        reader->failed = true;
        return NULL;
    }
    const uint8_t *data = reader->data + reader->at;
    reader->at += (size_t)size_bytes;
    return data;
}

uint64_t worker_read_number(struct worker_reader *reader)
{
    uint64_t number = 0;
    const uint8_t *data = take(reader, sizeof number);
    if (data != NULL)
        memcpy(&number, data, sizeof number);
    return number;
}

const char *worker_read_text(struct worker_reader *reader)
{
    const uint64_t length = worker_read_number(reader);
    if (reader->failed || length == NO_TEXT)
        return NULL;
    if (length >= reader->size_bytes) { /* so that one more does not overflow */
        reader->failed = true;
        return NULL;
    }
    const char *text = (const char *)take(reader, length + 1);
    if (text == NULL || memchr(text, '\0', (size_t)length + 1) != text + length) {
        reader->failed = true;
        return NULL;
    }
    return text;
}

const void *worker_read_block(struct worker_reader *reader, uint32_t *ret_bytes)
{
    const uint64_t length = worker_read_number(reader);
    const void *data = take(reader, length);
    *ret_bytes = data != NULL ? (uint32_t)length : 0;
    return data;
}

bool worker_read_all(const struct worker_reader *reader)
{
    return !reader->failed && reader->at == reader->size_bytes;
}

model_status worker_write_number(struct buffer *buffer, uint64_t number)
{
    return buffer_append(buffer, &number, sizeof number);
}

model_status worker_write_text(struct buffer *buffer, const char *text)
{
    if (text == NULL)
        return worker_write_number(buffer, NO_TEXT);
    model_status status = worker_write_number(buffer, strlen(text));
    return status == MODEL_OK ? buffer_append(buffer, text, strlen(text) + 1) : status;
}

model_status worker_write_block(struct buffer *buffer, const void *data, uint32_t size_bytes)
{
    model_status status = worker_write_number(buffer, size_bytes);
    return status == MODEL_OK && size_bytes > 0 ? buffer_append(buffer, data, size_bytes) : status;
}
