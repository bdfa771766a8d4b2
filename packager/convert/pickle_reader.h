/* pickle_reader.h - reads a pickle that holds tensors and plain data; executes nothing.
 *
 * The opcodes of protocols 2 to 5 that Python writes for dicts, lists, tuples, texts, numbers, tensors
 * and storages are known; each other one, and each name that no tensor needs (pickle_globals.h), is
 * refused by its name before anything comes of it. Follows Python's pickletools. */
#ifndef PICKLE_READER_H
#define PICKLE_READER_H

#include "pickle_values.h"

#define PICKLE_MAX_BYTES (256u << 20)

/* Reads one pickle at the beginning of the bytes, which must outlive the result; *ret_used is where it
 * ends. `what` ("pytorch_model.bin: data.pkl") begins each sentence. MODEL_CORRUPT: broken, or asks for
 * something else than data. */
model_status pickle_read(const uint8_t *data, size_t size_bytes, const char *what,
                         struct pickle *ret, size_t *ret_used, struct model_error *err);

#endif
