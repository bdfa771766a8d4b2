/* coreml_words.c - see coreml_words.h. */
#include "coreml_words.h"
#include "errors.h"

#include <string.h>

model_status coreml_words_refuse(const struct coreml_words *words, const char *why,
                                 struct model_error *err)
{
    return error_set(err, MODEL_CORRUPT, "%s: line %zu: %s", words->what, words->line, why);
}

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.';
}

/* Behind the closing quote; false: there is none. */
static bool skip_string(struct coreml_words *words)
{
    for (words->at++; words->at < words->end; words->at++) {
        if (*words->at == '"') {
            words->at++;
            return true;
        }
        words->line += *words->at == '\n';
        if (*words->at == '\\' && words->at + 1 < words->end)
            words->at++;
    }
    return false;
}

model_status coreml_words_next(struct coreml_words *words, struct coreml_word *ret,
                               struct model_error *err)
{
    while (words->at < words->end && strchr(" \t\r\n", *words->at) != NULL && *words->at != '\0')
        words->line += *words->at++ == '\n';
    *ret = (struct coreml_word){words->at, 0, false};
    if (words->at == words->end)
        return MODEL_OK;
    if (*words->at == '"') {
        ret->n_bytes = 1;
        return skip_string(words) ? MODEL_OK
                                  : coreml_words_refuse(words, "a string does not end", err);
    }
    while (words->at < words->end && is_name_byte(*words->at))
        words->at++;
    ret->is_name = words->at > ret->at;
    if (!ret->is_name)
        words->at++;
    ret->n_bytes = (size_t)(words->at - ret->at);
    return MODEL_OK;
}

bool coreml_word_is(const struct coreml_word *word, const char *text)
{
    return word->n_bytes == strlen(text) && memcmp(word->at, text, word->n_bytes) == 0;
}
