/* coreml_scan.h - is this a message that may be unpacked? Looked at before protobuf-c does, which bounds neither depth
 * nor memory. [any-thread] */
#ifndef COREML_SCAN_H
#define COREML_SCAN_H

#include "modelhost.h"

struct ProtobufCMessageDescriptor;

#define COREML_MAX_DEPTH      100u
#define COREML_MAX_FILE_BYTES ((uint64_t)INT32_MAX) /* what the encoding itself allows */
#define COREML_MAX_TREE_BYTES                                                                      \
    ((uint64_t)1 << 29) /* of messages, without their strings and numbers */

/* MODEL_CORRUPT, "<what>: ...": bytes that break the encoding, messages nested too deeply, strings that are no UTF-8 or
 * hold a zero byte, a single message or a choice that stands twice (merging them costs the square), a field of
 * another type than the schema's. MODEL_UNSUPPORTED: more messages than COREML_MAX_TREE_BYTES. */
model_status coreml_scan(const struct ProtobufCMessageDescriptor *descriptor, const uint8_t *data,
                         size_t size_bytes, const char *what, struct model_error *err);

#endif
