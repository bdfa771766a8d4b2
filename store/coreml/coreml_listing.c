/* coreml_listing.c - see coreml_listing.h. Looks at words, strings and brackets only: "func NAME<OPSET>(" begins a
 * function, "= NAME(" is an operation, but not in brackets: [name = string("x")]. */
#include "coreml_listing.h"
#include "buffer.h"
#include "coreml_signature.h"
#include "errors.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

#define MAX_NAMES      4096u /* each is compared with those before it */
#define MAX_NAME_BYTES 256u

struct lister {
    struct coreml_words words;
    struct coreml_words body; /* of the first function */
    size_t depth;             /* of braces, brackets and parentheses */
    size_t attributes; /* the depth within the outermost "[" that is open; 0: there is none */
    size_t first;      /* the depth around the first function */
    bool has_outputs;  /* of the first function */
    struct coreml_listing listing;
    struct model_error *err;
};

static model_status refuse(const struct lister *lister, const char *why)
{
    return coreml_words_refuse(&lister->words, why, lister->err);
}

static model_status next(struct lister *lister, struct coreml_word *ret)
{
    return coreml_words_next(&lister->words, ret, lister->err);
}

/* Counts a name; functions are new each time. */
static model_status count(struct lister *lister, struct coreml_listed **list, size_t *n,
                          const struct coreml_word *word, bool is_new)
{
    for (size_t i = 0; i < *n && !is_new; i++)
        if (coreml_word_is(word, (*list)[i].name)) {
            (*list)[i].n++;
            return MODEL_OK;
        }
    if (*n == MAX_NAMES || word->n_bytes > MAX_NAME_BYTES)
        return refuse(lister, "more or longer names than are read");
    struct coreml_listed *grown = realloc(*list, (*n + 1) * sizeof *grown);
    if (grown == NULL)
        return error_no_memory(lister->err, lister->words.what);
    *list = grown;
    grown[*n].n = is_new ? 0 : 1;
    grown[*n].name = text_format("%.*s", (int)word->n_bytes, word->at);
    if (grown[*n].name == NULL)
        return error_no_memory(lister->err, lister->words.what);
    (*n)++;
    return MODEL_OK;
}

/* Behind "func": NAME<OPSET>, and of the first one what it takes. */
static model_status read_function(struct lister *lister)
{
    struct coreml_listing *listing = &lister->listing;
    struct coreml_word name, open = {.n_bytes = 0}, opset = open, close = open;
    model_status status = next(lister, &name);
    if (status == MODEL_OK)
        status = next(lister, &open);
    if (status == MODEL_OK)
        status = next(lister, &opset);
    if (status == MODEL_OK && !(name.is_name && coreml_word_is(&open, "<") && opset.is_name))
        status = refuse(lister, "want func NAME<OPSET>");
    if (status == MODEL_OK)
        status = count(lister, &listing->functions, &listing->n_functions, &name, true);
    if (status == MODEL_OK && listing->opset != NULL)
        return MODEL_OK;
    if (status == MODEL_OK &&
        (listing->opset = text_format(
             "%.*s", (int)(opset.n_bytes < MAX_NAME_BYTES ? opset.n_bytes : MAX_NAME_BYTES),
             opset.at)) == NULL)
        status = error_no_memory(lister->err, lister->words.what);
    if (status == MODEL_OK)
        status = next(lister, &close);
    if (status == MODEL_OK && !coreml_word_is(&close, ">"))
        status = refuse(lister, "want func NAME<OPSET>");
    if (status == MODEL_OK)
        status = coreml_signature_inputs(&lister->words, &listing->interface, lister->err);
    lister->body = lister->words;
    lister->first = lister->depth;
    return status;
}

/* Behind "->", where a function or a block in it ends. */
static model_status read_outputs(struct lister *lister)
{
    if (lister->listing.n_functions != 1 || lister->depth != lister->first || lister->has_outputs)
        return MODEL_OK;
    lister->has_outputs = true;
    return coreml_signature_outputs(&lister->words, &lister->body, &lister->listing.interface,
                                    lister->err);
}

/* A name behind "=" and before "(". */
static model_status read_operation(struct lister *lister, const struct coreml_word *name)
{
    struct coreml_listing *listing = &lister->listing;
    if (listing->n_functions == 0 || lister->attributes > 0 || coreml_word_is(name, "const") ||
        coreml_word_is(name, "tensor"))
        return MODEL_OK;
    listing->functions[listing->n_functions - 1].n++;
    listing->n_operations++;
    return count(lister, &listing->operators, &listing->n_operators, name, false);
}

static model_status follow_bracket(struct lister *lister, const struct coreml_word *word)
{
    const bool is_close = strchr("})]", *word->at) != NULL;
    if (strchr("{([", *word->at) != NULL)
        lister->depth++;
    else if (is_close && lister->depth == 0)
        return refuse(lister, "a bracket that nothing opens");
    else if (is_close)
        lister->depth--;
    if (lister->attributes == 0 && coreml_word_is(word, "["))
        lister->attributes = lister->depth;
    else if (lister->depth < lister->attributes)
        lister->attributes = 0;
    return MODEL_OK;
}

static model_status read_words(struct lister *lister)
{
    struct coreml_word before = {.n_bytes = 0}, middle = before, word = before;
    model_status status = next(lister, &word);
    if (status == MODEL_OK && !coreml_word_is(&word, "program"))
        return refuse(lister, "no ML Program: want program(1.0)");
    for (; status == MODEL_OK && word.n_bytes > 0;) {
        if (coreml_word_is(&word, "func"))
            status = read_function(lister);
        else if (coreml_word_is(&word, "(") && middle.is_name && coreml_word_is(&before, "="))
            status = read_operation(lister, &middle);
        else if (coreml_word_is(&word, ">") && coreml_word_is(&middle, "-"))
            status = read_outputs(lister);
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
        .words = {.at = text, .end = text + size_bytes, .what = what, .line = 1}, .err = err};
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
    coreml_interface_finish(&listing->interface);
    *listing = (struct coreml_listing){.opset = NULL};
}
