/* vocabulary.h - tokens and their ids, both ways. Built while a tokenizer is loaded; constant
 * afterwards, so that any thread may read it. Tokens are copied. */
#ifndef VOCABULARY_H
#define VOCABULARY_H

#include "buffer.h"
#include "json_fields.h"
#include "trie.h"

#define VOCABULARY_MAX_IDS (4 << 20)

struct vocabulary_added {
    char *text;
    int32_t id;
};

struct vocabulary {
    const char **tokens; /* (n_ids) by id; NULL: no token has this id */
    size_t n_ids;        /* the highest id and one */
    size_t next_id;      /* which the next token added gets, by the rule of the reference */
    struct trie trie;    /* of the model's own tokens; not those added later */
    char *texts;         /* the model's tokens, terminated, end to end */
    struct vocabulary_added *added; /* (n_added) tokens added later */
    size_t n_added;
};

/* From an object {token: id, ...}. MODEL_CORRUPT names the token whose id is no id, or stands twice. */
model_status vocabulary_load(const struct json_place *place, struct vocabulary *ret,
                             struct model_error *err);
/* One more token, whose id is vocab->next_id: known by its id and to vocabulary_id(), not to the model.
 * MODEL_INVALID_ARGUMENT when the id is taken or too high. */
model_status vocabulary_add(struct vocabulary *vocab, const char *token);
/* The id of one of the model's own tokens, or -1. */
int32_t vocabulary_find(const struct vocabulary *vocab, const char *token);
/* The id of any token, or -1; slow for those added later. */
int32_t vocabulary_id(const struct vocabulary *vocab, const char *token);
/* NULL: there is none. */
const char *vocabulary_token(const struct vocabulary *vocab, int64_t id);
void vocabulary_finish(struct vocabulary *vocab);

#endif
