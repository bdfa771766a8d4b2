/* fuzz_pooling.c - modules.json, the Pooling module's config.json and sentence_bert_config.json made of any
 * bytes, divided by lines "---"; what is read pools two small texts into finite numbers. */
#include "errors.h"
#include "fuzz_folder.h"
#include "pooling.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

#define HIDDEN 3
#define TOKENS 2

static void use(const struct pooling *pooling)
{
    static const float hidden_states[TOKENS * HIDDEN] = {1, -2, 3, 0, 5, -6};
    static const int64_t masks[][TOKENS] = {{1, 1}, {0, 0}};
    int64_t size = pooling_size(pooling, HIDDEN);
    must(size >= HIDDEN && size <= HIDDEN * POOLING_N_MODES && pooling->max_tokens >= 0);
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        float *out = malloc((size_t)size * sizeof *out);
        must(out != NULL);
        pooling_apply(pooling, hidden_states, masks[i], TOKENS, HIDDEN, out);
        for (int64_t k = 0; k < size; k++)
            must(isfinite(out[k]));
        free(out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static const char *const names[] = {"modules.json", "1_Pooling/config.json",
                                        "sentence_bert_config.json"};
    struct pooling pooling;
    struct model_error err = MODEL_ERROR_INIT;
    must(dir_make_all(fuzz_path("1_Pooling"), NULL) == MODEL_OK);
    fuzz_put_parts(names, sizeof names / sizeof names[0], data, size_bytes);
    if (pooling_read(NULL, fuzz_path("."), &pooling, &err) == MODEL_OK)
        use(&pooling);
    else
        must(err.message[0] != '\0');
    return 0;
}
