/* tokenizer_folder.c - a tokenizer from the files of a folder: tokenizer.json, or vocab.txt with what
 * tokenizer_config.json and special_tokens_map.json say of it. A vocab.txt is turned into the tree of
 * the tokenizer.json that BERT's own tokenizer class stands for, so that there is one loader.
 * After Hugging Face transformers, BertTokenizer. [any-thread] */
#include "errors.h"
#include "files.h"
#include "string_map.h"
#include "tokenizer_inside.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

#define MAX_TOKENIZER_BYTES (64u << 20)
#define MAX_CONFIG_BYTES    (8u << 20)
#define MAX_VOCAB_BYTES     (16u << 20)
#define MAX_ADDED_TOKENS    1000

/* The files beside the vocabulary; NULL: not there. */
struct configs {
    json_node *tokenizer; /* tokenizer_config.json */
    json_node *special;   /* special_tokens_map.json */
};

/* ---------------------------------------------------------------- configurations */

static const char *token_text(const json_node *node);

/* What these files say must not be overlooked because it is of another kind. */
static model_status check_kinds(const struct json_place *place, struct model_error *err)
{
    static const char *const switches[] = {"do_lower_case", "strip_accents",
                                           "tokenize_chinese_chars", "do_basic_tokenize"};
    static const char *const tokens[] = {"unk_token", "sep_token", "pad_token", "cls_token",
                                         "mask_token"};
    model_status status = json_want_object(place, err);
    bool value = false;
    for (size_t i = 0; i < sizeof switches / sizeof switches[0] && status == MODEL_OK; i++)
        status = json_field_bool(place, switches[i], &value, err);
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0] && status == MODEL_OK; i++) {
        const json_node *token = json_member(place->node, tokens[i]);
        if (!json_is_null(token) && token_text(token) == NULL)
            status = error_set(err, MODEL_CORRUPT,
                               "%s: %s is %s, want a string, or an object with one as content",
                               place->what, tokens[i], json_kind(token));
    }
    return status;
}

/* A JSON object in a file that may be absent. */
static model_status load_optional(const char *folder, const char *name, json_node **ret,
                                  struct model_error *err)
{
    char *path = path_join(folder, name);
    if (path == NULL)
        return error_no_memory(err, name);
    model_status status = MODEL_OK;
    json_node *tree = NULL;
    if (path_is_file(path))
        status = json_parse_file(path, MAX_CONFIG_BYTES, &tree, err);
    if (status == MODEL_OK && tree != NULL) {
        struct json_place place = {tree, path, "the file"};
        status = check_kinds(&place, err);
    }
    if (status == MODEL_OK)
        *ret = tree;
    else
        json_free(tree);
    free(path);
    return status;
}

/* The text of a special token: "[MASK]" or {"content": "[MASK]", ...}. */
static const char *token_text(const json_node *node)
{
    return json_string_or(node, json_string_or(json_member(node, "content"), NULL));
}

/* "mask_token" by the files, or the fallback. */
static const char *special_token(const struct configs *configs, const char *key,
                                 const char *fallback)
{
    const char *text = token_text(json_member(configs->tokenizer, key));
    if (text == NULL)
        text = token_text(json_member(configs->special, key));
    return text != NULL ? text : fallback;
}

/* -1: the files name none, or one that is not in the vocabulary. */
static int64_t named_id(const struct configs *configs, const struct tokenizer *t, const char *key)
{
    const char *text = special_token(configs, key, NULL);
    return text != NULL ? vocabulary_id(&t->model.vocab, text) : -1;
}

static void apply_configs(const struct configs *configs, struct tokenizer *t)
{
    t->mask_id = vocabulary_id(&t->model.vocab, special_token(configs, "mask_token", "[MASK]"));
    t->pad_id = vocabulary_id(&t->model.vocab, special_token(configs, "pad_token", "[PAD]"));
    t->bos_id = named_id(configs, t, "bos_token");
    t->eos_id = named_id(configs, t, "eos_token");
    /* A model without a limit says 1e30. */
    (void)json_integer(json_member(configs->tokenizer, "model_max_length"), 1, 1 << 30,
                       &t->model_max_length);
}

/* ---------------------------------------------------------------- vocab.txt */

struct line {
    size_t start, bytes;
};

/* A line at text[*at], without its end; *at goes behind it. */
static size_t line_at(const struct buffer *text, size_t *at)
{
    size_t start = *at;
    const char *newline = memchr(text->data + start, '\n', text->size - start);
    size_t end = newline != NULL ? (size_t)(newline - text->data) : text->size;
    *at = end + 1;
    if (end > start && text->data[end - 1] == '\r')
        end--;
    return end - start;
}

