/* hub_answers.c - see hub_answers.h. */
#include "hub_answers.h"
#include "errors.h"
#include "files.h"
#include "json_view.h"
#include "string_map.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SIZE_BYTES   ((int64_t)1 << 50)
#define MAX_ID_PART      96
#define SHOWN_NAME_BYTES 120

/* A hostile name for a sentence: cut, without what a terminal would obey. */
static const char *shown(const char *name, char text[SHOWN_NAME_BYTES])
{
    size_t n = 0;
    for (; name[n] != '\0' && n < SHOWN_NAME_BYTES - 1; n++)
        text[n] = (unsigned char)name[n] < 0x20 || (unsigned char)name[n] >= 0x7f ? '?' : name[n];
    text[n] = '\0';
    return text;
}

static size_t id_part_length(const char *part)
{
    size_t n = 0;
    while ((unsigned char)part[n] < 0x80 &&
           (isalnum((unsigned char)part[n]) || (part[n] != '\0' && strchr("-_.", part[n]) != NULL)))
        n++;
    return n;
}

model_status hub_check_id(const char *id, struct model_error *err)
{
    char text[SHOWN_NAME_BYTES];
    size_t first = id_part_length(id), second = 0;
    const char *rest = id + first;
    bool good = first > 0 && first <= MAX_ID_PART && id[0] != '.';
    if (good && *rest == '/') {
        second = id_part_length(rest + 1);
        good = second > 0 && second <= MAX_ID_PART && rest[1] != '.';
        rest += 1 + second;
    }
    if (!good || *rest != '\0' || strstr(id, "..") != NULL || strstr(id, "--") != NULL)
        return error_set(err, MODEL_INVALID_ARGUMENT,
                         "'%s' is not a model's name; want 'name' or 'owner/name' of letters, "
                         "digits, '-', '_' and '.'",
                         shown(id, text));
    return MODEL_OK;
}

/* Which of two values counts would be up to the reader. No deeper than the parser goes. */
static model_status check_keys(const json_node *node, const char *what, struct model_error *err)
{
    model_status status = json_check_unique_keys(node, what, NULL);
    if (status == MODEL_CORRUPT)
        return error_set(err, status, "%s has an object with the same key twice", what);
    if (status != MODEL_OK)
        return error_no_memory(err, what);
    for (const json_node *i = json_first(node); i != NULL && status == MODEL_OK; i = json_next(i))
        if (json_is_object(i) || json_is_array(i))
            status = check_keys(i, what, err);
    return status;
}

/* What is no JSON comes from something else: a login page, a proxy's error. */
static model_status parse_answer(const char *text, size_t size_bytes, const char *what,
                                 json_node **ret, struct model_error *err)
{
    json_node *root = NULL;
    model_status status =
        json_parse_limited(text, size_bytes, HUB_MAX_JSON_VALUES, what, &root, err);
    if (status == MODEL_OK)
        status = check_keys(root, what, err);
    if (status == MODEL_CORRUPT)
        error_advise(err, "is this a hub, or a page in between that wants you to log in?");
    if (status != MODEL_OK) {
        json_free(root);
        return status;
    }
    *ret = root;
    return MODEL_OK;
}

model_status hub_parse_model(const char *text, size_t size_bytes, const char *requested_id,
                             struct hub_model *ret, struct model_error *err)
{
    json_node *root = NULL;
    struct hub_model model = {0};
    char name[SHOWN_NAME_BYTES];
    model_status status =
        parse_answer(text, size_bytes, "the hub's answer about the model", &root, err);
    if (status != MODEL_OK)
        return status;
    const char *sha = json_string_or(json_member(root, "sha"), NULL);
    const char *id = json_string_or(json_member(root, "id"),
                                    json_string_or(json_member(root, "modelId"), requested_id));
    if (sha == NULL || strlen(sha) != HUB_COMMIT_BYTES - 1 ||
        !hub_is_hex(sha, HUB_COMMIT_BYTES - 1)) {
        status = error_set(err, MODEL_CORRUPT,
                           "the hub's answer about '%s' has %s where the commit should be: "
                           "is this a hub?",
                           requested_id, sha == NULL ? "nothing" : "no 40 hexadecimal digits");
        goto end;
    }
    if (hub_check_id(id, NULL) != MODEL_OK) {
        status = error_set(err, MODEL_CORRUPT,
                           "the hub calls '%s' by a name that is not valid: '%s'; is this a hub?",
                           requested_id, shown(id, name));
        goto end;
    }
    for (size_t i = 0; i < HUB_COMMIT_BYTES; i++)
        model.commit[i] = (char)tolower((unsigned char)sha[i]);
    model.id = strdup(id);
    if (model.id == NULL) {
        status = error_no_memory(err, "the model's name");
        goto end;
    }
    *ret = model;
end:
    json_free(root);
    return status;
}

void hub_model_finish(struct hub_model *model)
{
    free(model->id);
    *model = (struct hub_model){0};
}

