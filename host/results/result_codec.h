/* result_codec.h - the tensors of a result as bytes, and back.
 *
 * Little-endian: "MHR1", u32 n_tensors, then of each: i32 dtype, u32 rank, i64 shape[rank], u64 bytes, the data.
 * Names and order are those of the request that the bytes belong to. Bytes that come back from elsewhere are
 * hostile: they must fit the request's outputs in every field. [any-thread] */
#ifndef RESULT_CODEC_H
#define RESULT_CODEC_H

#include "buffer.h"
#include "result.h"
#include "schema.h"

/* Appends the tensors. MODEL_INVALID_ARGUMENT when they are more than the buffer takes. */
model_status result_encode(const struct modelhost_result *result, struct buffer *bytes);

/* Fills in an empty result (result_create()). MODEL_CORRUPT: the bytes are not those of such a result; it
 * is to be destroyed then. */
model_status result_decode(const void *bytes, size_t size_bytes,
                           const struct schema_binding *binding, struct modelhost_result *result,
                           struct model_error *err);

#endif