/* {token: line} into `vocab`. Of a token that stands twice the last line counts, as in the reference;
 * therefore from the last line to the first. */
static model_status add_lines(struct buffer *text, const char *path, json_node *vocab,
                              struct model_error *err)
{
    size_t n_lines = 0;
    for (size_t at = 0; at < text->size; n_lines++)
        (void)line_at(text, &at);
    if (n_lines > VOCABULARY_MAX_IDS)
        return error_set(err, MODEL_UNSUPPORTED, "%s: %zu lines, at most %d are read", path,
                         n_lines, VOCABULARY_MAX_IDS);
    struct string_map seen = {0};
    struct line *lines = calloc(n_lines + 1, sizeof *lines);
    model_status status = lines != NULL ? string_map_init(&seen, n_lines) : MODEL_OUT_OF_MEMORY;
    size_t at = 0;
    for (size_t i = 0; i < n_lines && status == MODEL_OK; i++) {
        lines[i].start = at;
        lines[i].bytes = line_at(text, &at);
    }
    for (size_t i = n_lines; i-- > 0 && status == MODEL_OK;) {
        char *token = text->data + lines[i].start;
        status = string_map_add(&seen, token, lines[i].bytes, 0);
        token[lines[i].bytes] = '\0'; /* the line's end, or the buffer's own terminator */
        if (status == MODEL_OK && *token != '\0' &&
            json_add_number(vocab, token, (double)i) == NULL)
            status = MODEL_OUT_OF_MEMORY;
        if (status == MODEL_INVALID_ARGUMENT)
            status = MODEL_OK; /* a later line has it */
    }
    string_map_finish(&seen);
    free(lines);
    return status == MODEL_OK ? MODEL_OK : error_no_memory(err, path);
}

static model_status read_vocab(const char *path, json_node *vocab, struct model_error *err)
{
    struct buffer text = BUFFER_INIT(MAX_VOCAB_BYTES);
    model_status status = file_read(path, MAX_VOCAB_BYTES, &text, err);
    if (status == MODEL_OK && text.size == 0)
        status = error_set(err, MODEL_CORRUPT, "%s is empty, want one token per line", path);
    if (status == MODEL_OK) {
        size_t good = utf8_valid_prefix(text.data, text.size);
        if (good != text.size || memchr(text.data, '\0', text.size) != NULL)
            status = error_set(err, MODEL_CORRUPT, "%s is not text in UTF-8 (byte %zu)", path,
                               good != text.size ? good : strlen(text.data));
    }
    if (status == MODEL_OK)
        status = add_lines(&text, path, vocab, err);
    buffer_finish(&text);
    return status;
}

/* ---------------------------------------------------------------- the tree for a vocab.txt */

static const json_node *config(const struct configs *configs, const char *key)
{
    return json_member(configs->tokenizer, key);
}

static bool add_normalizer(json_node *tree, const struct configs *configs)
{
    json_node *n = json_add_object(tree, "normalizer");
    const json_node *strip = config(configs, "strip_accents");
    return json_add_string(n, "type", "BertNormalizer") != NULL &&
           json_add_bool(n, "clean_text", true) != NULL &&
           json_add_bool(n, "handle_chinese_chars",
                         json_bool_or(config(configs, "tokenize_chinese_chars"), true)) != NULL &&
           (json_is_bool(strip) ? json_add_copy(n, "strip_accents", strip)
                                : json_add_null(n, "strip_accents")) != NULL &&
           json_add_bool(n, "lowercase", json_bool_or(config(configs, "do_lower_case"), true)) !=
               NULL;
}

/* One of added_tokens, unless it is there already. */
static bool add_token(json_node *added, const char *content, int64_t id, const json_node *flags)
{
    for (const json_node *t = json_first(added); t != NULL; t = json_next(t))
        if (strcmp(json_string_or(json_member(t, "content"), ""), content) == 0)
            return true;
    json_node *token = json_add_object(added, NULL);
    bool special = json_bool_or(json_member(flags, "special"), true);
    return json_add_number(token, "id", (double)id) != NULL &&
           json_add_string(token, "content", content) != NULL &&
           json_add_bool(token, "single_word",
                         json_bool_or(json_member(flags, "single_word"), false)) != NULL &&
           json_add_bool(token, "lstrip", json_bool_or(json_member(flags, "lstrip"), false)) !=
               NULL &&
           json_add_bool(token, "rstrip", json_bool_or(json_member(flags, "rstrip"), false)) !=
               NULL &&
           json_add_bool(token, "normalized",
                         json_bool_or(json_member(flags, "normalized"), !special)) != NULL &&
           json_add_bool(token, "special", special) != NULL;
}

