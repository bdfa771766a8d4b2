/* coreml_signature.c - see coreml_signature.h. A type is "fp16", "tensor<fp16, [1, ?]>", "state<tensor<...>>"; of others
 * ("list<...>") the first word is known alone. */
#include "coreml_signature.h"
#include "errors.h"
#include "string_map.h"

#include <string.h>

#define MAX_NAME_BYTES 256u
#define MAX_SIZE_BYTES 18u /* digits that an int64 always holds */

static model_status refuse_many(const struct coreml_words *words, struct model_error *err)
{
    return coreml_words_refuse(words, "more or longer names than are read", err);
}

static model_status expect(struct coreml_words *words, const char *text, struct model_error *err)
{
    struct coreml_word word;
    model_status status = coreml_words_next(words, &word, err);
    if (status == MODEL_OK && !coreml_word_is(&word, text))
        status = error_set(err, MODEL_CORRUPT, "%s: line %zu: want '%s' in a function's signature",
                           words->what, words->line, text);
    return status;
}

static bool is_next(const struct coreml_words *words, const char *text)
{
    struct coreml_words ahead = *words;
    struct coreml_word word;
    return coreml_words_next(&ahead, &word, NULL) == MODEL_OK && coreml_word_is(&word, text);
}

/* -1: one that is known when the program runs, "?" or a symbol. */
static int64_t size_of(const struct coreml_word *word)
{
    int64_t size = 0;
    for (size_t i = 0; i < word->n_bytes; i++) {
        if (word->at[i] < '0' || word->at[i] > '9' || i == MAX_SIZE_BYTES)
            return -1;
        size = size * 10 + (word->at[i] - '0');
    }
    return size;
}

/* Behind "[". */
static model_status read_shape(struct coreml_words *words, struct coreml_feature *ret,
                               struct model_error *err)
{
    struct coreml_word word;
    model_status status = MODEL_OK;
    if (is_next(words, "]"))
        return expect(words, "]", err);
    for (;;) {
        status = coreml_words_next(words, &word, err);
        if (status != MODEL_OK)
            return status;
        if (!word.is_name && !coreml_word_is(&word, "?"))
            return coreml_words_refuse(words, "want a size or '?' in a function's signature", err);
        if (ret->rank == MODEL_MAX_RANK)
            return coreml_words_refuse(words, "a tensor of more dimensions than are read", err);
        ret->shape[ret->rank++] = size_of(&word);
        if (is_next(words, "]"))
            return expect(words, "]", err);
        if ((status = expect(words, ",", err)) != MODEL_OK)
            return status;
    }
}

static void set_dtype(struct coreml_feature *feature, const struct coreml_word *word)
{
    feature->dtype = coreml_dtype_model(coreml_dtype_named(word->at, word->n_bytes));
    feature->kind = coreml_word_is(word, "string") ? COREML_FEATURE_STRING : COREML_FEATURE_ARRAY;
}

/* Behind "tensor": <fp16, [1, ?]>. */
static model_status read_tensor(struct coreml_words *words, struct coreml_feature *ret,
                                struct model_error *err)
{
    struct coreml_word dtype;
    model_status status = expect(words, "<", err);
    if (status == MODEL_OK)
        status = coreml_words_next(words, &dtype, err);
    if (status == MODEL_OK)
        status = expect(words, ",", err);
    if (status == MODEL_OK)
        status = expect(words, "[", err);
    if (status == MODEL_OK)
        status = read_shape(words, ret, err);
    if (status == MODEL_OK)
        set_dtype(ret, &dtype);
    return status == MODEL_OK ? expect(words, ">", err) : status;
}

/* Past "<...>", if it is next. */
static model_status skip_angles(struct coreml_words *words, struct model_error *err)
{
    struct coreml_word word = {.n_bytes = 1};
    model_status status = MODEL_OK;
    size_t depth = 0;
    if (!is_next(words, "<"))
        return MODEL_OK;
    do {
        status = coreml_words_next(words, &word, err);
        depth += coreml_word_is(&word, "<");
        depth -= coreml_word_is(&word, ">");
    } while (status == MODEL_OK && depth > 0 && word.n_bytes > 0);
    return status == MODEL_OK && depth > 0
               ? coreml_words_refuse(words, "the text ends within a type", err)
               : status;
}

static model_status read_other(struct coreml_words *words, const struct coreml_word *name,
                               struct coreml_feature *ret, struct model_error *err)
{
    set_dtype(ret, name);
    if (coreml_word_is(name, "list"))
        ret->kind = COREML_FEATURE_SEQUENCE;
    else if (coreml_word_is(name, "dict"))
        ret->kind = COREML_FEATURE_DICTIONARY;
    else if (ret->dtype == 0 && ret->kind == COREML_FEATURE_ARRAY)
        ret->kind = COREML_FEATURE_NONE;
    return skip_angles(words, err);
}

static model_status read_type(struct coreml_words *words, struct coreml_feature *ret,
                              struct model_error *err)
{
    struct coreml_word name;
    model_status status = coreml_words_next(words, &name, err);
    const bool is_state = status == MODEL_OK && coreml_word_is(&name, "state");
    if (is_state)
        status = expect(words, "<", err);
    if (is_state && status == MODEL_OK)
        status = coreml_words_next(words, &name, err);
    if (status == MODEL_OK && !name.is_name)
        status = coreml_words_refuse(words, "want a type in a function's signature", err);
    if (status == MODEL_OK)
        status = coreml_word_is(&name, "tensor") ? read_tensor(words, ret, err)
                                                 : read_other(words, &name, ret, err);
    if (is_state && status == MODEL_OK)
        status = expect(words, ">", err);
    if (is_state)
        ret->kind = COREML_FEATURE_STATE;
    return status;
}