/* Size and digest of an item: those of "lfs" where there is one. */
static model_status read_content(const json_node *item, const char *path, struct hub_file *ret,
                                 struct model_error *err)
{
    const json_node *lfs = json_member(item, "lfs");
    const json_node *size = json_member(item, "size");
    const char *oid = json_string_or(json_member(item, "oid"), NULL);
    int64_t size_bytes;
    if (json_is_object(lfs)) {
        if (json_is_number(json_member(lfs, "size")))
            size = json_member(lfs, "size");
        oid =
            json_string_or(json_member(lfs, "oid"), json_string_or(json_member(lfs, "sha256"), ""));
        if (strncmp(oid, "sha256:", 7) == 0)
            oid += 7;
    }
    ret->digest = hub_digest_read(oid);
    if (json_is_object(lfs) && ret->digest.kind != HUB_DIGEST_SHA256)
        return error_set(err, MODEL_CORRUPT,
                         "the hub's list of files gives no SHA-256 for the large file '%s', so its "
                         "bytes could not be checked; nothing was downloaded",
                         path);
    if (!json_integer(size, 0, MAX_SIZE_BYTES, &size_bytes))
        return error_set(err, MODEL_CORRUPT,
                         "the hub's list of files gives no valid size for '%s'; is this a hub?",
                         path);
    ret->size_bytes = (uint64_t)size_bytes;
    return MODEL_OK;
}

/* Room for one more; doubles. */
static model_status grow(struct hub_files *files, struct model_error *err)
{
    size_t n = files->n_files;
    if (n >= HUB_MAX_FILES)
        return error_set(err, MODEL_CORRUPT,
                         "the model has more than %u files, which is the limit; take a smaller one",
                         HUB_MAX_FILES);
    if ((n & (n - 1)) != 0)
        return MODEL_OK;
    struct hub_file *grown = realloc(files->files, (n == 0 ? 1 : 2 * n) * sizeof *grown);
    if (grown == NULL)
        return error_no_memory(err, "the list of files");
    files->files = grown;
    return MODEL_OK;
}

static model_status append_item(const json_node *item, struct hub_files *files,
                                struct model_error *err)
{
    char text[SHOWN_NAME_BYTES];
    const char *type = json_string_or(json_member(item, "type"), NULL);
    const char *path = json_string_or(json_member(item, "path"), NULL);
    if (type == NULL || path == NULL)
        return error_set(err, MODEL_CORRUPT,
                         "the hub's list of files has an item without %s; is this a hub?",
                         type == NULL ? "type" : "path");
    if (strcmp(type, "file") != 0)
        return MODEL_OK;
    if (!path_is_safe(path))
        return error_set(err, MODEL_CORRUPT,
                         "the hub lists a file named '%s', which is not a safe name; nothing was "
                         "downloaded",
                         shown(path, text));
    struct hub_file file = {0};
    model_status status = read_content(item, path, &file, err);
    if (status == MODEL_OK)
        status = grow(files, err);
    if (status != MODEL_OK)
        return status;
    file.path = strdup(path);
    if (file.path == NULL)
        return error_no_memory(err, "the list of files");
    files->files[files->n_files++] = file;
    return MODEL_OK;
}

model_status hub_parse_tree_page(const char *text, size_t size_bytes, struct hub_files *files,
                                 struct model_error *err)
{
    json_node *root = NULL;
    model_status status = parse_answer(text, size_bytes, "the hub's list of files", &root, err);
    if (status != MODEL_OK)
        return status;
    if (!json_is_array(root))
        status = error_set(err, MODEL_CORRUPT,
                           "the hub's list of files is not a JSON array; is this a hub?");
    for (const json_node *item = json_first(root); item != NULL && status == MODEL_OK;
         item = json_next(item))
        status = append_item(item, files, err);
    json_free(root);
    return status;
}

static int compare_files(const void *a, const void *b)
{
    return strcmp(((const struct hub_file *)a)->path, ((const struct hub_file *)b)->path);
}

/* Whether a folder of the path is one of the files in the map. */
static bool stands_below_file(const struct string_map *paths, const char *path)
{
    for (const char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/'))
        if (string_map_find(paths, path, (size_t)(slash - path)) >= 0)
            return true;
    return false;
}

model_status hub_files_complete(struct hub_files *files, struct model_error *err)
{
    struct string_map paths = {0};
    if (files->n_files > 0)
        qsort(files->files, files->n_files, sizeof *files->files, compare_files);
    model_status status = string_map_init(&paths, files->n_files);
    for (size_t i = 0; i < files->n_files && status == MODEL_OK; i++) {
        const char *path = files->files[i].path;
        status = string_map_add(&paths, path, strlen(path), (uint32_t)i);
        if (status == MODEL_INVALID_ARGUMENT)
            status = error_set(
                err, MODEL_CORRUPT,
                "the hub lists the file '%s' twice; tell whoever runs it, nothing was downloaded",
                path);
    }
    if (status == MODEL_OUT_OF_MEMORY)
        status = error_no_memory(err, "the list of files");
    for (size_t i = 0; i < files->n_files && status == MODEL_OK; i++)
        if (stands_below_file(&paths, files->files[i].path))
            status = error_set(
                err, MODEL_CORRUPT,
                "the hub lists '%s' below something that is a file itself; tell whoever runs "
                "it, nothing was downloaded",
                files->files[i].path);
    string_map_finish(&paths);
    return status;
}

void hub_files_finish(struct hub_files *files)
{
    for (size_t i = 0; i < files->n_files; i++)
        free(files->files[i].path);
    free(files->files);
    *files = (struct hub_files){0};
}
