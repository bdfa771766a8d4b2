/* coreml_tree.h - the bytes of a .mlmodel file as a tree of messages. [any-thread] */
#ifndef COREML_TREE_H
#define COREML_TREE_H

#include "coreml_message.h"
#include "modelhost.h"

/* Checks (coreml_scan.h) and copies: the bytes may go afterwards. *ret is a "Model". */
model_status coreml_tree_parse(const uint8_t *data, size_t size_bytes, const char *what,
                               coreml_message **ret, struct model_error *err);
void coreml_tree_free(coreml_message *root);

#endif
