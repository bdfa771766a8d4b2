/* tokenizer_fixture.h - a small tokenizer.json whose sections a test replaces one by one. */
#ifndef TOKENIZER_FIXTURE_H
#define TOKENIZER_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "errors.h"
#include "tokenizer.h"

/* NULL: as below. */
struct fixture {
    const char *truncation, *padding, *added, *normalizer, *pre_tokenizer, *post_processor,
        *decoder, *model;
};

#define FIXTURE_VOCAB                                                                               \
    "\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,\"[MASK]\":4,\"a\":5,\"b\":6,\"c\":7,\"d\":8," \
    "\"e\":9,\"f\":10,\"g\":11,\"h\":12,\"i\":13,\"j\":14,\"k\":15,\"l\":16,\"x\":17,\"y\":18,"     \
    "\"un\":19,\"##aff\":20,\"##able\":21,\"##a\":22,\"hello\":23,\"world\":24,\".\":25,\"!\":26,"  \
    "\"\u4e2d\":27,\"cafe\":28,\"caf\u00e9\":29,\"##b\":30,\",\":31,\"'\":32,\"s\":33"

#define FIXTURE_MODEL(vocab) "{\"type\":\"WordPiece\",\"vocab\":{" vocab "}}"

#define FIXTURE_TOKEN(id, text, flags) "{\"id\":" #id ",\"content\":\"" text "\"," flags "}"
#define FIXTURE_SPECIAL(id, text)      FIXTURE_TOKEN(id, text, "\"special\":true,\"normalized\":false")
#define FIXTURE_SPECIALS                                                                           \
    FIXTURE_SPECIAL(0, "[PAD]")                                                                    \
    "," FIXTURE_SPECIAL(1, "[UNK]") "," FIXTURE_SPECIAL(2, "[CLS]") "," FIXTURE_SPECIAL(           \
        3, "[SEP]") "," FIXTURE_SPECIAL(4, "[MASK]")

static const char *or_default(const char *given, const char *fallback)
{
    return given != NULL ? given : fallback;
}

/* To be freed. */
static char *fixture_json(const struct fixture *f)
{
    return text_format(
        "{\"version\":\"1.0\",\"truncation\":%s,\"padding\":%s,\"added_tokens\":[%s],"
        "\"normalizer\":%s,\"pre_tokenizer\":%s,\"post_processor\":%s,\"decoder\":%s,\"model\":%s}",
        or_default(f->truncation, "null"), or_default(f->padding, "null"),
        or_default(f->added, FIXTURE_SPECIALS),
        or_default(f->normalizer, "{\"type\":\"BertNormalizer\",\"lowercase\":true}"),
        or_default(f->pre_tokenizer, "{\"type\":\"BertPreTokenizer\"}"),
        or_default(f->post_processor,
                   "{\"type\":\"BertProcessing\",\"cls\":[\"[CLS]\",2],\"sep\":[\"[SEP]\",3]}"),
        or_default(f->decoder, "{\"type\":\"WordPiece\",\"prefix\":\"##\",\"cleanup\":true}"),
        or_default(f->model, FIXTURE_MODEL(FIXTURE_VOCAB)));
}

static inline struct tokenizer *fixture_load(const struct fixture *f)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct tokenizer *t = NULL;
    char *json = fixture_json(f);
    model_status status = tokenizer_from_json(json, strlen(json), "tokenizer.json", &t, &err);
    free(json);
    if (status != MODEL_OK)
        fail_msg("%s", err.message);
    return t;
}

/* The status and sentence with which a file is refused. */
static inline void assert_refused(const struct fixture *f, model_status want, const char *sentence)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct tokenizer *t = NULL;
    char *json = fixture_json(f);
    model_status status = tokenizer_from_json(json, strlen(json), "tokenizer.json", &t, &err);
    free(json);
    assert_null(t);
    assert_string_equal(err.message, sentence);
    assert_int_equal(status, want);
}

/* Tokens of one window with a space between, in a buffer of the test's. */
static inline const char *window_text(const struct tokenizer *t, const struct encoding *e,
                                      size_t window, struct buffer *text)
{
    buffer_clear(text);
    assert_int_equal(buffer_append(text, "", 0), MODEL_OK);
    for (size_t i = 0; i < e->windows[window].n_tokens; i++) {
        const char *token = tokenizer_token(t, e->ids[e->windows[window].first + i]);
        assert_int_equal(buffer_printf(text, i > 0 ? " %s" : "%s", token), MODEL_OK);
    }
    return text->data;
}

/* Encodes with these options and compares the tokens of the first window. */
static inline void assert_tokens(const struct tokenizer *t, const char *text, const char *pair,
                                 const struct tokenizer_options *options, const char *want)
{
    struct model_error err = MODEL_ERROR_INIT;
    struct encoding e = ENCODING_INIT;
    struct buffer tokens = BUFFER_INIT(1 << 20);
    if (tokenizer_encode(t, text, strlen(text), pair, pair != NULL ? strlen(pair) : 0, options, &e,
                         &err) != MODEL_OK)
        fail_msg("%s", err.message);
    assert_string_equal(window_text(t, &e, 0, &tokens), want);
    buffer_finish(&tokens);
    encoding_finish(&e);
}

#endif
