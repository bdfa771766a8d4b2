/* coreml_listing.c - see coreml_listing.h. Looks at words, strings and brackets only: "func NAME<OPSET>(" begins a
 * function, "= NAME(" is an operation, but not in brackets: [name = string("x")]. */
#include "coreml_listing.h"
#include "buffer.h"
#include "errors.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

#define MAX_NAMES      4096u /* each is compared with those before it */
#define MAX_NAME_BYTES 256u

struct word {
    const char *at;
    size_t n_bytes; /* of a name; 1 of another character; 0 at the end */
    bool is_name;
};

struct lister {
    const char *at, *end, *what;
    size_t line, depth; /* of braces, brackets and parentheses */
    size_t attributes;  /* the depth within the outermost "[" that is open; 0: there is none */
    struct coreml_listing listing;
    struct model_error *err;
};

static model_status refuse(const struct lister *lister, const char *why)
{
    return error_set(lister->err, MODEL_CORRUPT, "%s: line %zu: %s", lister->what, lister->line,
                     why);
}

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.';
}

/* Behind the closing quote; false: there is none. */
static bool skip_string(struct lister *lister)
{
    for (lister->at++; lister->at < lister->end; lister->at++) {
        if (*lister->at == '"') {
            lister->at++;
            return true;
        }
        lister->line += *lister->at == '\n';
        if (*lister->at == '\\' && lister->at + 1 < lister->end)
            lister->at++;
    }
    return false;
}

/* The next name or character; strings count as one '"'. */
static model_status next(struct lister *lister, struct word *ret)
{
    while (lister->at < lister->end && strchr(" \t\r\n", *lister->at) != NULL &&
           *lister->at != '\0')
        lister->line += *lister->at++ == '\n';
    *ret = (struct word){lister->at, 0, false};
    if (lister->at == lister->end)
        return MODEL_OK;
    if (*lister->at == '"') {
        ret->n_bytes = 1;
        return skip_string(lister) ? MODEL_OK : refuse(lister, "a string does not end");
    }
    while (lister->at < lister->end && is_name_byte(*lister->at))
        lister->at++;
    ret->is_name = lister->at > ret->at;
    if (!ret->is_name)
        lister->at++;
    ret->n_bytes = (size_t)(lister->at - ret->at);
    return MODEL_OK;
}

static bool is_word(const struct word *word, const char *text)
{
    return word->n_bytes == strlen(text) && memcmp(word->at, text, word->n_bytes) == 0;
}

/* Counts a name; functions are new each time. */
static model_status count(struct lister *lister, struct coreml_listed **list, size_t *n,
                          const struct word *word, bool is_new)
{
    for (size_t i = 0; i < *n && !is_new; i++)
        if (is_word(word, (*list)[i].name)) {
            (*list)[i].n++;
            return MODEL_OK;
        }
    if (*n == MAX_NAMES || word->n_bytes > MAX_NAME_BYTES)
        return refuse(lister, "more or longer names than are read");
    struct coreml_listed *grown = realloc(*list, (*n + 1) * sizeof *grown);
    if (grown == NULL)
        return error_no_memory(lister->err, lister->what);
    *list = grown;
    grown[*n].n = is_new ? 0 : 1;
    grown[*n].name = text_format("%.*s", (int)word->n_bytes, word->at);
    if (grown[*n].name == NULL)
        return error_no_memory(lister->err, lister->what);
    (*n)++;
    return MODEL_OK;
}

