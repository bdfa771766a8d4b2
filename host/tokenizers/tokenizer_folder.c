/* tokenizer_folder.c - a tokenizer from the files of a folder: tokenizer.json, or a vocabulary with what
 * tokenizer_config.json and special_tokens_map.json say of it. [any-thread] */
#include "errors.h"
#include "package_file.h"
#include "tokenizer_files.h"

#include <stdlib.h>

#define MAX_CONFIG_BYTES (8u << 20)

/* What these files say must not be overlooked because it is of another kind. */
static model_status check_kinds(const struct json_place *place, struct model_error *err)
{
    static const char *const switches[] = {"do_lower_case", "strip_accents",
                                           "tokenize_chinese_chars", "do_basic_tokenize"};
    static const char *const tokens[] = {"unk_token",  "sep_token", "pad_token", "cls_token",
                                         "mask_token", "bos_token", "eos_token"};
    model_status status = json_want_object(place, err);
    bool value = false;
    for (size_t i = 0; i < sizeof switches / sizeof switches[0] && status == MODEL_OK; i++)
        status = json_field_bool(place, switches[i], &value, err);
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0] && status == MODEL_OK; i++) {
        const json_node *token = json_member(place->node, tokens[i]);
        if (!json_is_null(token) && tokenizer_token_text(token) == NULL)
            status = error_set(err, MODEL_CORRUPT,
                               "%s: %s is %s, want a string, or an object with one as content",
                               place->what, tokens[i], json_kind(token));
    }
    return status;
}

/* A JSON object in a file that may be absent. */
static model_status load_optional(const struct archive *archive, const char *folder,
                                  const char *name, json_node **ret, struct model_error *err)
{
    char *path = path_join(folder, name);
    if (path == NULL)
        return error_no_memory(err, name);
    model_status status = MODEL_OK;
    json_node *tree = NULL;
    if (package_file_exists(archive, path))
        status = package_file_json(archive, path, MAX_CONFIG_BYTES, &tree, err);
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

/* The id of the token that the files name; one that the vocabulary lacks is -1. Unchanged when the files
 * name none: then it is what the loader found. */
static void set_id(const struct tokenizer_configs *configs, const struct tokenizer *t,
                   const char *key, int64_t *id)
{
    const char *text = tokenizer_special(configs, key, NULL);
    if (text != NULL)
        *id = vocabulary_id(&t->model.vocab, text);
}

static void apply_configs(const struct tokenizer_configs *configs, struct tokenizer *t)
{
    set_id(configs, t, "mask_token", &t->mask_id);
    set_id(configs, t, "pad_token", &t->pad_id);
    set_id(configs, t, "bos_token", &t->bos_id);
    set_id(configs, t, "eos_token", &t->eos_id);
    /* A model without a limit says 1e30. */
    (void)json_integer(json_member(configs->tokenizer, "model_max_length"), 1, 1 << 30,
                       &t->model_max_length);
}

/* ---------------------------------------------------------------- public */

/* The files of a folder that a tokenizer may be made of. */
struct candidates {
    char *tokenizer_json, *vocab_txt, *vocab_json, *merges_txt;
};

static model_status from_files(const char *folder, const struct candidates *paths,
                               const struct tokenizer_configs *configs, struct tokenizer **ret,
                               struct model_error *err)
{
    if (package_file_exists(configs->archive, paths->tokenizer_json)) {
        json_node *tree = NULL;
        model_status status = package_file_json(configs->archive, paths->tokenizer_json,
                                                TOKENIZER_MAX_FILE_BYTES, &tree, err);
        if (status == MODEL_OK)
            status = tokenizer_from_tree(tree, paths->tokenizer_json, ret, err);
        json_free(tree);
        return status;
    }
    if (package_file_exists(configs->archive, paths->vocab_json) &&
        package_file_exists(configs->archive, paths->merges_txt))
        return bpe_files_load(paths->vocab_json, paths->merges_txt, configs, ret, err);
    if (package_file_exists(configs->archive, paths->vocab_txt))
        return bert_files_load(paths->vocab_txt, configs, ret, err);
    return error_set(err, MODEL_NOT_FOUND,
                     "%s has no tokenizer: neither tokenizer.json, nor vocab.txt, nor vocab.json "
                     "with merges.txt; put one there, or download the model again",
                     folder);
}

static model_status load_configs(const char *folder, struct tokenizer_configs *configs,
                                 struct model_error *err)
{
    model_status status =
        load_optional(configs->archive, folder, "tokenizer_config.json", &configs->tokenizer, err);
    if (status == MODEL_OK)
        status = load_optional(configs->archive, folder, "special_tokens_map.json",
                               &configs->special, err);
    if (status == MODEL_OK)
        status = load_optional(configs->archive, folder, "added_tokens.json",
                               &configs->added_tokens, err);
    return status;
}

model_status tokenizer_load_from(const struct archive *archive, const char *folder,
                                 struct tokenizer **ret, struct model_error *err)
{
    struct tokenizer_configs configs = {.archive = archive};
    struct tokenizer *t = NULL;
    struct candidates paths = {path_join(folder, "tokenizer.json"), path_join(folder, "vocab.txt"),
                               path_join(folder, "vocab.json"), path_join(folder, "merges.txt")};
    model_status status = paths.tokenizer_json != NULL && paths.vocab_txt != NULL &&
                                  paths.vocab_json != NULL && paths.merges_txt != NULL
                              ? load_configs(folder, &configs, err)
                              : error_no_memory(err, "a tokenizer");
    if (status == MODEL_OK)
        status = from_files(folder, &paths, &configs, &t, err);
    if (status == MODEL_OK) {
        apply_configs(&configs, t);
        *ret = t;
    }
    json_free(configs.tokenizer);
    json_free(configs.special);
    json_free(configs.added_tokens);
    free(paths.tokenizer_json);
    free(paths.vocab_txt);
    free(paths.vocab_json);
    free(paths.merges_txt);
    return status;
}

model_status tokenizer_load(const char *folder, struct tokenizer **ret, struct model_error *err)
{
    return tokenizer_load_from(NULL, folder, ret, err);
}
