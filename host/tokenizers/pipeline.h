/* pipeline.h - the parts of a tokenizer, in the order in which text passes them:
 *
 *   normalizers -> pre-tokenizers -> model -> post-processor, and the decoders for the way back
 *
 * Each part is a small struct with its settings and a `type`: a constant table of functions under the
 * name that tokenizer.json uses. A new kind of part is one file with one such table, and a line in the
 * list of pipeline.c. Normalizers, pre-tokenizers and decoders are chains of steps: tokenizer.json's
 * "Sequence" is laid out flat when it is loaded. Parts are constant afterwards: any thread may use them;
 * what they write to belongs to the caller.
 *
 * What runs may fail with MODEL_OUT_OF_MEMORY, for which the caller finds words, and with another
 * status, for which `err` is set. */
#ifndef PIPELINE_H
#define PIPELINE_H

#include "buffer.h"
#include "json_fields.h"
#include "merge_word.h"
#include "normalized_text.h"
#include "pattern.h"
#include "vocabulary.h"
#include "word_cache.h"

#define PIPELINE_MAX_STEPS 16

/* ---- normalizer: from text to the text that the model was trained on */

struct normalizer;

struct normalizer_type {
    const char *name;
    /* Into a cleared struct; on failure its owner calls normalizer_finish(). */
    model_status (*load)(const struct json_place *place, struct normalizer *ret,
                         struct model_error *err);
    /* Appends to an empty `ret`. `source` is where text starts in the caller's text. */
    model_status (*run)(const struct normalizer *self, const char *text, size_t text_bytes,
                        size_t source, struct normalized_text *ret, struct model_error *err);
};

struct normalizer {
    const struct normalizer_type *type;
    /* BertNormalizer */
    bool clean_text, handle_chinese_chars, strip_accents, lowercase;
    unsigned char ascii[256]; /* what becomes of a byte; 0x80: not so simple */
    /* Strip */
    bool strip_left, strip_right;
    /* Replace, Prepend */
    struct pattern *pattern; /* or: */
    char *literal;           /* what is looked for */
    char *content;           /* what comes in its place, or before the text */
};

struct normalizer_chain {
    struct normalizer *steps; /* (n_steps); none: the text stays as it is */
    size_t n_steps;
};

/* Text through all steps, into `ret` (emptied first); `spare` is the caller's, to be reused.
 * MODEL_INVALID_ARGUMENT: it grows past normalized_text_bound(). */
model_status normalizer_chain_run(const struct normalizer_chain *chain, const char *text,
                                  size_t text_bytes, size_t source, struct normalized_text *spare,
                                  struct normalized_text *ret, struct model_error *err);

/* ---- pre-tokenizer: from normalised text to words */

struct pre_tokenizer;
struct pre_tokenizer_chain;

/* Text between matches, or a match. */
struct text_piece {
    size_t start, end;
    bool is_match;
};

/* A walk over the words of a text. All zero at first, but for the memory. */
struct word_search {
    struct pattern_memory *memory; /* the caller's, for steps with patterns */
    size_t at;                     /* where it goes on */
    model_status status;           /* why it ended */
    struct text_piece ahead[2];    /* (n_ahead) found already */
    size_t n_ahead;
    bool matched; /* there was a match, which ended at match_end */
    size_t match_end;
};

struct pre_tokenizer_type {
    const char *name;
    /* Adds its steps, by pre_tokenizer_chain_add(). */
    model_status (*load)(const struct json_place *place, struct pre_tokenizer_chain *ret,
                         struct model_error *err);
    /* The next word, which is not empty; false when there is none, or with search->status set. */
    bool (*next)(const struct pre_tokenizer *self, const char *text, size_t text_bytes,
                 struct word_search *search, size_t *ret_start, size_t *ret_end,
                 struct model_error *err);
    /* Instead of next: text[start, end) as another word, appended to an empty `ret`, whose sources are
     * positions in text. */
    model_status (*rewrite)(const struct pre_tokenizer *self, const char *text, size_t start,
                            size_t end, struct normalized_text *ret);
};

