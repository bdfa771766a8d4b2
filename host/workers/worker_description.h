/* worker_description.h - what a model says of itself, as bytes that cross to another process. Pure. */
#ifndef WORKER_DESCRIPTION_H
#define WORKER_DESCRIPTION_H

#include "buffer.h"

/* Appends a checked description (schema_check_description()). */
model_status worker_description_write(const struct model_description *description,
                                      struct buffer *ret, struct model_error *err);

/* Reads one into memory of its own: one block, to be freed with free(). It is as sane as
 * schema_check_description() wants it, or MODEL_CORRUPT. */
model_status worker_description_read(const void *data, size_t size_bytes,
                                     struct model_description **ret, struct model_error *err);

#endif
