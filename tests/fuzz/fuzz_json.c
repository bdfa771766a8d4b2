/* fuzz_json.c - base/json_view.c: what is parsed is walked, printed and parsed again. */
#include "json_view.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const json_node *node)
{
    int64_t integer = 0;
    (void)json_string_or(node, "");
    (void)json_integer(node, INT64_MIN, INT64_MAX, &integer);
    (void)json_check_unique_keys(node, "input", NULL);
    if (json_is_object(node) && json_first(node) != NULL &&
        json_member(node, json_key(json_first(node))) == NULL)
        abort();
    for (const json_node *child = json_first(node); child != NULL; child = json_next(child))
        walk(child);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_node *root = NULL, *again = NULL;
    if (json_parse((const char *)data, size, "input", &root, NULL) != MODEL_OK)
        return 0;
    walk(root);
    (void)json_path(root, "a.b[1].c");
    char *text = json_print(root, size % 2 == 0);
    if (text == NULL || json_parse(text, strlen(text), "print", &again, NULL) != MODEL_OK)
        abort();
    json_free(again);
    json_free(root);
    free(text);
    return 0;
}
