/* fuzz_tokenizer_folder.c - tokenizer_config.json, special_tokens_map.json and vocab.txt made of any bytes,
 * divided by lines "---"; what loads encodes and decodes its own vocabulary. (tokenizer.json has a
 * target of its own.) */
#include "errors.h"
#include "fuzz_folder.h"
#include "tokenizer.h"
#include "utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

#define MAX_TEXT_BYTES 1024

static void use(const struct tokenizer *tokenizer, const char *text, size_t size_bytes)
{
    const struct tokenizer_options options = {.add_special_tokens = true};
    struct model_error err = MODEL_ERROR_INIT;
    struct encoding encoding = ENCODING_INIT;
    struct buffer decoded = BUFFER_INIT(1 << 20);
    must(tokenizer_model_max_length(tokenizer) >= 0);
    if (tokenizer_encode(tokenizer, text, size_bytes, "a [MASK]", 8, &options, &encoding, &err) ==
        MODEL_OK)
        (void)tokenizer_decode(tokenizer, encoding.ids, encoding.n_tokens, true, &decoded, &err);
    buffer_finish(&decoded);
    encoding_finish(&encoding);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static const char *const names[] = {"tokenizer_config.json", "special_tokens_map.json",
                                        "vocab.txt"};
    struct tokenizer *tokenizer = NULL;
    struct model_error err = MODEL_ERROR_INIT;
    const char *text = (const char *)data;
    fuzz_put_parts(names, sizeof names / sizeof names[0], data, size_bytes);
    if (tokenizer_load(fuzz_path("."), &tokenizer, &err) != MODEL_OK) {
        must(tokenizer == NULL && err.message[0] != '\0');
        return 0;
    }
    size_t n = size_bytes < MAX_TEXT_BYTES ? size_bytes : MAX_TEXT_BYTES;
    use(tokenizer, text, utf8_valid_prefix(text, n));
    tokenizer_destroy(tokenizer);
    return 0;
}
