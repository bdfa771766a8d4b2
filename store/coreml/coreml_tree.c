/* coreml_tree.c - see coreml_tree.h. */
#include "coreml_tree.h"
#include "coreml_scan.h"
#include "errors.h"

#include <coreml_model.pb-c.h>

model_status coreml_tree_parse(const uint8_t *data, size_t size_bytes, const char *what,
                               coreml_message **ret, struct model_error *err)
{
    const ProtobufCMessageDescriptor *descriptor = &coreml__model__descriptor;
    model_status status = coreml_scan(descriptor, data, size_bytes, what, err);
    if (status != MODEL_OK)
        return status;
    ProtobufCMessage *root = protobuf_c_message_unpack(descriptor, NULL, size_bytes, data);
    if (root == NULL) /* what was scanned is well-formed */
        return error_no_memory(err, what);
    *ret = (coreml_message *)(void *)root;
    return MODEL_OK;
}

void coreml_tree_free(coreml_message *root)
{
    if (root != NULL)
        protobuf_c_message_free_unpacked((ProtobufCMessage *)(void *)root, NULL);
}
