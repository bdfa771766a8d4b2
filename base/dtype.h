/* dtype.h - element types by the names of the safetensors format. */
#ifndef DTYPE_H
#define DTYPE_H

#include "modelhost.h"

/* Bytes of one element, 0 for an unknown dtype. */
size_t dtype_size_bytes(int32_t dtype);
/* "F32"; "?" for an unknown dtype. */
const char *dtype_name(int32_t dtype);
/* The dtype of a name, 0 when there is none. */
int32_t dtype_from_name(const char *name);

/* "[2, 768]" into buffer text, for errors; returns text. */
const char *shape_text(const int64_t *shape, uint32_t rank, char *text, size_t text_bytes);

/* A dense row-major tensor: sets every field, strides and size_bytes by shape; size_bytes is the
 * caller's to have checked against overflow. */
void tensor_init(struct model_tensor *ret, const char *name, int32_t dtype, uint32_t rank,
                 const int64_t *shape, void *data);
/* Elements of a shape whose product is known to fit. */
uint64_t tensor_elements(const struct model_tensor *tensor);

#endif