/* What becomes of a match that splits a text; the words are those of tokenizer.json. */
enum split_behaviour {
    SPLIT_REMOVED,
    SPLIT_ISOLATED,
    SPLIT_MERGED_WITH_PREVIOUS,
    SPLIT_MERGED_WITH_NEXT,
    SPLIT_CONTIGUOUS
};

struct pre_tokenizer {
    const struct pre_tokenizer_type *type;
    /* One of these says what matches. */
    struct pattern *pattern;
    char *literal;
    bool (*is_match)(uint32_t codepoint);
    enum split_behaviour behaviour;
    bool invert; /* what lies between the matches counts as match */
};

/* Each step splits the words of the one before it. */
struct pre_tokenizer_chain {
    struct pre_tokenizer *steps; /* (n_steps); none: the whole text is one word */
    size_t n_steps;
};

/* A cleared step at the end, or NULL: err says that there are too many. */
struct pre_tokenizer *pre_tokenizer_chain_add(struct pre_tokenizer_chain *chain,
                                              const struct json_place *place,
                                              struct model_error *err);

/* ---- model: from a word to tokens */

struct token {
    int32_t id;
    int32_t word; /* which word of the text, counted from 0 */
    struct text_span span;
    bool added; /* found in the text by itself, not by the model */
    /* Spaces at the ends, in bytes of the source; only where a post-processor trims. */
    bool one_leading_space;
    uint32_t leading_bytes, trailing_bytes;
};

struct token_list {
    struct token *tokens;
    size_t n_tokens, capacity;
};

/* Room for one more. */
model_status token_list_reserve(struct token_list *list);

struct tokenizer_model;

/* What a model needs on the way; the caller's, all zero at first. */
struct model_scratch {
    struct merge_word word;
    struct word_cache cache;
};

struct tokenizer_model_type {
    const char *name;
    /* Into a cleared struct; on failure its owner calls tokenizer_model_finish(). */
    model_status (*load)(const struct json_place *place, struct tokenizer_model *ret,
                         struct model_error *err);
    /* Appends the tokens of one word; spans are relative to the word. */
    model_status (*run)(const struct tokenizer_model *self, const char *word, size_t word_bytes,
                        struct model_scratch *scratch, struct token_list *ret,
                        struct model_error *err);
    /* From now on words are bytes, not the characters of byte_level.h that stand for them; false: the
     * model cannot. NULL: never. Only while it is loaded. */
    bool (*take_bytes)(struct tokenizer_model *self);
};

struct tokenizer_model {
    const struct tokenizer_model_type *type;
    struct vocabulary vocab;
    char *prefix;          /* of a piece that continues a word: "##" */
    uint32_t continuing;   /* the trie's node behind prefix, or TRIE_NONE */
    size_t max_word_chars; /* longer words are unknown */
    int32_t unk_id;        /* -1: none */
    struct bpe *bpe;       /* of "BPE" */
    bool takes_bytes;      /* a token may end inside a character */
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
    bool has_template;
    /* Spans leave out spaces at their ends, but for the one that add_prefix_space put there. */
    bool trims_offsets, add_prefix_space;
};

struct post_processor_type {
    const char *name;
    model_status (*load)(const struct json_place *place, struct post_processor *ret,
                         struct model_error *err);
};

/* ---- decoder: from tokens to text
 *
 * A step takes tokens and passes tokens on. A token may come in several pieces, each of whole
 * characters, of which the last `ends` it: so a step that joins tokens need not wait for the last one. */

struct decoder;

/* What one step remembers of one text; belongs to the caller. */
struct decoder_state {
    struct buffer held;
    struct buffer token; /* the pieces of a token that must be seen whole */
    size_t n_seen;
};

/* Where a step passes its tokens on to. */
struct decoder_next;
model_status decoder_emit(const struct decoder_next *next, const char *text, size_t text_bytes,
                          bool ends);

