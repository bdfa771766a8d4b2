/* fuzz_tokenizer_json.c - any bytes as a tokenizer.json; what loads encodes and decodes the same bytes
 * as text, cut into windows and padded. Decoding piece by piece must give the whole text. */
#include "tokenizer.h"

#include "errors.h"
#include "incremental_decoder.h"

#include <stdlib.h>
#include <string.h>

#define MAX_TEXT_BYTES 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode(const struct tokenizer *t, const int64_t *ids, size_t n, bool skip)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct buffer whole = BUFFER_INIT(1 << 20);
    struct buffer pieces = BUFFER_INIT(1 << 20);
    struct incremental_decoder decoder;
    model_status status = tokenizer_decode(t, ids, n, skip, &whole, &err);
    incremental_decoder_init(&decoder, t, skip);
    for (size_t i = 0; i < n && status == MODEL_OK; i++)
        status = incremental_decoder_push(&decoder, ids[i], &pieces, &err);
    if (status == MODEL_OK)
        status = incremental_decoder_finish(&decoder, &pieces, &err);
    else
        (void)incremental_decoder_finish(&decoder, NULL, NULL);
    if (status == MODEL_OK &&
        (whole.size != pieces.size ||
         (whole.size > 0 && memcmp(whole.data, pieces.data, whole.size) != 0)))
        abort();
    buffer_finish(&whole);
    buffer_finish(&pieces);
}

static void use(const struct tokenizer *t, const char *text, size_t size)
{
    static const struct tokenizer_options options[] = {
        {.add_special_tokens = true},
        {.truncation = TOKENIZER_ON, .max_tokens = 16, .stride = 2, .windows = true},
        {.add_special_tokens = true,
         .truncation = TOKENIZER_ON,
         .max_tokens = 24,
         .windows = true,
         .padding = TOKENIZER_ON,
         .pad_to_tokens = 32}};
    struct model_error err = MODEL_ERROR_INIT;
    struct encoding e = ENCODING_INIT;
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (tokenizer_encode(t, text, size, NULL, 0, &options[i], &e, &err) != MODEL_OK)
            continue;
        for (size_t k = 0; k < e.n_tokens; k++)
            if (e.spans[k].end > size || e.spans[k].start > e.spans[k].end)
                abort();
        decode(t, e.ids, e.n_tokens, i % 2 == 0);
        (void)tokenizer_encode(t, text, size / 2, "pair [MASK] of texts", 20, &options[i], &e,
                               &err);
    }
    encoding_finish(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct tokenizer *t = NULL;
    const char *text = (const char *)data;
    if (tokenizer_from_json(text, size, "tokenizer.json", &t, &err) != MODEL_OK)
        return 0;
    size_t bytes = size < MAX_TEXT_BYTES ? size : MAX_TEXT_BYTES;
    while (bytes < size && bytes > 0 && (data[bytes] & 0xC0) == 0x80)
        bytes--; /* the JSON is UTF-8: keep its characters whole */
    use(t, text, bytes);
    tokenizer_destroy(t);
    return 0;
}