static const struct {
    const char *key, *fallback;
} special_tokens[] = {{"unk_token", "[UNK]"},
                      {"sep_token", "[SEP]"},
                      {"pad_token", "[PAD]"},
                      {"cls_token", "[CLS]"},
                      {"mask_token", "[MASK]"}};

/* The tokens of `list` that the vocabulary has, with their ids: in one walk, for a lookup walks too. */
static bool ids_of(const json_node *list, const json_node *vocab, struct string_map *ret)
{
    struct string_map wanted = {0};
    bool ok = string_map_init(&wanted, json_count(list)) == MODEL_OK;
    for (const json_node *item = json_first(list); item != NULL && ok; item = json_next(item))
        if (token_text(item) != NULL)
            ok = string_map_add(&wanted, token_text(item), strlen(token_text(item)), 0) !=
                 MODEL_OUT_OF_MEMORY;
    for (const json_node *v = list != NULL ? json_first(vocab) : NULL; v != NULL && ok;
         v = json_next(v))
        if (string_map_find(&wanted, json_key(v), strlen(json_key(v))) >= 0)
            ok = string_map_add(ret, json_key(v), strlen(json_key(v)),
                                (uint32_t)json_number_or(v, 0)) != MODEL_OUT_OF_MEMORY;
    string_map_finish(&wanted);
    return ok;
}

/* "additional_special_tokens": ["[FOO]", ...]; those that the vocabulary lacks get the ids behind it. */
static bool add_additional(json_node *added, const json_node *list, const json_node *vocab)
{
    struct string_map ids = {0};
    bool ok = ids_of(list, vocab, &ids);
    int64_t next_id = (int64_t)json_count(vocab);
    for (const json_node *t = json_first(added); t != NULL; t = json_next(t)) {
        int64_t id = (int64_t)json_number_or(json_member(t, "id"), 0);
        next_id = id >= next_id ? id + 1 : next_id;
    }
    for (const json_node *item = json_first(list); item != NULL && ok; item = json_next(item)) {
        const char *text = token_text(item);
        int64_t id = text != NULL ? string_map_find(&ids, text, strlen(text)) : -1;
        size_t before = json_count(added);
        if (text != NULL)
            ok = add_token(added, text, id >= 0 ? id : next_id, item);
        next_id += id < 0 && json_count(added) > before;
    }
    string_map_finish(&ids);
    return ok;
}

static const json_node *additional_tokens(const struct configs *configs)
{
    const json_node *list = config(configs, "additional_special_tokens");
    return list != NULL ? list : json_member(configs->special, "additional_special_tokens");
}

/* "added_tokens_decoder": {"0": {"content": "[PAD]", ...}}; then the five special tokens; then the
 * additional ones. */
static bool add_added_tokens(json_node *tree, const struct configs *configs, const json_node *vocab)
{
    json_node *added = json_add_array(tree, "added_tokens");
    bool ok = added != NULL;
    const json_node *item = json_first(config(configs, "added_tokens_decoder"));
    for (; item != NULL && ok; item = json_next(item))
        if (json_key(item) != NULL && token_text(item) != NULL)
            ok = add_token(added, token_text(item), strtol(json_key(item), NULL, 10), item);
    for (size_t i = 0; i < sizeof special_tokens / sizeof special_tokens[0] && ok; i++) {
        const char *text =
            special_token(configs, special_tokens[i].key, special_tokens[i].fallback);
        const json_node *id = json_member(vocab, text);
        if (id != NULL)
            ok = add_token(added, text, (int64_t)json_number_or(id, 0), NULL);
    }
    return ok && add_additional(added, additional_tokens(configs), vocab);
}

/* "sep": ["[SEP]", 102] */
static model_status add_processor_token(json_node *processor, const char *key, const char *text,
                                        const json_node *vocab, const char *path,
                                        struct model_error *err)
{
    const json_node *id = json_member(vocab, text);
    if (id == NULL)
        return error_set(err, MODEL_CORRUPT,
                         "%s: the special token '%s' is not among its %zu tokens; is this the "
                         "vocabulary of a BERT model?",
                         path, text, json_count(vocab));
    json_node *pair = json_add_array(processor, key);
    return json_add_string(pair, NULL, text) != NULL && json_add_copy(pair, NULL, id) != NULL
               ? MODEL_OK
               : error_no_memory(err, path);
}

