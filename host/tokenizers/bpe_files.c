/* bpe_files.c - a tokenizer from vocab.json and merges.txt, with what tokenizer_config.json,
 * special_tokens_map.json and added_tokens.json say of it: the classes that have such files differ in
 * their special tokens and in the parts around the model. After Hugging Face transformers,
 * convert_slow_tokenizer.py. [any-thread] */
#include "errors.h"
#include "package_file.h"
#include "tokenizer_files.h"
#include "utf8.h"

#include <string.h>

#define MAX_MERGES_BYTES (64u << 20)
#define MAX_NAMES        7

#define END_OF_TEXT "<|endoftext|>"

static const char qwen2_words[] =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
    "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

struct bpe_class {
    const char *name; /* of tokenizer_class; "Fast" may follow */
    struct special_name names[MAX_NAMES];
    size_t n_names;
    bool frames;       /* texts with <s> and </s>, as RoBERTa */
    const char *words; /* a pattern instead of GPT-2's, behind NFC */
};

#define GPT2_NAMES                                                                                 \
    {                                                                                              \
        {"bos_token", END_OF_TEXT, false}, {"eos_token", END_OF_TEXT, false},                      \
            {"unk_token", END_OF_TEXT, false}, {"pad_token", NULL, false},                         \
    }
#define ROBERTA_NAMES                                                                              \
    {                                                                                              \
        {"bos_token", "<s>", false}, {"eos_token", "</s>", false}, {"unk_token", "<unk>", false},  \
            {"sep_token", "</s>", false}, {"pad_token", "<pad>", false},                           \
            {"cls_token", "<s>", false}, {"mask_token", "<mask>", true},                           \
    }
#define QWEN2_NAMES                                                                                \
    {                                                                                              \
        {"eos_token", END_OF_TEXT, false}, {"unk_token", END_OF_TEXT, false},                      \
            {"pad_token", END_OF_TEXT, false}, {"bos_token", NULL, false},                         \
    }

/* The first one when nothing is said. */
static const struct bpe_class classes[] = {
    {"GPT2Tokenizer", GPT2_NAMES, 4, false, NULL},
    {"CodeGenTokenizer", GPT2_NAMES, 4, false, NULL},
    {"RobertaTokenizer", ROBERTA_NAMES, 7, true, NULL},
    {"BartTokenizer", ROBERTA_NAMES, 7, true, NULL},
    {"LongformerTokenizer", ROBERTA_NAMES, 7, true, NULL},
    {"Qwen2Tokenizer", QWEN2_NAMES, 4, false, qwen2_words},
};

static model_status find_class(const struct tokenizer_configs *configs, const char *path,
                               const struct bpe_class **ret, struct model_error *err)
{
    const char *name =
        json_string_or(tokenizer_config(configs, "tokenizer_class"), classes[0].name);
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        size_t bytes = strlen(classes[i].name);
        if (strncmp(name, classes[i].name, bytes) == 0 &&
            (name[bytes] == '\0' || strcmp(name + bytes, "Fast") == 0)) {
            *ret = &classes[i];
            return MODEL_OK;
        }
    }
    return error_set(err, MODEL_UNSUPPORTED,
                     "%s: tokenizer_class '%s' is not supported without a tokenizer.json; "
                     "supported: GPT2Tokenizer, CodeGenTokenizer, RobertaTokenizer, BartTokenizer, "
                     "LongformerTokenizer, Qwen2Tokenizer",
                     path, name);
}

/* The special token of a class, or NULL. */
static const char *special(const struct bpe_class *class, const struct tokenizer_configs *configs,
                           const char *key)
{
    for (size_t i = 0; i < class->n_names; i++)
        if (strcmp(class->names[i].key, key) == 0)
            return tokenizer_special(configs, key, class->names[i].fallback);
    return NULL;
}

/* ---------------------------------------------------------------- merges.txt */

/* One merge a line; the first line may be a "#version". All lines are added: errors count them. */
static model_status add_merges(struct buffer *text, const char *path, json_node *model,
                               struct model_error *err)
{
    json_node *merges = json_add_array(model, "merges");
    bool ok = merges != NULL && json_add_string(model, BPE_MERGES_FILE, path) != NULL;
    for (size_t at = 0; at < text->size && ok;) {
        char *line = text->data + at;
        char *newline = memchr(line, '\n', text->size - at);
        size_t bytes = newline != NULL ? (size_t)(newline - line) : text->size - at;
        at += bytes + 1;
        if (bytes > 0 && line[bytes - 1] == '\r')
            bytes--;
        line[bytes] = '\0'; /* the line's end, or the buffer's own terminator */
        ok = json_add_string(merges, NULL, line) != NULL;
    }
    return ok ? MODEL_OK : error_no_memory(err, path);
}

