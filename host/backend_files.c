/* backend_files.c - see backend_files.h. */
#include "backend_files.h"
#include "errors.h"
#include "files.h"
#include "package.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct walk {
    const char *folder;
    struct backend_files found;
    size_t n_seen; /* folders, too: links may lead in a circle */
    struct model_error *err;
};

static model_status walk_folder(struct walk *walk, const char *path, const char *name,
                                uint32_t depth);

static model_status add_file(struct walk *walk, char *name, const struct stat *info)
{
    struct backend_files *found = &walk->found;
    if (found->n_files == found->capacity) {
        const size_t capacity = found->capacity > 0 ? 2 * found->capacity : 16;
        struct backend_file *files = realloc(found->files, capacity * sizeof *files);
        if (files == NULL)
            return error_no_memory(walk->err, "a list of files");
        found->files = files;
        found->capacity = capacity;
    }
    found->files[found->n_files++] = (struct backend_file){name, *info};
    return MODEL_OK;
}

static model_status look_at(struct walk *walk, const char *path, uint32_t depth, struct stat *ret)
{
    if (++walk->n_seen > BACKEND_FILES_MAX || depth > BACKEND_FILES_MAX_DEPTH)
        return error_set(walk->err, MODEL_UNSUPPORTED,
                         "%s has more than %d files, or folders in more than %d folders; move what "
                         "is no part of the model elsewhere",
                         walk->folder, BACKEND_FILES_MAX, BACKEND_FILES_MAX_DEPTH);
    if (stat(path, ret) == 0)
        return MODEL_OK;
    if (errno != ENOENT && errno != ELOOP)
        return error_set_errno(walk->err, errno, "cannot look at %s", path);
    *ret = (struct stat){0};
    return MODEL_OK;
}

/* `name` in the backend's folder, which lies at `path`; takes the name. */
static model_status walk_entry(struct walk *walk, const char *path, char *name, uint32_t depth)
{
    struct stat info;
    model_status status = look_at(walk, path, depth, &info);
    const bool is_file = status == MODEL_OK && !S_ISDIR(info.st_mode);
    if (is_file)
        status = add_file(walk, name, &info);
    else if (status == MODEL_OK)
        status = walk_folder(walk, path, name, depth + 1);
    if (!is_file || status != MODEL_OK)
        free(name);
    return status;
}

/* name NULL: the backend's folder itself. As deep as BACKEND_FILES_MAX_DEPTH. */
static model_status walk_folder(struct walk *walk, const char *path, const char *name,
                                uint32_t depth)
{
    struct dir_list list = {0};
    model_status status = dir_read(path, &list, walk->err);
    for (size_t i = 0; i < list.n_names && status == MODEL_OK; i++) {
        if (list.names[i][0] == '.')
            continue;
        char *inside = path_join(path, list.names[i]);
        char *entry =
            name != NULL ? path_join(name, list.names[i]) : text_format("%s", list.names[i]);
        if (inside == NULL || entry == NULL) {
            free(entry);
            status = error_no_memory(walk->err, "a path");
        } else {
            status = walk_entry(walk, inside, entry, depth);
        }
        free(inside);
    }
    dir_list_finish(&list);
    return status;
}

model_status backend_files_list(const char *folder, struct backend_files *ret,
                                struct model_error *err)
{
    struct walk walk = {.folder = folder, .err = err};
    const model_status status =
        path_is_dir(folder) ? walk_folder(&walk, folder, NULL, 0) : MODEL_OK;
    if (status != MODEL_OK)
        backend_files_finish(&walk.found);
    else
        *ret = walk.found;
    return status;
}

void backend_files_finish(struct backend_files *files)
{
    for (size_t i = 0; i < files->n_files; i++)
        free(files->files[i].name);
    free(files->files);
    *files = (struct backend_files){0};
}

bool backend_file_is_known(const struct backend_file *file)
{
    return strcmp(file->name, "config.json") == 0 || strcmp(file->name, PACKAGE_PLUGIN_NAME) == 0;
}

void backend_file_add(struct digest *digest, const char *folder, const struct backend_file *file)
{
    const struct stat *info = &file->info;
    const uint64_t facts[] = {(uint64_t)info->st_dev, (uint64_t)info->st_ino,
                              (uint64_t)info->st_size, (uint64_t)info->BACKEND_FILE_MTIME.tv_sec,
                              (uint64_t)info->BACKEND_FILE_MTIME.tv_nsec};
    digest_update(digest, folder, strlen(folder) + 1);
    digest_update(digest, file->name, strlen(file->name) + 1);
    digest_update(digest, facts, sizeof facts);
}

model_status backend_files_stamp(const char *folder, char ret_stamp[SHA256_HEX_BYTES],
                                 struct model_error *err)
{
    struct backend_files files = {0};
    struct digest *digest = NULL;
    model_status status = folder != NULL ? backend_files_list(folder, &files, err) : MODEL_OK;
    if (status == MODEL_OK)
        status = digest_create_sha256(&digest, err);
    for (size_t i = 0; i < files.n_files && status == MODEL_OK; i++)
        if (!backend_file_is_known(&files.files[i]))
            backend_file_add(digest, folder, &files.files[i]);
    if (status == MODEL_OK)
        digest_finish_hex(digest, ret_stamp);
    backend_files_finish(&files);
    return status;
}
