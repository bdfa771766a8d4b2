/* tokenizer.h - from text to token ids and back, as the Hugging Face tokenizers library does it:
 * identical ids, from tokenizer.json, from vocab.txt, or from vocab.json with merges.txt.
 *
 * A tokenizer is immutable once loaded and may be shared by threads. The models are WordPiece and BPE,
 * the parts around them those that pipeline.h lists; a file that asks for something else is refused by
 * name. Token by token, incremental_decoder.h decodes. */
#ifndef TOKENIZER_H
#define TOKENIZER_H

#include "buffer.h"
#include "encoding.h"

struct archive;
struct tokenizer;

/* The longest text that is encoded. */
#define TOKENIZER_MAX_TEXT_BYTES (256u << 20)

/* Opens the tokenizer of a folder: tokenizer.json, or else vocab.json with merges.txt, or else vocab.txt,
 * with what tokenizer_config.json and special_tokens_map.json say of it (without them: GPT-2; lower case,
 * as BERT's own class has it).
 * MODEL_NOT_FOUND: neither is there. MODEL_UNSUPPORTED: a part of another kind, named. MODEL_CORRUPT:
 * a file breaks its format. [any-thread] */
model_status tokenizer_load(const char *folder, struct tokenizer **ret, struct model_error *err);
/* The same for a folder of an archive, as package_file.h names it; NULL: on disk. */
model_status tokenizer_load_from(const struct archive *archive, const char *folder,
                                 struct tokenizer **ret, struct model_error *err);

/* The same from the text of a tokenizer.json alone; `what` names it in errors. [any-thread] */
model_status tokenizer_from_json(const char *text, size_t size_bytes, const char *what,
                                 struct tokenizer **ret, struct model_error *err);

/* NULL does nothing. */
void tokenizer_destroy(struct tokenizer *tokenizer);

/* What tokenizer.json says, or something else. */
enum tokenizer_switch {
    TOKENIZER_AS_FILE = 0, /* (for a vocab.txt: off) */
    TOKENIZER_OFF,
    TOKENIZER_ON
};

enum truncation_strategy {
    TRUNCATE_LONGEST_FIRST = 0, /* the longer text loses first, then both in turn */
    TRUNCATE_ONLY_FIRST,
    TRUNCATE_ONLY_SECOND
};

/* All zero: text without special tokens, truncated and padded as tokenizer.json says. */
struct tokenizer_options {
    bool add_special_tokens;
    enum tokenizer_switch truncation;
    /* With truncation ON: tokens at most, special ones included; 0: tokenizer.json's max_length, else
     * tokenizer_model_max_length(). */
    int64_t max_tokens;
    int64_t stride;                    /* with truncation ON: tokens by which windows overlap */
    enum truncation_strategy strategy; /* with truncation ON */
    bool windows;                      /* give the truncated rest too, as further windows */
    enum tokenizer_switch padding;
    int64_t pad_to_tokens; /* with padding ON: so many tokens at least */
    const uint32_t
        *cancelled; /* atomic; looked at now and then: the status to stop with; NULL: none */
};

/* The ids of a text, or of a text and its pair (NULL: none). MODEL_INVALID_ARGUMENT: not UTF-8, too
 * long, or a truncation that leaves no room. Spans are bytes of the original text. `ret` is reused; on
 * failure it is empty. [any-thread, one at a time per `ret`] */
model_status tokenizer_encode(const struct tokenizer *tokenizer, const char *text,
                              size_t text_bytes, const char *pair, size_t pair_bytes,
                              const struct tokenizer_options *options, struct encoding *ret,
                              struct model_error *err);

/* Appends the text of n ids; an id that no token has is passed over, as the reference does.
 * [any-thread] */
model_status tokenizer_decode(const struct tokenizer *tokenizer, const int64_t *ids, size_t n,
                              bool skip_special_tokens, struct buffer *ret,
                              struct model_error *err);

/* All below [any-thread]. */

/* The token of an id, living as long as the tokenizer; NULL: there is none. */
const char *tokenizer_token(const struct tokenizer *tokenizer, int64_t id);
/* The id of a token, or -1. */
int64_t tokenizer_id(const struct tokenizer *tokenizer, const char *token);
/* The highest id and one, added tokens included: the least number of rows of an embedding. */
int64_t tokenizer_vocab_size(const struct tokenizer *tokenizer);
/* By tokenizer_config.json or special_tokens_map.json, else "[MASK]" and "[PAD]"; -1: there is none. */
int64_t tokenizer_mask_id(const struct tokenizer *tokenizer);
int64_t tokenizer_pad_id(const struct tokenizer *tokenizer);
int64_t tokenizer_unk_id(const struct tokenizer *tokenizer);
/* The token that begins a text and the one that ends it, by tokenizer_config.json or
 * special_tokens_map.json, without a tokenizer.json also by the class; -1: there is none. */
int64_t tokenizer_bos_id(const struct tokenizer *tokenizer);
int64_t tokenizer_eos_id(const struct tokenizer *tokenizer);
/* tokenizer_config.json's model_max_length; 0: not said, or without limit. */
int64_t tokenizer_model_max_length(const struct tokenizer *tokenizer);

#endif