/* Behind "func": NAME<OPSET>. */
static model_status read_function(struct lister *lister)
{
    struct coreml_listing *listing = &lister->listing;
    struct word name, open = {.n_bytes = 0}, opset = {.n_bytes = 0};
    model_status status = next(lister, &name);
    if (status == MODEL_OK)
        status = next(lister, &open);
    if (status == MODEL_OK)
        status = next(lister, &opset);
    if (status == MODEL_OK && !(name.is_name && is_word(&open, "<") && opset.is_name))
        status = refuse(lister, "want func NAME<OPSET>");
    if (status == MODEL_OK)
        status = count(lister, &listing->functions, &listing->n_functions, &name, true);
    if (status == MODEL_OK && listing->opset == NULL &&
        (listing->opset = text_format(
             "%.*s", (int)(opset.n_bytes < MAX_NAME_BYTES ? opset.n_bytes : MAX_NAME_BYTES),
             opset.at)) == NULL)
        status = error_no_memory(lister->err, lister->what);
    return status;
}

/* A name behind "=" and before "(". */
static model_status read_operation(struct lister *lister, const struct word *name)
{
    struct coreml_listing *listing = &lister->listing;
    if (listing->n_functions == 0 || lister->attributes > 0 || is_word(name, "const") ||
        is_word(name, "tensor"))
        return MODEL_OK;
    listing->functions[listing->n_functions - 1].n++;
    listing->n_operations++;
    return count(lister, &listing->operators, &listing->n_operators, name, false);
}

static model_status follow_bracket(struct lister *lister, const struct word *word)
{
    const bool is_close = strchr("})]", *word->at) != NULL;
    if (strchr("{([", *word->at) != NULL)
        lister->depth++;
    else if (is_close && lister->depth == 0)
        return refuse(lister, "a bracket that nothing opens");
    else if (is_close)
        lister->depth--;
    if (lister->attributes == 0 && is_word(word, "["))
        lister->attributes = lister->depth;
    else if (lister->depth < lister->attributes)
        lister->attributes = 0;
    return MODEL_OK;
}

static model_status read_words(struct lister *lister)
{
    struct word before = {.n_bytes = 0}, middle = before, word = before;
    model_status status = next(lister, &word);
    if (status == MODEL_OK && !is_word(&word, "program"))
        return refuse(lister, "no ML Program: want program(1.0)");
    for (; status == MODEL_OK && word.n_bytes > 0;) {
        if (is_word(&word, "func"))
            status = read_function(lister);
        else if (is_word(&word, "(") && middle.is_name && is_word(&before, "="))
            status = read_operation(lister, &middle);
        if (status == MODEL_OK && !word.is_name)
            status = follow_bracket(lister, &word);
        before = middle;
        middle = word;
        if (status == MODEL_OK)
            status = next(lister, &word);
    }
    if (status == MODEL_OK && lister->depth > 0)
        status = refuse(lister, "the text ends within a bracket");
    if (status == MODEL_OK && lister->listing.n_functions == 0)
        status = refuse(lister, "the program has no function");
    return status;
}

static int compare(const void *a, const void *b)
{
    const struct coreml_listed *first = a, *second = b;
    if (first->n != second->n)
        return first->n > second->n ? -1 : 1;
    return strcmp(first->name, second->name);
}

model_status coreml_listing_parse(const char *text, size_t size_bytes, const char *what,
                                  struct coreml_listing *ret, struct model_error *err)
{
    struct lister lister = {
        .at = text, .end = text + size_bytes, .what = what, .line = 1, .err = err};
    model_status status = utf8_valid_prefix(text, size_bytes) == size_bytes
                              ? read_words(&lister)
                              : refuse(&lister, "no UTF-8 text");
    if (status != MODEL_OK) {
        coreml_listing_finish(&lister.listing);
        return status;
    }
    if (lister.listing.n_operators > 0)
        qsort(lister.listing.operators, lister.listing.n_operators,
              sizeof *lister.listing.operators, compare);
    *ret = lister.listing;
    return MODEL_OK;
}

static void free_list(struct coreml_listed *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(list[i].name);
    free(list);
}

void coreml_listing_finish(struct coreml_listing *listing)
{
    free(listing->opset);
    free_list(listing->functions, listing->n_functions);
    free_list(listing->operators, listing->n_operators);
    *listing = (struct coreml_listing){.opset = NULL};
}
