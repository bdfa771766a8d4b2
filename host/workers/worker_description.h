/* worker_description.h - what a model says of itself, as bytes that cross to another process. Pure. */
#ifndef WORKER_DESCRIPTION_H
#define WORKER_DESCRIPTION_H

#include "buffer.h"
#include "model_extensions.h"

/* Appends a checked description (schema_check_description()), and the model's plan of devices if it has one; NULL: none. */
model_status worker_description_write(const struct model_description *description,
                                      const struct model_device_plan *plan, struct buffer *ret,
                                      struct model_error *err);

/* Reads one into memory of its own: one block, to be freed with free(). It is as sane as
 * schema_check_description() wants it, or MODEL_CORRUPT; so is the plan, whose struct_size 0 says that there is none. */
model_status worker_description_read(const void *data, size_t size_bytes,
                                     struct model_description **ret,
                                     struct model_device_plan *ret_plan, struct model_error *err);

#endif
