/* coreml_metadata.h - metadata.json of a compiled model (.mlmodelc): what Core ML's compiler tells of it. [any-thread] */
#ifndef COREML_METADATA_H
#define COREML_METADATA_H

#include "coreml_interface.h"

#define COREML_METADATA_FILE      "metadata.json"
#define COREML_MAX_METADATA_BYTES ((size_t)16 << 20)

/* What "inputSchema" and "outputSchema" list; none where they are not there. MODEL_CORRUPT: "<what>: ...", no JSON, or a
 * feature without a name or with sizes that are none. */
model_status coreml_metadata_parse(const char *text, size_t size_bytes, const char *what,
                                   struct coreml_interface *ret, struct model_error *err);

#endif
