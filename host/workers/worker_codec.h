/* worker_codec.h - numbers and texts in a row of bytes that came from another process.
 *
 * A reader never goes past its end: once something does not fit it stays failed and gives zeros, so that
 * its user asks once, at the end. A text has its length before it and a 0 byte behind it, so that it can be
 * used where it lies. Pure, any thread. */
#ifndef WORKER_CODEC_H
#define WORKER_CODEC_H

#include "buffer.h"

#include <stdbool.h>

struct worker_reader {
    const uint8_t *data;
    size_t size_bytes, at;
    bool failed;
};

uint64_t worker_read_number(struct worker_reader *reader);
/* NULL when there is none (or the reader has failed). */
const char *worker_read_text(struct worker_reader *reader);
const void *worker_read_block(struct worker_reader *reader, uint32_t *ret_bytes);
/* Whether all went well and nothing is left. */
bool worker_read_all(const struct worker_reader *reader);

model_status worker_write_number(struct buffer *buffer, uint64_t number);
model_status worker_write_text(struct buffer *buffer, const char *text); /* NULL: none */
model_status worker_write_block(struct buffer *buffer, const void *data, uint32_t size_bytes);

#endif