struct decoder_type {
    const char *name;
    model_status (*load)(const struct json_place *place, struct decoder *ret,
                         struct model_error *err);
    bool pieces; /* takes tokens in pieces */
    /* MODEL_INVALID_ARGUMENT: more than a buffer holds. */
    model_status (*push)(const struct decoder *self, struct decoder_state *state, const char *text,
                         size_t text_bytes, bool ends, const struct decoder_next *next);
    /* After the last token; NULL: nothing is left. */
    model_status (*finish)(const struct decoder *self, struct decoder_state *state,
                           const struct decoder_next *next);
};

struct decoder {
    const struct decoder_type *type;
    char *prefix;        /* "WordPiece" */
    bool cleanup;        /* "WordPiece" */
    char *content;       /* "Replace", "Strip": what is looked for */
    char *with;          /* "Replace" */
    int64_t start, stop; /* "Strip": how many at either end, at most */
};

struct decoder_chain {
    struct decoder *steps; /* (n_steps); none: the tokens end to end */
    size_t n_steps;
};

/* One token into the chain, and the end of all; what comes out is appended to `ret`. `states` is the
 * caller's: (n_steps), each from decoder_state_init(). */
model_status decoder_chain_push(const struct decoder_chain *chain, struct decoder_state *states,
                                const char *token, struct buffer *ret);
model_status decoder_chain_end(const struct decoder_chain *chain, struct decoder_state *states,
                               struct buffer *ret);
void decoder_state_init(struct decoder_state *state);
void decoder_state_finish(struct decoder_state *state);

/* ---- what there is */

extern const struct normalizer_type bert_normalizer_type;
extern const struct normalizer_type nfc_type, nfd_type, nfkc_type, nfkd_type;
extern const struct normalizer_type lowercase_type;
extern const struct normalizer_type strip_type;
extern const struct normalizer_type replace_type;
extern const struct normalizer_type prepend_type;
extern const struct pre_tokenizer_type bert_pre_tokenizer_type;
extern const struct pre_tokenizer_type split_type;
extern const struct pre_tokenizer_type digits_type;
extern const struct pre_tokenizer_type punctuation_type;
extern const struct pre_tokenizer_type whitespace_type;
extern const struct pre_tokenizer_type whitespace_split_type;
extern const struct pre_tokenizer_type byte_level_type;
extern const struct pre_tokenizer_type byte_chars_type; /* the last step of ByteLevel */
extern const struct tokenizer_model_type wordpiece_type;
extern const struct tokenizer_model_type bpe_type;
extern const struct post_processor_type template_processing_type;
extern const struct post_processor_type bert_processing_type;
extern const struct post_processor_type default_processing_type; /* a pair, one after the other */
extern const struct decoder_type wordpiece_decoder_type;
extern const struct post_processor_type byte_level_processing_type;
extern const struct post_processor_type roberta_processing_type;
extern const struct decoder_type byte_level_decoder_type;
extern const struct decoder_type replace_decoder_type;
extern const struct decoder_type byte_fallback_decoder_type;
extern const struct decoder_type fuse_decoder_type;
extern const struct decoder_type strip_decoder_type;
extern const struct decoder_type default_decoder_type; /* tokens with a space between */

/* The part under `place` by its "type", filled in; an absent or null part gives the default one where
 * there is one. MODEL_UNSUPPORTED names the type and those that are supported. */
model_status normalizer_chain_load(const struct json_place *place, struct normalizer_chain *ret,
                                   struct model_error *err);
void normalizer_chain_finish(struct normalizer_chain *chain);
model_status pre_tokenizer_chain_load(const struct json_place *place,
                                      struct pre_tokenizer_chain *ret, struct model_error *err);
void pre_tokenizer_chain_finish(struct pre_tokenizer_chain *chain);
model_status tokenizer_model_load(const struct json_place *place, struct tokenizer_model *ret,
                                  struct model_error *err);
void tokenizer_model_finish(struct tokenizer_model *model);
void bpe_finish(struct bpe *bpe); /* NULL does nothing */
model_status post_processor_load(const struct json_place *place, struct post_processor *ret,
                                 struct model_error *err);
void post_processor_finish(struct post_processor *processor);
model_status decoder_chain_load(const struct json_place *place, struct decoder_chain *ret,
                                struct model_error *err);
void decoder_chain_finish(struct decoder_chain *chain);

#endif
