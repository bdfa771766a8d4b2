/* pipeline.h - the parts of a tokenizer, in the order in which text passes them:
 *
 *   normalizer -> pre-tokenizer -> model -> post-processor, and the decoder for the way back
 *
 * Each part is a small struct with its settings and a `type`: a constant table of functions under the
 * name that tokenizer.json uses. A new kind of part is one file with one such table, and a line in the
 * list of pipeline.c. Parts are filled in when the tokenizer is loaded and are constant
 * afterwards: any thread may use them; what they write to belongs to the caller. */
#ifndef PIPELINE_H
#define PIPELINE_H

#include "buffer.h"
#include "json_fields.h"
#include "normalized_text.h"
#include "vocabulary.h"

/* ---- normalizer: from text to the text that the model was trained on */

struct normalizer;

struct normalizer_type {
    const char *name;
    model_status (*load)(const struct json_place *place, struct normalizer *ret,
                         struct model_error *err);
    /* Appends to an empty `ret`. `source` is where text starts in the caller's text. Fails without
     * memory only. */
    model_status (*run)(const struct normalizer *self, const char *text, size_t text_bytes,
                        size_t source, struct normalized_text *ret);
};

struct normalizer {
    const struct normalizer_type *type;
    bool clean_text, handle_chinese_chars, strip_accents, lowercase;
    unsigned char ascii[256]; /* what becomes of a byte; 0x80: not so simple */
};

/* ---- pre-tokenizer: from normalised text to words */

struct pre_tokenizer_type {
    const char *name;
    /* The next word at or after *at, and *at behind it; false when there is none. */
    bool (*next)(const char *text, size_t text_bytes, size_t *at, size_t *ret_start,
                 size_t *ret_end);
};

/* ---- model: from a word to tokens */

struct token {
    int32_t id;
    int32_t word; /* which word of the text, counted from 0 */
    struct text_span span;
    bool added; /* found in the text by itself, not by the model */
};

struct token_list {
    struct token *tokens;
    size_t n_tokens, capacity;
};

/* Room for one more. */
model_status token_list_reserve(struct token_list *list);

struct tokenizer_model;

struct tokenizer_model_type {
    const char *name;
    /* Into a cleared struct; on failure its owner calls tokenizer_model_finish(). */
    model_status (*load)(const struct json_place *place, struct tokenizer_model *ret,
                         struct model_error *err);
    /* Appends the tokens of one word; spans are relative to the word. */
    model_status (*run)(const struct tokenizer_model *self, const char *word, size_t word_bytes,
                        struct token_list *ret);
};

struct tokenizer_model {
    const struct tokenizer_model_type *type;
    struct vocabulary vocab;
    char *prefix;          /* of a piece that continues a word: "##" */
    uint32_t continuing;   /* the trie's node behind prefix, or TRIE_NONE */
    size_t max_word_chars; /* longer words are unknown */
    int32_t unk_id;
};

/* ---- post-processor: where the special tokens go */

enum piece_kind { PIECE_FIRST, PIECE_SECOND, PIECE_SPECIAL };

struct template_piece {
    enum piece_kind kind;
    int32_t type_id;
    int32_t id; /* of PIECE_SPECIAL */
};

struct template
{
    struct template_piece *pieces; /* (n_pieces) */
    size_t n_pieces;
    size_t n_special;
};

struct post_processor {
    struct template single, pair;
};

struct post_processor_type {
    const char *name;
    model_status (*load)(const struct json_place *place, struct post_processor *ret,
                         struct model_error *err);
};

/* ---- decoder: from tokens to text */

struct decoder;

struct decoder_type {
    const char *name;
    model_status (*load)(const struct json_place *place, struct decoder *ret,
                         struct model_error *err);
    /* Appends the text of one token; `first` for the first one of a text. `scratch` is the caller's,
     * to be reused. */
    model_status (*append)(const struct decoder *self, const char *token, bool first,
                           struct buffer *scratch, struct buffer *ret);
};

struct decoder {
    const struct decoder_type *type;
    char *prefix;
    bool cleanup;
};

/* ---- what there is */

extern const struct normalizer_type bert_normalizer_type;
extern const struct pre_tokenizer_type bert_pre_tokenizer_type;
extern const struct tokenizer_model_type wordpiece_type;
extern const struct post_processor_type template_processing_type;
extern const struct post_processor_type bert_processing_type;
extern const struct post_processor_type default_processing_type; /* a pair, one after the other */
extern const struct decoder_type wordpiece_decoder_type;
extern const struct decoder_type default_decoder_type; /* tokens with a space between */

/* The part under `place` by its "type", filled in; an absent or null part gives the default one where
 * there is one. MODEL_UNSUPPORTED names the type and those that are supported. */
model_status normalizer_load(const struct json_place *place, struct normalizer *ret,
                             struct model_error *err);
model_status pre_tokenizer_load(const struct json_place *place,
                                const struct pre_tokenizer_type **ret, struct model_error *err);
model_status tokenizer_model_load(const struct json_place *place, struct tokenizer_model *ret,
                                  struct model_error *err);
void tokenizer_model_finish(struct tokenizer_model *model);
model_status post_processor_load(const struct json_place *place, struct post_processor *ret,
                                 struct model_error *err);
void post_processor_finish(struct post_processor *processor);
model_status decoder_load(const struct json_place *place, struct decoder *ret,
                          struct model_error *err);
void decoder_finish(struct decoder *decoder);

#endif