static model_status read_merges(const struct archive *archive, const char *path, json_node *model,
                                struct model_error *err)
{
    struct buffer text = BUFFER_INIT(MAX_MERGES_BYTES);
    model_status status = package_file_read(archive, path, MAX_MERGES_BYTES, &text, err);
    if (status == MODEL_OK && text.size > 0) {
        size_t good = utf8_valid_prefix(text.data, text.size);
        if (good != text.size)
            status =
                error_set(err, MODEL_CORRUPT, "%s is not text in UTF-8 (byte %zu)", path, good);
        else if (memchr(text.data, '\0', text.size) != NULL)
            status = error_set(err, MODEL_CORRUPT, "%s is no text: byte %zu is zero", path,
                               strlen(text.data));
    }
    if (status == MODEL_OK)
        status = add_merges(&text, path, model, err);
    buffer_finish(&text);
    return status;
}

/* ---------------------------------------------------------------- the tree */

static json_node *add_byte_level(json_node *parent, const char *key, bool add_prefix_space,
                                 bool trim_offsets, bool use_regex)
{
    json_node *part = json_add_object(parent, key);
    bool ok = json_add_string(part, "type", "ByteLevel") != NULL &&
              json_add_bool(part, "add_prefix_space", add_prefix_space) != NULL &&
              json_add_bool(part, "trim_offsets", trim_offsets) != NULL &&
              json_add_bool(part, "use_regex", use_regex) != NULL;
    return ok ? part : NULL;
}

static bool add_words(json_node *tree, const struct bpe_class *class, bool add_prefix_space)
{
    if (class->words == NULL)
        return add_byte_level(tree, "pre_tokenizer", add_prefix_space, true, true) != NULL;
    json_node *normalizer = json_add_object(tree, "normalizer");
    json_node *pre = json_add_object(tree, "pre_tokenizer");
    json_node *type = json_add_string(pre, "type", "Sequence");
    json_node *list = json_add_array(pre, "pretokenizers");
    json_node *split = json_add_object(list, NULL);
    json_node *pattern = json_add_object(split, "pattern");
    return type != NULL && json_add_string(normalizer, "type", "NFC") != NULL &&
           json_add_string(split, "type", "Split") != NULL &&
           json_add_string(split, "behavior", "Isolated") != NULL &&
           json_add_string(pattern, "Regex", class->words) != NULL &&
           add_byte_level(list, NULL, add_prefix_space, false, false) != NULL;
}

/* <s> A </s> and so on, which RoBERTa's tokenizers always add. */
static model_status add_frame(json_node *tree, const struct bpe_class *class,
                              const struct tokenizer_configs *configs, bool add_prefix_space,
                              const json_node *vocab, const char *path, struct model_error *err)
{
    json_node *processor = json_add_object(tree, "post_processor");
    if (json_add_string(processor, "type", "RobertaProcessing") == NULL ||
        json_add_bool(processor, "trim_offsets",
                      json_bool_or(tokenizer_config(configs, "trim_offsets"), true)) == NULL ||
        json_add_bool(processor, "add_prefix_space", add_prefix_space) == NULL)
        return error_no_memory(err, path);
    model_status status = tokenizer_add_pair(processor, "cls", special(class, configs, "cls_token"),
                                             vocab, path, "RoBERTa", err);
    if (status == MODEL_OK)
        status = tokenizer_add_pair(processor, "sep", special(class, configs, "sep_token"), vocab,
                                    path, "RoBERTa", err);
    return status;
}

