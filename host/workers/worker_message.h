/* worker_message.h - the messages between a host and its worker process, as bytes.
 *
 * A message is a header of fixed size and a payload of at most WORKER_MAX_PAYLOAD_BYTES: four numbers, two
 * texts and a block of bytes, of which each type uses some. Tensors and calls do not go this way: they have
 * shared memory (worker_channel.h). Both ends are the same program, so bytes are in the machine's order; a
 * header of another version is refused with both versions. Pure; worker_socket.c moves the bytes.
 *
 *   type      from    numbers                          text             path         block
 *   PREPARED  host    1: takes a file, 0: is one     key          (each with its descriptor; before OPEN)
 *   COMPILED  host    max_bytes                                         folder (that may be changed; before OPEN)
 *   OPEN      host    lanes, threads, log level, memory plugin path      package      parts, backend's name
 *   HELLO     worker  pid                                                            description
 *   MODEL     worker                                   (create_model() has come back)
 *   FAILED    worker  status                           sentence
 *   CREATE    host    channel, size_bytes              (with the channel's descriptor)
 *   CREATED   worker  channel, status                  sentence
 *   DESTROY   host    channel
 *   SHARE     host    channel, segment, size_bytes     (with the segment's descriptor)
 *   DROP      host    channel, segment
 *   LOG       worker  level, request (0: none),        line
 *                     is of the worker itself
 *   GOODBYE   host
 *   CONTENT   host                                                      entry (before OPEN, with the descriptor of
 *                                                                       its content) */
#ifndef WORKER_MESSAGE_H
#define WORKER_MESSAGE_H

#include "buffer.h"

#define WORKER_MESSAGE_MAGIC     0x4B574D48u /* "HMWK" */
#define WORKER_PROTOCOL_VERSION  7
#define WORKER_MAX_PAYLOAD_BYTES (1u << 20)
#define WORKER_MESSAGE_NUMBERS   8
#define WORKER_MAX_BACKEND_BYTES 255 /* a folder's name */

enum worker_message_type {
    WORKER_OPEN = 1,
    WORKER_HELLO,
    WORKER_FAILED,
    WORKER_CREATE,
    WORKER_CREATED,
    WORKER_DESTROY,
    WORKER_SHARE,
    WORKER_DROP,
    WORKER_LOG,
    WORKER_GOODBYE,
    WORKER_MODEL,
    WORKER_CONTENT,
    WORKER_PREPARED,
    WORKER_COMPILED,
    WORKER_N_MESSAGES
};

struct worker_header {
    uint32_t magic;
    uint16_t version;
    uint16_t type; /* enum worker_message_type */
    uint32_t payload_bytes;
    uint32_t reserved; /* 0 */
};

struct worker_message {
    uint16_t type;
    uint64_t numbers[WORKER_MESSAGE_NUMBERS];
    const char *text, *path; /* NULL: none. Of a message that was read: in its payload */
    const void *block;
    uint32_t block_bytes;
};

/* Appends header and payload; MODEL_UNSUPPORTED when it is too large to be sent. */
model_status worker_message_write(const struct worker_message *message, struct buffer *ret,
                                  struct model_error *err);

/* Whether this header may be followed by a payload: magic, version, type, size. */
model_status worker_message_check_header(const struct worker_header *header,
                                         struct model_error *err);

/* Reads a payload of a checked header. The message points into it. MODEL_CORRUPT names what is wrong. */
model_status worker_message_read(uint16_t type, const void *payload, size_t payload_bytes,
                                 struct worker_message *ret, struct model_error *err);

#endif
