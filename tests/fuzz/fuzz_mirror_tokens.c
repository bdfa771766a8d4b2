/* fuzz_mirror_tokens.c - a mirror's file of tokens. What is accepted has at most a token a line. */
#include "errors.h"
#include "mirror_tokens.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    struct mirror_tokens *tokens = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    size_t n_lines = 1;
    for (size_t i = 0; i < size_bytes; i++)
        n_lines += data[i] == '\n' ? 1 : 0;
    if (mirror_tokens_create(&tokens, NULL) != MODEL_OK)
        return 0;
    if (mirror_tokens_parse(tokens, (const char *)data, size_bytes, "tokens", &err) != MODEL_OK &&
        err.message[0] == '\0')
        abort();
    if (mirror_tokens_count(tokens) > n_lines)
        abort();
    (void)mirror_tokens_find(tokens, "x");
    mirror_tokens_destroy(tokens);
    return 0;
}
