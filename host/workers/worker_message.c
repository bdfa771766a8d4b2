/* worker_message.c - see worker_message.h. */
#include "worker_message.h"
#include "errors.h"
#include "worker_codec.h"

#include <string.h>

/* What a message of a type must have: without it the reader would have to ask everywhere. */
static const struct {
    bool text, path, block;
} wanted[WORKER_N_MESSAGES] = {
    [WORKER_OPEN] = {.path = true, .block = true},
    [WORKER_CONTENT] = {.path = true},
    [WORKER_COMPILED] = {.path = true},
    [WORKER_HELLO] = {.block = true},
    [WORKER_FAILED] = {.text = true},
    [WORKER_LOG] = {.text = true},
    [WORKER_CREATED] = {.text = true},
};

static model_status write_payload(const struct worker_message *message, struct buffer *buffer)
{
    model_status status = MODEL_OK;
    for (size_t i = 0; i < WORKER_MESSAGE_NUMBERS && status == MODEL_OK; i++)
        status = worker_write_number(buffer, message->numbers[i]);
    if (status == MODEL_OK)
        status = worker_write_text(buffer, message->text);
    if (status == MODEL_OK)
        status = worker_write_text(buffer, message->path);
    return status == MODEL_OK ? worker_write_block(buffer, message->block, message->block_bytes)
                              : status;
}

model_status worker_message_write(const struct worker_message *message, struct buffer *ret,
                                  struct model_error *err)
{
    struct worker_header header = {WORKER_MESSAGE_MAGIC, WORKER_PROTOCOL_VERSION, message->type, 0,
                                   0};
    const size_t start = ret->size;
    model_status status = buffer_append(ret, &header, sizeof header);
    if (status == MODEL_OK)
        status = write_payload(message, ret);
    if (status == MODEL_OUT_OF_MEMORY)
        return error_no_memory(err, "a message to another process");
    const size_t payload_bytes = ret->size - start - sizeof header;
    if (status != MODEL_OK || payload_bytes > WORKER_MAX_PAYLOAD_BYTES)
        return error_set(err, MODEL_UNSUPPORTED,
                         "a message between host and worker is longer than %u bytes",
                         WORKER_MAX_PAYLOAD_BYTES);
    header.payload_bytes = (uint32_t)payload_bytes;
    memcpy(ret->data + start, &header, sizeof header);
    return MODEL_OK;
}

model_status worker_message_check_header(const struct worker_header *header,
                                         struct model_error *err)
{
    if (header->magic != WORKER_MESSAGE_MAGIC)
        return error_set(err, MODEL_CORRUPT,
                         "the other process does not speak modelhost's protocol (it began with "
                         "%08x)",
                         header->magic);
    if (header->version != WORKER_PROTOCOL_VERSION)
        return error_set(err, MODEL_ABI_MISMATCH,
                         "host and worker are of different versions of modelhost: protocol %u, "
                         "want %u; install the library and the command of one version",
                         header->version, WORKER_PROTOCOL_VERSION);
    if (header->type == 0 || header->type >= WORKER_N_MESSAGES)
        return error_set(err, MODEL_CORRUPT, "a message of the unknown type %u", header->type);
    if (header->payload_bytes > WORKER_MAX_PAYLOAD_BYTES)
        return error_set(err, MODEL_CORRUPT, "a message of %u bytes, want at most %u",
                         header->payload_bytes, WORKER_MAX_PAYLOAD_BYTES);
    return MODEL_OK;
}

model_status worker_message_read(uint16_t type, const void *payload, size_t payload_bytes,
                                 struct worker_message *ret, struct model_error *err)
{
    struct worker_reader reader = {.data = payload, .size_bytes = payload_bytes};
    struct worker_message message = {.type = type};
    for (size_t i = 0; i < WORKER_MESSAGE_NUMBERS; i++)
        message.numbers[i] = worker_read_number(&reader);
    message.text = worker_read_text(&reader);
    message.path = worker_read_text(&reader);
    message.block = worker_read_block(&reader, &message.block_bytes);
    if (!worker_read_all(&reader))
        return error_set(err, MODEL_CORRUPT,
                         "a message of type %u and %zu bytes does not hold what it says", type,
                         payload_bytes);
    if (type >= WORKER_N_MESSAGES || (wanted[type].text && message.text == NULL) ||
        (wanted[type].path && message.path == NULL) ||
        (wanted[type].block && message.block_bytes == 0))
        return error_set(err, MODEL_CORRUPT, "a message of type %u lacks its content", type);
    *ret = message;
    return MODEL_OK;
}