/* "single": <bos> A, "pair": <bos> A B, of a GPT-2 tokenizer with add_bos_token. */
static bool add_bos(json_node *tree, const char *bos, const json_node *id)
{
    json_node *processor = json_add_object(tree, "post_processor");
    json_node *special_tokens = json_add_object(processor, "special_tokens");
    json_node *ids = json_add_array(json_add_object(special_tokens, bos), "ids");
    bool ok = json_add_string(processor, "type", "TemplateProcessing") != NULL &&
              json_add_copy(ids, NULL, id) != NULL;
    for (int i = 0; i < 2 && ok; i++) {
        json_node *pieces = json_add_array(processor, i == 0 ? "single" : "pair");
        json_node *piece = json_add_object(json_add_object(pieces, NULL), "SpecialToken");
        ok = json_add_string(piece, "id", bos) != NULL;
        for (int k = 0; k <= i && ok; k++) {
            piece = json_add_object(json_add_object(pieces, NULL), "Sequence");
            ok = json_add_string(piece, "id", k == 0 ? "A" : "B") != NULL &&
                 json_add_number(piece, "type_id", k) != NULL;
        }
    }
    return ok;
}

static model_status add_processor(json_node *tree, const struct bpe_class *class,
                                  const struct tokenizer_configs *configs, bool add_prefix_space,
                                  const json_node *vocab, const char *path, struct model_error *err)
{
    if (class->frames)
        return add_frame(tree, class, configs, add_prefix_space, vocab, path, err);
    const char *bos = special(class, configs, "bos_token");
    bool ok;
    if (bos != NULL && class->words == NULL &&
        json_bool_or(tokenizer_config(configs, "add_bos_token"), false)) {
        const json_node *id = json_member(vocab, bos);
        if (id == NULL)
            return error_set(err, MODEL_CORRUPT,
                             "%s: tokenizer_config.json wants a '%s' before texts, which is not "
                             "among the %zu tokens",
                             path, bos, json_count(vocab));
        ok = add_bos(tree, bos, id);
    } else {
        ok = add_byte_level(tree, "post_processor", add_prefix_space, false, true) != NULL;
    }
    return ok ? MODEL_OK : error_no_memory(err, path);
}

static model_status build(json_node *tree, const struct bpe_class *class, const char *vocab_path,
                          const char *merges_path, const struct tokenizer_configs *configs,
                          struct model_error *err)
{
    json_node *parsed = NULL;
    model_status status =
        package_file_json(configs->archive, vocab_path, TOKENIZER_MAX_FILE_BYTES, &parsed, err);
    if (status != MODEL_OK)
        return status;
    bool prefix = json_bool_or(tokenizer_config(configs, "add_prefix_space"), false);
    json_node *model = json_add_object(tree, "model");
    const json_node *vocab = json_add_copy(model, "vocab", parsed);
    json_free(parsed);
    if (vocab == NULL || json_add_string(model, "type", "BPE") == NULL ||
        add_byte_level(tree, "decoder", true, true, true) == NULL ||
        !add_words(tree, class, prefix) ||
        !tokenizer_add_tokens(tree, configs, vocab, class->names, class->n_names, true))
        return error_no_memory(err, vocab_path);
    status = read_merges(configs->archive, merges_path, model, err);
    return status == MODEL_OK ? add_processor(tree, class, configs, prefix, vocab, vocab_path, err)
                              : status;
}

static void name_tokens(const struct bpe_class *class, const struct tokenizer_configs *configs,
                        struct tokenizer *t)
{
    const struct {
        const char *key;
        int64_t *id;
    } ids[] = {{"bos_token", &t->bos_id},
               {"eos_token", &t->eos_id},
               {"pad_token", &t->pad_id},
               {"mask_token", &t->mask_id}};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        const char *text = special(class, configs, ids[i].key);
        if (text != NULL)
            *ids[i].id = vocabulary_id(&t->model.vocab, text);
    }
}

model_status bpe_files_load(const char *vocab_path, const char *merges_path,
                            const struct tokenizer_configs *configs, struct tokenizer **ret,
                            struct model_error *err)
{
    const struct bpe_class *class = NULL;
    model_status status = find_class(configs, vocab_path, &class, err);
    if (status == MODEL_OK)
        status = tokenizer_check_added(configs, vocab_path, err);
    if (status != MODEL_OK)
        return status;
    json_node *tree = json_new_object();
    struct tokenizer *t = NULL;
    status = tree != NULL ? build(tree, class, vocab_path, merges_path, configs, err)
                          : error_no_memory(err, vocab_path);
    if (status == MODEL_OK)
        status = tokenizer_from_tree(tree, vocab_path, &t, err);
    if (status == MODEL_OK) {
        name_tokens(class, configs, t);
        *ret = t;
    }
    json_free(tree);
    return status;
}
