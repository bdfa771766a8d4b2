/* pull_record.c - see pull_record.h. Read as hostile: the folder may have been copied from anywhere. */
#include "pull_record.h"
#include "errors.h"
#include "files.h"
#include "hub_answers.h"
#include "json_view.h"

#include <stdlib.h>
#include <string.h>

#define MAX_SIZE ((int64_t)1 << 52)

char *pull_record_print(const struct pull_record *record)
{
    json_node *root = json_new_object();
    json_add_number(root, "format_version", 1);
    json_add_string(root, "id", record->model.id);
    json_add_string(root, "commit", record->model.commit);
    json_node *files = json_add_array(root, "files");
    bool is_whole = files != NULL;
    for (size_t i = 0; is_whole && i < record->files.n_files; i++) {
        const struct hub_file *file = &record->files.files[i];
        json_node *item = json_add_object(files, NULL);
        is_whole = json_add_string(item, "path", file->path) != NULL &&
                   json_add_number(item, "size", (double)file->size_bytes) != NULL &&
                   json_add_string(item, "digest", file->digest.hex) != NULL;
    }
    char *text = is_whole ? json_print(root, false) : NULL;
    json_free(root);
    return text;
}

void pull_record_finish(struct pull_record *record)
{
    hub_model_finish(&record->model);
    hub_files_finish(&record->files);
}

static model_status bad(const char *what, const char *why, struct model_error *err)
{
    return error_set(err, MODEL_CORRUPT, "%.300s: %s; remove it, and it is fetched again", what,
                     why);
}

static model_status take_file(const json_node *item, const char *what, const struct hub_file *last,
                              struct hub_file *ret, struct model_error *err)
{
    int64_t size_bytes = 0;
    const char *path = json_string_or(json_member(item, "path"), "");
    *ret = (struct hub_file){
        .digest = hub_digest_read(json_string_or(json_member(item, "digest"), NULL))};
    if (!path_is_safe(path))
        return bad(what, "a path that no file may have", err);
    if (last != NULL && strcmp(last->path, path) >= 0)
        return bad(what, "the files are not in order", err);
    if (!json_integer(json_member(item, "size"), 0, MAX_SIZE, &size_bytes))
        return bad(what, "a file without a size", err);
    if (ret->digest.kind == HUB_DIGEST_NONE)
        return bad(what, "a file without a digest", err);
    ret->size_bytes = (uint64_t)size_bytes;
    ret->path = strdup(path);
    return ret->path != NULL ? MODEL_OK : error_no_memory(err, "a list of files");
}

static model_status take_files(const json_node *list, const char *what, struct hub_files *ret,
                               struct model_error *err)
{
    size_t n = json_count(list);
    if (!json_is_array(list) || n > HUB_MAX_FILES)
        return bad(what, "no list of files", err);
    ret->files = calloc(n + 1, sizeof *ret->files);
    if (ret->files == NULL)
        return error_no_memory(err, "a list of files");
    model_status status = MODEL_OK;
    for (const json_node *item = json_first(list); status == MODEL_OK && item != NULL;
         item = json_next(item)) {
        const struct hub_file *last = ret->n_files > 0 ? &ret->files[ret->n_files - 1] : NULL;
        status = take_file(item, what, last, &ret->files[ret->n_files], err);
        ret->n_files += status == MODEL_OK ? 1 : 0;
    }
    return status;
}

model_status pull_record_parse(const char *text, size_t size_bytes, const char *what,
                               struct pull_record *ret, struct model_error *err)
{
    json_node *root = NULL;
    struct pull_record record = {.files = {0}};
    int64_t version = 0;
    model_status status = json_parse(text, size_bytes, what, &root, err);
    const char *id = json_string_or(json_member(root, "id"), "");
    const char *commit = json_string_or(json_member(root, "commit"), "");
    if (status == MODEL_OK && !json_integer(json_member(root, "format_version"), 1, 1, &version))
        status = bad(what, "not of format version 1", err);
    if (status == MODEL_OK && (hub_check_id(id, NULL) != MODEL_OK || !hub_is_hex(commit, 40)))
        status = bad(what, "no id, or no commit", err);
    if (status == MODEL_OK) {
        memcpy(record.model.commit, commit, HUB_COMMIT_BYTES);
        record.model.id = strdup(id);
        status = record.model.id != NULL
                     ? take_files(json_member(root, "files"), what, &record.files, err)
                     : error_no_memory(err, "a list of files");
    }
    json_free(root);
    if (status != MODEL_OK) {
        pull_record_finish(&record);
        return status;
    }
    *ret = record;
    return MODEL_OK;
}
