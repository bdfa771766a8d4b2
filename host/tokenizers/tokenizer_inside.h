/* tokenizer_inside.h - the inside of a tokenizer, shared by the files that load and run it. */
#ifndef TOKENIZER_INSIDE_H
#define TOKENIZER_INSIDE_H

#include "added_tokens.h"
#include "pipeline.h"
#include "tokenizer.h"

/* tokenizer.json's "truncation"; max_tokens 0: none. */
struct truncation {
    int64_t max_tokens, stride;
    enum truncation_strategy strategy;
    bool left; /* keeps the end of the text */
};

struct tokenizer {
    struct normalizer_chain normalizer;
    struct pre_tokenizer_chain pre_tokenizer;
    struct tokenizer_model model;
    struct added_tokens added;
    struct post_processor post_processor;
    struct decoder_chain decoder;
    struct truncation truncation;
    bool pads; /* as the file says, to fixed_tokens, and to a multiple */
    int64_t pad_fixed_tokens, pad_multiple;
    struct padding padding;
    bool *is_special; /* (model.vocab.n_ids) */
    int64_t model_max_length;
    int64_t mask_id, pad_id, bos_id, eos_id;
};

/* From the tree of a tokenizer.json. */
model_status tokenizer_from_tree(const json_node *tree, const char *what, struct tokenizer **ret,
                                 struct model_error *err);

/* The tokens of one text, or as many as are enough; `what` names it in errors. */
model_status text_walk(const struct tokenizer *t, const char *text, size_t text_bytes,
                       const char *what, size_t max_tokens, struct encoding_scratch *scratch,
                       struct token_list *ret, struct model_error *err);

/* What the truncation of one call comes to. */
struct truncation_plan {
    size_t max_tokens;   /* of the texts, without special tokens; SIZE_MAX: no limit */
    size_t whole_tokens; /* with special tokens */
    size_t stride;
    enum truncation_strategy strategy;
    bool left;
    bool windows;
};

/* Cuts the tokens of the texts as planned, and writes the windows with their special tokens. */
model_status windows_assemble(const struct post_processor *processor, bool add_special_tokens,
                              const struct truncation_plan *plan, const struct token_list *lists,
                              bool has_pair, struct encoding *ret, struct model_error *err);

#endif
