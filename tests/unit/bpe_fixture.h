/* bpe_fixture.h - a byte-level tokenizer.json: the 256 bytes, and the merges that a test gives. Ids: of
 * byte b, b; of merge i, 256 + i; behind them <|end|>. */
#ifndef BPE_FIXTURE_H
#define BPE_FIXTURE_H

#include "byte_level.h"
#include "tokenizer_fixture.h"
#include "unicode_class.h"

#define BYTE_LEVEL "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true}"

/* Merges as "a b", each of tokens that are there by then; NULL at the end. To be freed. */
static inline char *bpe_model(const char *const *merges, const char *settings)
{
    struct buffer text = BUFFER_INIT(1 << 20);
    assert_int_equal(buffer_printf(&text, "{\"type\":\"BPE\",%s\"vocab\":{", settings), MODEL_OK);
    for (unsigned b = 0; b < 256; b++) {
        char c[CHAR_MAX_BYTES];
        size_t bytes = char_encode(byte_level_char((unsigned char)b), c);
        assert_int_equal(buffer_printf(&text,
                                       b == '"' || b == '\\' ? "\"\\%.*s\":%u," : "\"%.*s\":%u,",
                                       (int)bytes, c, b),
                         MODEL_OK);
    }
    unsigned id = 256;
    for (size_t i = 0; merges[i] != NULL; i++) {
        const char *space = strchr(merges[i], ' ');
        assert_int_equal(buffer_printf(&text, "\"%.*s%s\":%u,", (int)(space - merges[i]), merges[i],
                                       space + 1, id++),
                         MODEL_OK);
    }
    assert_int_equal(buffer_printf(&text, "\"<|end|>\":%u},\"merges\":[", id), MODEL_OK);
    for (size_t i = 0; merges[i] != NULL; i++)
        assert_int_equal(buffer_printf(&text, "%s\"%s\"", i > 0 ? "," : "", merges[i]), MODEL_OK);
    assert_int_equal(buffer_append_text(&text, "]}"), MODEL_OK);
    return buffer_take(&text);
}

/* A tokenizer of such a model; parts that f leaves out are byte-level ones. */
static inline struct tokenizer *bpe_load(struct fixture f, const char *const *merges,
                                         const char *settings)
{
    char *model = bpe_model(merges, settings);
    f.model = model;
    f.added = f.added != NULL ? f.added : "";
    f.normalizer = f.normalizer != NULL ? f.normalizer : "null";
    f.pre_tokenizer = f.pre_tokenizer != NULL ? f.pre_tokenizer : BYTE_LEVEL;
    f.post_processor = f.post_processor != NULL ? f.post_processor : "null";
    f.decoder = f.decoder != NULL ? f.decoder : BYTE_LEVEL;
    struct tokenizer *t = fixture_load(&f);
    free(model);
    return t;
}

/* "t|o|k[0-1] ..." : tokens with their spans. */
static inline void assert_spans(const struct tokenizer *t, const char *text, const char *want)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct encoding e = ENCODING_INIT;
    struct buffer got = BUFFER_INIT(1 << 20);
    static const struct tokenizer_options options = {.add_special_tokens = true};
    if (tokenizer_encode(t, text, strlen(text), NULL, 0, &options, &e, &err) != MODEL_OK)
        fail_msg("%s", err.message);
    assert_int_equal(buffer_append(&got, "", 0), MODEL_OK);
    for (size_t i = 0; i < e.n_tokens; i++)
        assert_int_equal(buffer_printf(&got, "%s%s[%u-%u]", i > 0 ? " " : "",
                                       tokenizer_token(t, e.ids[i]), e.spans[i].start,
                                       e.spans[i].end),
                         MODEL_OK);
    assert_string_equal(got.data, want);
    buffer_finish(&got);
    encoding_finish(&e);
}

#endif
