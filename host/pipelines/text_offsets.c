/* text_offsets.c - see text_offsets.h. */
#include "text_offsets.h"
#include "errors.h"

static size_t count_characters(const char *text, size_t n_bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < n_bytes; i++)
        n += ((unsigned char)text[i] & 0xC0) != 0x80;
    return n;
}

model_status text_offsets_add(json_node *node, const char *key, const char *text, size_t text_bytes,
                              size_t start, size_t end, struct model_error *err)
{
    if (start > end || end > text_bytes)
        return error_set(err, MODEL_INTERNAL, "offsets %zu to %zu in a text of %zu bytes", start,
                         end, text_bytes);
    (void)json_add_text(node, key, text + start, end - start);
    (void)json_add_number(node, "start", (double)count_characters(text, start));
    return json_add_number(node, "end", (double)count_characters(text, end)) != NULL
               ? MODEL_OK
               : error_no_memory(err, "the answer");
}