static void set_type(struct coreml_feature *feature, const struct coreml_feature *type)
{
    feature->kind = type->kind;
    feature->dtype = type->dtype;
    feature->rank = type->rank;
    memcpy(feature->shape, type->shape, sizeof feature->shape);
}

static model_status read_name(struct coreml_words *words, struct coreml_word *ret,
                              struct model_error *err)
{
    const model_status status = coreml_words_next(words, ret, err);
    if (status != MODEL_OK)
        return status;
    if (!ret->is_name)
        return coreml_words_refuse(words, "want a name in a function's signature", err);
    return ret->n_bytes <= MAX_NAME_BYTES ? MODEL_OK : refuse_many(words, err);
}

static model_status add(const struct coreml_words *words, struct coreml_interface *interface,
                        struct coreml_features *list, const struct coreml_word *name,
                        const struct coreml_feature *type, struct model_error *err)
{
    if (list->n == COREML_MAX_FEATURES)
        return refuse_many(words, err);
    struct coreml_feature *feature = coreml_interface_add(interface, list, name->at, name->n_bytes);
    if (feature == NULL)
        return error_no_memory(err, words->what);
    set_type(feature, type);
    return MODEL_OK;
}

/* (x, x, ...), each read by `item`. */
static model_status read_list(struct coreml_words *words, struct coreml_interface *ret,
                              model_status (*item)(struct coreml_words *words,
                                                   struct coreml_interface *ret,
                                                   struct model_error *err),
                              struct model_error *err)
{
    model_status status = expect(words, "(", err);
    while (status == MODEL_OK && !is_next(words, ")")) {
        status = item(words, ret, err);
        if (status == MODEL_OK && !is_next(words, ")"))
            status = expect(words, ",", err);
    }
    return status == MODEL_OK ? expect(words, ")", err) : status;
}

static model_status read_input(struct coreml_words *words, struct coreml_interface *ret,
                               struct model_error *err)
{
    struct coreml_feature type = {.kind = COREML_FEATURE_NONE};
    struct coreml_word name;
    model_status status = read_type(words, &type, err);
    if (status == MODEL_OK)
        status = read_name(words, &name, err);
    if (status == MODEL_OK)
        status = add(words, ret, type.kind == COREML_FEATURE_STATE ? &ret->states : &ret->inputs,
                     &name, &type, err);
    return status;
}

static model_status read_output(struct coreml_words *words, struct coreml_interface *ret,
                                struct model_error *err)
{
    const struct coreml_feature type = {.kind = COREML_FEATURE_NONE};
    struct coreml_word name;
    const model_status status = read_name(words, &name, err);
    return status == MODEL_OK ? add(words, ret, &ret->outputs, &name, &type, err) : status;
}

/* ---- the types of outputs, where the body declares them: "TYPE NAME =", "TYPE NAME, TYPE NAME =" */

struct declaring {
    struct coreml_words type; /* where the last type begins, or what may be one */
    bool has_type;            /* which no name has yet */
    struct coreml_word before;
    size_t depth; /* of angles */
};

static void give_type(struct declaring *declaring, const struct string_map *places,
                      const struct coreml_word *name, struct coreml_feature *outputs)
{
    struct coreml_words words = declaring->type;
    struct coreml_feature type = {.kind = COREML_FEATURE_NONE};
    const int64_t place = string_map_find(places, name->at, name->n_bytes);
    declaring->has_type = false; /* so that no type is read twice */
    if (place >= 0 && read_type(&words, &type, NULL) == MODEL_OK)
        set_type(&outputs[place], &type);
}

static model_status find_types(struct coreml_words words, const char *end,
                               const struct string_map *places, struct coreml_feature *outputs,
                               struct model_error *err)
{
    struct declaring declaring = {.type = words};
    struct coreml_words start = words;
    struct coreml_word word;
    model_status status = coreml_words_next(&words, &word, err);
    for (; status == MODEL_OK && word.n_bytes > 0 && word.at < end;) {
        const bool is_behind_type =
            declaring.before.is_name || coreml_word_is(&declaring.before, ">");
        if (declaring.depth > 0 || !word.is_name)
            ; /* within a type, or between */
        else if (declaring.has_type && is_behind_type &&
                 (is_next(&words, "=") || is_next(&words, ",")))
            give_type(&declaring, places, &word, outputs);
        else {
            declaring.type = start;
            declaring.has_type = true;
        }
        declaring.depth += coreml_word_is(&word, "<");
        declaring.depth -= coreml_word_is(&word, ">") && declaring.depth > 0;
        declaring.before = word;
        start = words;
        status = coreml_words_next(&words, &word, err);
    }
    return status;
}

/* ---- public */

model_status coreml_signature_inputs(struct coreml_words *words, struct coreml_interface *ret,
                                     struct model_error *err)
{
    return read_list(words, ret, read_input, err);
}

model_status coreml_signature_outputs(struct coreml_words *words, const struct coreml_words *body,
                                      struct coreml_interface *ret, struct model_error *err)
{
    const char *end = words->at;
    struct string_map places = {0};
    model_status status = read_list(words, ret, read_output, err);
    if (status == MODEL_OK && string_map_init(&places, ret->outputs.n) != MODEL_OK)
        status = error_no_memory(err, words->what);
    for (size_t i = 0; i < ret->outputs.n && status == MODEL_OK; i++) {
        const char *name = ret->outputs.items[i].name;
        if (string_map_add(&places, name, strlen(name), (uint32_t)i) == MODEL_OUT_OF_MEMORY)
            status = error_no_memory(err, words->what);
    }
    if (status == MODEL_OK)
        status = find_types(*body, end, &places, (struct coreml_feature *)ret->outputs.items, err);
    string_map_finish(&places);
    return status;
}
