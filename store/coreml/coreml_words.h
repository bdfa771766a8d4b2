/* coreml_words.h - the words of an ML Program as text: names, single characters and strings, one after the other. A copy of the
 * struct is a place to come back to. [any-thread] */
#ifndef COREML_WORDS_H
#define COREML_WORDS_H

#include "modelhost.h"

#include <stdbool.h>

struct coreml_words {
    const char *at, *end; /* not read yet */
    const char *what;     /* names the text in errors */
    size_t line;          /* from 1 on */
};

struct coreml_word {
    const char *at;
    size_t n_bytes; /* of a name; 1 of another character; 0 at the end */
    bool is_name;   /* letters, digits, '_' and '.' */
};

/* The next name or character; strings count as one '"'. MODEL_CORRUPT: a string does not end. */
model_status coreml_words_next(struct coreml_words *words, struct coreml_word *ret,
                               struct model_error *err);
bool coreml_word_is(const struct coreml_word *word, const char *text);
/* MODEL_CORRUPT: "<what>: line 3: <why>". */
model_status coreml_words_refuse(const struct coreml_words *words, const char *why,
                                 struct model_error *err);

#endif
