/* infer_datatype.h - the names that the Open Inference Protocol (v2) has for element types. */
#ifndef INFER_DATATYPE_H
#define INFER_DATATYPE_H

#include "modelhost.h"

/* "FP32"; NULL for a dtype that the protocol has no name for. */
const char *infer_datatype_name(int32_t dtype);
/* The dtype of a name, 0 when there is none. */
int32_t infer_datatype_find(const char *name);

#endif
