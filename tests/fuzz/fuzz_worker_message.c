/* fuzz_worker_message.c - what another process says: any bytes as header and payload of a message, as a model's
 * description, and as what stands in a channel, are refused or are as sane as those who use them think. */
#include "errors.h"
#include "schema.h"
#include "worker_channel.h"
#include "worker_description.h"
#include "worker_message.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

static void check_description(const void *data, size_t size_bytes)
{
    struct model_description *description = NULL, *again = NULL;
    struct model_device_plan plan;
    struct buffer bytes = BUFFER_INIT(8 * WORKER_MAX_PAYLOAD_BYTES);
    if (worker_description_read(data, size_bytes, &description, &plan, NULL) != MODEL_OK)
        return;
    if (schema_check_description(description, NULL) != MODEL_OK ||
        worker_description_write(description, &plan, &bytes, NULL) != MODEL_OK ||
        worker_description_read(bytes.data, bytes.size, &again, &plan, NULL) != MODEL_OK)
        abort();
    free(description);
    free(again);
    buffer_finish(&bytes);
}

static void check_message(const uint8_t *data, size_t size_bytes)
{
    struct worker_header header;
    struct worker_message message;
    struct model_error err = MODEL_ERROR_INIT;
    if (size_bytes < sizeof header)
        return;
    memcpy(&header, data, sizeof header);
    if (worker_message_check_header(&header, &err) != MODEL_OK)
        return;
    if (worker_message_read(header.type, data + sizeof header, size_bytes - sizeof header, &message,
                            &err) != MODEL_OK) {
        if (err.message[0] == '\0')
            abort();
        return;
    }
    if ((message.text != NULL && strlen(message.text) > size_bytes) ||
        (message.path != NULL && strlen(message.path) > size_bytes) ||
        message.block_bytes > size_bytes)
        abort();
    struct buffer bytes = BUFFER_INIT(2 * WORKER_MAX_PAYLOAD_BYTES);
    if (worker_message_write(&message, &bytes, NULL) != MODEL_OK || bytes.size != size_bytes ||
        memcmp(bytes.data + sizeof header, data + sizeof header, size_bytes - sizeof header) != 0)
        abort();
    buffer_finish(&bytes);
    if (message.type == WORKER_HELLO)
        check_description(message.block, message.block_bytes);
}

static void check_tensor(const uint8_t *data, size_t size_bytes)
{
    struct worker_tensor tensor = {.rank = 0};
    const struct worker_segment segment = {.data = NULL, .size_bytes = 65536};
    memcpy(&tensor, data, size_bytes < sizeof tensor ? size_bytes : sizeof tensor);
    if (worker_channel_check(&tensor, &segment, NULL) == MODEL_OK &&
        (tensor.offset > segment.size_bytes ||
         tensor.size_bytes > segment.size_bytes - tensor.offset))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    if (size_bytes == 0)
        return 0;
    check_message(data, size_bytes);
    check_tensor(data, size_bytes);
    check_description(data, size_bytes);
    return 0;
}
