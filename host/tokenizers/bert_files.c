/* bert_files.c - a tokenizer from vocab.txt, with what tokenizer_config.json and
 * special_tokens_map.json say of it. After Hugging Face transformers, BertTokenizer. [any-thread] */
#include "errors.h"
#include "package_file.h"
#include "string_map.h"
#include "tokenizer_files.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

#define MAX_VOCAB_BYTES (16u << 20)

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

static model_status read_vocab(const struct archive *archive, const char *path, json_node *vocab,
                               struct model_error *err)
{
    struct buffer text = BUFFER_INIT(MAX_VOCAB_BYTES);
    model_status status = package_file_read(archive, path, MAX_VOCAB_BYTES, &text, err);
    if (status == MODEL_OK && text.size == 0)
        status = error_set(err, MODEL_CORRUPT, "%s is empty, want one token per line", path);
    if (status == MODEL_OK) {
        size_t good = utf8_valid_prefix(text.data, text.size);
        if (good != text.size)
            status =
                error_set(err, MODEL_CORRUPT, "%s is not text in UTF-8 (byte %zu)", path, good);
        else if (memchr(text.data, '\0', text.size) != NULL)
            status = error_set(err, MODEL_CORRUPT, "%s is no text: byte %zu is zero", path,
                               strlen(text.data));
    }
    if (status == MODEL_OK)
        status = add_lines(&text, path, vocab, err);
    buffer_finish(&text);
    return status;
}

/* ---------------------------------------------------------------- the tree */

static bool add_normalizer(json_node *tree, const struct tokenizer_configs *configs)
{
    json_node *n = json_add_object(tree, "normalizer");
    const json_node *strip = tokenizer_config(configs, "strip_accents");
    return json_add_string(n, "type", "BertNormalizer") != NULL &&
           json_add_bool(n, "clean_text", true) != NULL &&
           json_add_bool(n, "handle_chinese_chars",
                         json_bool_or(tokenizer_config(configs, "tokenize_chinese_chars"), true)) !=
               NULL &&
           (json_is_bool(strip) ? json_add_copy(n, "strip_accents", strip)
                                : json_add_null(n, "strip_accents")) != NULL &&
           json_add_bool(n, "lowercase",
                         json_bool_or(tokenizer_config(configs, "do_lower_case"), true)) != NULL;
}

static const struct special_name special_tokens[] = {{"unk_token", "[UNK]", false},
                                                     {"sep_token", "[SEP]", false},
                                                     {"pad_token", "[PAD]", false},
                                                     {"cls_token", "[CLS]", false},
                                                     {"mask_token", "[MASK]", false}};

static model_status add_parts(json_node *tree, const struct tokenizer_configs *configs,
                              const json_node *vocab, const char *path, struct model_error *err)
{
    json_node *pre = json_add_object(tree, "pre_tokenizer");
    json_node *decoder = json_add_object(tree, "decoder");
    json_node *processor = json_add_object(tree, "post_processor");
    if (!add_normalizer(tree, configs) ||
        !tokenizer_add_tokens(tree, configs, vocab, special_tokens,
                              sizeof special_tokens / sizeof special_tokens[0], false) ||
        json_add_string(pre, "type", "BertPreTokenizer") == NULL ||
        json_add_string(decoder, "type", "WordPiece") == NULL ||
        json_add_string(processor, "type", "BertProcessing") == NULL)
        return error_no_memory(err, path);
    model_status status =
        tokenizer_add_pair(processor, "cls", tokenizer_special(configs, "cls_token", "[CLS]"),
                           vocab, path, "BERT", err);
    if (status == MODEL_OK)
        status =
            tokenizer_add_pair(processor, "sep", tokenizer_special(configs, "sep_token", "[SEP]"),
                               vocab, path, "BERT", err);
    return status;
}

static model_status check_configs(const struct tokenizer_configs *configs, const char *path,
                                  struct model_error *err)
{
    const char *class =
        json_string_or(tokenizer_config(configs, "tokenizer_class"), "BertTokenizer");
    if (strncmp(class, "BertTokenizer", strlen("BertTokenizer")) != 0)
        return error_set(err, MODEL_UNSUPPORTED,
                         "%s: tokenizer_class '%s' is not supported without a tokenizer.json; "
                         "supported: BertTokenizer",
                         path, class);
    if (!json_bool_or(tokenizer_config(configs, "do_basic_tokenize"), true))
        return error_set(err, MODEL_UNSUPPORTED,
                         "%s: do_basic_tokenize false (words split beforehand) is not supported",
                         path);
    return tokenizer_check_added(configs, path, err);
}

model_status bert_files_load(const char *path, const struct tokenizer_configs *configs,
                             struct tokenizer **ret, struct model_error *err)
{
    model_status status = check_configs(configs, path, err);
    if (status != MODEL_OK)
        return status;
    json_node *tree = json_new_object();
    json_node *model = json_add_object(tree, "model");
    json_node *vocab = json_add_object(model, "vocab");
    if (vocab == NULL || json_add_string(model, "type", "WordPiece") == NULL ||
        json_add_string(model, "unk_token", tokenizer_special(configs, "unk_token", "[UNK]")) ==
            NULL) {
        status = error_no_memory(err, path);
        goto done;
    }
    status = read_vocab(configs->archive, path, vocab, err);
    if (status == MODEL_OK)
        status = add_parts(tree, configs, vocab, path, err);
    if (status == MODEL_OK)
        status = tokenizer_from_tree(tree, path, ret, err);
done:
    json_free(tree);
    return status;
}