static model_status add_parts(json_node *tree, const struct configs *configs,
                              const json_node *vocab, const char *path, struct model_error *err)
{
    json_node *pre = json_add_object(tree, "pre_tokenizer");
    json_node *decoder = json_add_object(tree, "decoder");
    json_node *processor = json_add_object(tree, "post_processor");
    if (!add_normalizer(tree, configs) || !add_added_tokens(tree, configs, vocab) ||
        json_add_string(pre, "type", "BertPreTokenizer") == NULL ||
        json_add_string(decoder, "type", "WordPiece") == NULL ||
        json_add_string(processor, "type", "BertProcessing") == NULL)
        return error_no_memory(err, path);
    model_status status = add_processor_token(
        processor, "cls", special_token(configs, "cls_token", "[CLS]"), vocab, path, err);
    if (status == MODEL_OK)
        status = add_processor_token(processor, "sep", special_token(configs, "sep_token", "[SEP]"),
                                     vocab, path, err);
    return status;
}

static model_status check_configs(const struct configs *configs, const char *path,
                                  struct model_error *err)
{
    const char *class = json_string_or(config(configs, "tokenizer_class"), "BertTokenizer");
    if (strncmp(class, "BertTokenizer", strlen("BertTokenizer")) != 0)
        return error_set(err, MODEL_UNSUPPORTED,
                         "%s: tokenizer_class '%s' is not supported without a tokenizer.json; "
                         "supported: BertTokenizer",
                         path, class);
    if (!json_bool_or(config(configs, "do_basic_tokenize"), true))
        return error_set(err, MODEL_UNSUPPORTED,
                         "%s: do_basic_tokenize false (words split beforehand) is not supported",
                         path);
    size_t n_added = json_count(config(configs, "added_tokens_decoder")) +
                     json_count(additional_tokens(configs));
    if (n_added > MAX_ADDED_TOKENS)
        return error_set(err, MODEL_UNSUPPORTED,
                         "%s: tokenizer_config.json adds %zu tokens, at most %d are read without a "
                         "tokenizer.json",
                         path, n_added, MAX_ADDED_TOKENS);
    return MODEL_OK;
}

static model_status from_vocab(const char *path, const struct configs *configs,
                               struct tokenizer **ret, struct model_error *err)
{
    model_status status = check_configs(configs, path, err);
    if (status != MODEL_OK)
        return status;
    json_node *tree = json_new_object();
    json_node *model = json_add_object(tree, "model");
    json_node *vocab = json_add_object(model, "vocab");
    if (vocab == NULL || json_add_string(model, "type", "WordPiece") == NULL ||
        json_add_string(model, "unk_token", special_token(configs, "unk_token", "[UNK]")) == NULL) {
        status = error_no_memory(err, path);
        goto done;
    }
    status = read_vocab(path, vocab, err);
    if (status == MODEL_OK)
        status = add_parts(tree, configs, vocab, path, err);
    if (status == MODEL_OK)
        status = tokenizer_from_tree(tree, path, ret, err);
done:
    json_free(tree);
    return status;
}

/* ---------------------------------------------------------------- public */

static model_status from_folder(const char *folder, const char *json_path, const char *vocab_path,
                                const struct configs *configs, struct tokenizer **ret,
                                struct model_error *err)
{
    if (path_is_file(json_path)) {
        json_node *tree = NULL;
        model_status status = json_parse_file(json_path, MAX_TOKENIZER_BYTES, &tree, err);
        if (status == MODEL_OK)
            status = tokenizer_from_tree(tree, json_path, ret, err);
        json_free(tree);
        return status;
    }
    if (path_is_file(vocab_path))
        return from_vocab(vocab_path, configs, ret, err);
    return error_set(err, MODEL_NOT_FOUND,
                     "%s has no tokenizer: neither tokenizer.json nor vocab.txt; put one there, or "
                     "download the model again",
                     folder);
}

model_status tokenizer_load(const char *folder, struct tokenizer **ret, struct model_error *err)
{
    struct configs configs = {NULL, NULL};
    struct tokenizer *t = NULL;
    char *json_path = path_join(folder, "tokenizer.json");
    char *vocab_path = path_join(folder, "vocab.txt");
    model_status status = MODEL_OK;
    if (json_path == NULL || vocab_path == NULL)
        status = error_no_memory(err, "a tokenizer");
    if (status == MODEL_OK)
        status = load_optional(folder, "tokenizer_config.json", &configs.tokenizer, err);
    if (status == MODEL_OK)
        status = load_optional(folder, "special_tokens_map.json", &configs.special, err);
    if (status == MODEL_OK)
        status = from_folder(folder, json_path, vocab_path, &configs, &t, err);
    if (status == MODEL_OK) {
        apply_configs(&configs, t);
        *ret = t;
    }
    json_free(configs.tokenizer);
    json_free(configs.special);
    free(json_path);
    free(vocab_path);
    return status;
}
