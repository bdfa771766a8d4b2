/* text_offsets.h - places in a text, as answers give them: in characters, like transformers. */
#ifndef TEXT_OFFSETS_H
#define TEXT_OFFSETS_H

#include "json_view.h"

/* Adds "<key>": the bytes [start, end) of the text, and "start", "end" counted in Unicode characters. */
model_status text_offsets_add(json_node *node, const char *key, const char *text, size_t text_bytes,
                              size_t start, size_t end, struct model_error *err);

#endif
