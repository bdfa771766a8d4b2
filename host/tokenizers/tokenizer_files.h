/* tokenizer_files.h - tokenizers of folders without a tokenizer.json: what a vocabulary and the
 * configurations beside it say is turned into the tree of the tokenizer.json that the class stands for,
 * so that there is one loader. After Hugging Face transformers. [any-thread] */
#ifndef TOKENIZER_FILES_H
#define TOKENIZER_FILES_H

#include "tokenizer_inside.h"

#define TOKENIZER_MAX_FILE_BYTES (64u << 20)

/* Where the files are, and those beside the vocabulary; NULL: not there. */
struct tokenizer_configs {
    const struct archive *archive; /* that the files are in; NULL: a folder */
    json_node *tokenizer;          /* tokenizer_config.json */
    json_node *special;            /* special_tokens_map.json */
    json_node *added_tokens;       /* added_tokens.json, of older folders: {token: id} */
};

/* A special token of a class, by the name that configurations have for it. */
struct special_name {
    const char *key, *fallback; /* NULL: the class has none */
    bool lstrip;
};

/* The text of a special token: "[MASK]" or {"content": "[MASK]", ...}; NULL: neither. */
const char *tokenizer_token_text(const json_node *node);
/* A member of tokenizer_config.json. */
const json_node *tokenizer_config(const struct tokenizer_configs *configs, const char *key);
/* "mask_token" by the files, or the fallback. */
const char *tokenizer_special(const struct tokenizer_configs *configs, const char *key,
                              const char *fallback);
/* Adds "added_tokens" to the tree: what tokenizer_config.json and added_tokens.json list, the special
 * tokens by their names, the additional ones. `appends`: those that the files name and the vocabulary
 * lacks get the next ids. False: no memory. */
bool tokenizer_add_tokens(json_node *tree, const struct tokenizer_configs *configs,
                          const json_node *vocab, const struct special_name *names, size_t n_names,
                          bool appends);
/* MODEL_UNSUPPORTED: more added tokens than are read. */
model_status tokenizer_check_added(const struct tokenizer_configs *configs, const char *path,
                                   struct model_error *err);
/* "sep": ["[SEP]", 102]. MODEL_CORRUPT: the vocabulary lacks it; `of` says of what model it should be. */
model_status tokenizer_add_pair(json_node *processor, const char *key, const char *text,
                                const json_node *vocab, const char *path, const char *of,
                                struct model_error *err);

/* From vocab.txt, as BertTokenizer. */
model_status bert_files_load(const char *vocab_path, const struct tokenizer_configs *configs,
                             struct tokenizer **ret, struct model_error *err);
/* A member of the model that names the file of its merges, for errors. */
#define BPE_MERGES_FILE "merges_file"
/* From vocab.json and merges.txt, as GPT2Tokenizer and others by tokenizer_class. */
model_status bpe_files_load(const char *vocab_path, const char *merges_path,
                            const struct tokenizer_configs *configs, struct tokenizer **ret,
                            struct model_error *err);

#endif
